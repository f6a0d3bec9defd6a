"""The commands, joined; and how each ends: with a line where something is wrong, and a status that says what."""

import signal
import sys

import click

from service import __version__
from service.batch.errors import BadJob, Stopped
from service.commands.adopt import adopt
from service.commands.classify import classify
from service.commands.read import read
from service.commands.score import score
from service.commands.serve import serve
from service.network.files import BadModel
from service.settings import BadSetting

# What an extra of pyproject.toml brings, by what is imported of it.
EXTRAS = {
    "pyarrow": ("score", "pyarrow tqdm"),
    "tqdm": ("score", "pyarrow tqdm"),
    "onnx": ("adopt", "onnx"),
    "ray": ("cluster", "'ray[data]' tqdm"),
}


class _CommandGroup(click.Group):
    """A group whose commands tell what is wrong in one line, a signal that ends them included."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (BadSetting, BadModel, BadJob) as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            raise click.ClickException(_missing(error)) from error
        except KeyboardInterrupt as stop:
            click.echo("Stopped.", err=True)
            # 128 and the signal, as shells have it.
            ctx.exit(128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT))


def _missing(error: ModuleNotFoundError) -> str:
    name = (error.name or "").partition(".")[0]
    if name not in EXTRAS:
        raise error
    extra, packages = EXTRAS[name]
    return f"{name} is missing; the extra [{extra}] has it: {sys.executable} -m pip install {packages}"


@click.group(cls=_CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="filterscope %(version)s")
def main() -> None:
    """
    Read handwritten digits, and show how.

    Settings are the environment variables FILTERSCOPE_*. A command ends with status 0 when all is done, 1 when it could
    not be, 2 when it was called wrongly, and 3 when all is done but some pictures could not be used.
    """


main.add_command(serve)
main.add_command(classify)
main.add_command(read)
main.add_command(score)
main.add_command(adopt)
