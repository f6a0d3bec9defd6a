"""`filterscope read`: the numbers in each picture, without a server and without Flask."""

import sys
from pathlib import Path

import click

from service.commands.options import UNUSABLE, chosen, model_option, models_option, on_a_line, read_settings


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print what POST /v1/read answers, each result named.")
@click.option("--sure", type=click.FloatRange(0, 1), default=0.9, show_default=True,
              help="A digit with less confidence is printed as `?`.")  # fmt: skip
@click.option("--length", help="Digits of a number, as 9 or 6-10.")
@click.option("--expect", type=click.Choice(["digits", "number", "decimal"]), default="digits", show_default=True)
@model_option
@models_option
def read(
    files: tuple[Path, ...],
    as_json: bool,  # click names it
    sure: float,
    length: str | None,
    expect: str,
    model: str | None,
    models: Path | None,
) -> None:
    """
    Print the numbers in each FILE, `-` for standard input.

    A line for each line of digits, after the name of its file and a colon where there are several files. What cannot be
    used is told on standard error.
    """
    import orjson  # noqa: PLC0415  # --help need not wait for these

    from service.batch.digits import open_reader  # noqa: PLC0415
    from service.batch.reading import options_of, read_files  # noqa: PLC0415

    settings = read_settings()
    options = options_of(sure, length, expect)
    network = open_reader(*chosen(models, model, settings))
    results = []
    unusable = False
    for result in read_files(network, files, options, settings):
        results.append(result)
        if "error" in result:
            unusable = True
            click.echo(f"{on_a_line(result['name'])}: {result['error']}", err=True)
        elif not as_json:
            for line in result["text"].splitlines():
                click.echo(line if len(files) == 1 else f"{on_a_line(result['name'])}: {line}")
    if as_json:
        head = {"model": network.name, "version": network.version, "sha256": network.sha256}
        click.echo(orjson.dumps(head | {"results": results}, option=orjson.OPT_SERIALIZE_NUMPY))
    if unusable:
        sys.exit(UNUSABLE)
