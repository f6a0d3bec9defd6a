"""What stops a job."""


class BadJob(Exception):
    """A job that cannot be done as asked; the message is the one line that says why."""


class Stopped(KeyboardInterrupt):
    """The process was told to end, by that signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
