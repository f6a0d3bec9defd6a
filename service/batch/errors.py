"""What stops a job."""


class BadJob(Exception):
    """A job that cannot be done as asked; the message is the one line that says why."""
