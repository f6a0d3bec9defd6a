"""`python -m service`: the command line in a checkout; installed, it is `filterscope`."""

from service.commands.main import main

if __name__ == "__main__":
    main()
