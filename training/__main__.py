"""`python -m training`: the command line."""

from training.cli import main

main(prog_name="python -m training")
