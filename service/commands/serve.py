"""`filterscope serve`: the service, by gunicorn."""

import os
import sys
from collections.abc import Sequence

import click

from service.settings import GUNICORN_SETTINGS, PACKAGE


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--host", help="Address to listen on; 127.0.0.1 unless HOST says otherwise.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; 8000 unless PORT says otherwise.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes; WORKERS, or one per CPU.")
@click.argument("arguments", metavar="[GUNICORN OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
def serve(host: str | None, port: int | None, workers: int | None, arguments: tuple[str, ...]) -> None:
    """
    Serve until stopped: the page at /, the calls below /v1 and /v2.

    What else gunicorn takes may follow, such as --certfile and --keyfile for TLS, or --check-config.
    """
    if os.name != "posix":
        raise click.ClickException("the server, gunicorn, needs Linux or macOS; on Windows use WSL or the image")
    given = {"HOST": host, "PORT": port, "WORKERS": workers}
    os.environ |= {name: str(value) for name, value in given.items() if value is not None}
    if GUNICORN_SETTINGS.parent != PACKAGE:
        # A checkout is not installed: a successor that gunicorn starts must find it.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    run_gunicorn(["--config", str(GUNICORN_SETTINGS), *arguments])


def run_gunicorn(arguments: Sequence[str]) -> None:
    """
    Run gunicorn in this process, with those arguments.

    It puts the caller's folder first on the path of imports. Within a process that has the service and gunicorn already
    no file there can stand in for them.
    """
    from gunicorn.app.wsgiapp import WSGIApplication  # noqa: PLC0415  # does not exist on Windows

    class Server(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            # Only for as long as they are read: a successor is started by what this process was called with.
            called, sys.argv = sys.argv, [sys.argv[0], *arguments]
            try:
                super().load_config()
            finally:
                sys.argv = called

    Server("%(prog)s [OPTIONS]", prog="filterscope serve").run()
