"""The command line, called in this process."""

from service.commands.main import main


def filterscope(*arguments):
    """Run a command; its status."""
    try:
        main(list(arguments), prog_name="filterscope")
    except SystemExit as end:
        return end.code or 0
