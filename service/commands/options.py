"""The options that several commands take."""

from pathlib import Path

import click

from service.settings import Settings, unknown

UNUSABLE = 3  # the status where all is done, but some pictures could not be used

models_option = click.option("--models", type=click.Path(path_type=Path), help="Folder of models.")
model_option = click.option("--model", help="Model that reads; the default model unless given.")
prepare_option = click.option(
    "--prepare",
    type=click.Choice(["auto", "none"]),
    default="auto",
    show_default=True,
    help="As in POST /v1/classify: find the digit, or take 28 x 28 numbers as they are.",
)


def on_a_line(name: str) -> str:
    r"""
    Show a name, of a file mostly, on one line: a control character in it, which a terminal would obey, as its escape.

    >>> print(on_a_line("3.png\n4  no.png"))
    3.png\n4  no.png
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)


def read_settings() -> Settings:
    """Read the settings, and warn of variables that only look like one; BadSetting where one is wrong."""
    for line in unknown():
        click.echo(f"Warning: {line}", err=True)
    return Settings.from_environ()


def chosen(models: Path | None, model: str | None, settings: Settings) -> tuple[Path, str]:
    """The folder of models and the model: those that were asked for, else those of the settings."""
    return models or Path(settings.models), model or settings.default_model
