"""`filterscope classify`: the digit on each picture, or its class, without a server and without Flask."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.commands.options import (
    UNUSABLE,
    chosen,
    model_option,
    models_option,
    on_a_line,
    prepare_option,
    read_settings,
)

if TYPE_CHECKING:
    from service.network.sessions import Network

FileResult = dict[str, Any]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...")
@click.option("--json", "form", flag_value="json", help="Print what POST /v1/classify answers, each result named.")
@click.option("--csv", "form", flag_value="csv", help="Print a table with a row for each file.")
@model_option
@models_option
@prepare_option
def classify(files: tuple[Path, ...], form: str | None, model: str | None, models: Path | None, prepare: str) -> None:
    """
    Print the digit on each FILE, `-` for standard input.

    A line for each file: the digit, of an adopted network the label, and the name of the file. What cannot be used is
    told on standard error.
    """
    from service.batch.digits import classify_files, open_network  # noqa: PLC0415  # --help need not wait for these

    settings = read_settings()
    network = open_network(*chosen(models, model, settings))
    told = _Told(classify_files(network, files, prepare, settings))
    printers = {"json": _print_json, "csv": _print_csv}
    printers.get(form or "", _print_lines)(told, network)
    if told.unusable:
        sys.exit(UNUSABLE)


class _Told:
    """Results on their way to be printed: what cannot be used, or is unlike a digit, is told on standard error."""

    def __init__(self, results: Iterator[FileResult]) -> None:
        self._results = results
        self.unusable = 0

    def __iter__(self) -> Iterator[FileResult]:
        for result in self._results:
            if "error" in result:
                self.unusable += 1
                click.echo(f"{on_a_line(result['name'])}: {result['error']}", err=True)
            elif result.get("is_digit") is False:
                unlike = f"is unlike any digit (novelty {result['novelty']:.2f})"
                click.echo(f"{on_a_line(result['name'])}: {unlike}", err=True)
            yield result


def _print_lines(results: _Told, _network: "Network") -> None:
    for result in results:
        if "error" not in result:
            click.echo(f"{on_a_line(result['label'])}  {on_a_line(result['name'])}")


def _print_json(results: _Told, network: "Network") -> None:
    import orjson  # noqa: PLC0415

    head = {"model": network.name, "version": network.version, "sha256": network.sha256}
    click.echo(orjson.dumps(head | {"results": list(results)}, option=orjson.OPT_SERIALIZE_NUMPY))


def _print_csv(results: _Told, network: "Network") -> None:
    from service.lab.verdicts import has_numbers  # noqa: PLC0415

    classes = range(len(network.passport.labels) if has_numbers(network, full=False) else 0)
    told = ["label", "class", "confidence"]
    names = ["name", *(told if network.passport.is_adopted else ["digit", "confidence", "novelty", "is_digit"])]
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([*names, *(f"probability_{index}" for index in classes), "model", "version", "error"])
    for result in results:
        probabilities = result.get("probabilities", [""] * len(classes)) if classes else []
        verdict = [result.get(name, "") for name in names]
        if names[-1] == "is_digit":
            verdict[-1] = str(verdict[-1]).lower()
        table.writerow([*verdict, *probabilities, network.name, network.version, result.get("error", "")])
