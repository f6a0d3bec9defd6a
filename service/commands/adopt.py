"""`filterscope adopt`: a network of someone else's, an ONNX file, made one that the service serves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from service.commands.options import models_option, read_settings

LAYOUTS = ("auto", "nchw", "nhwc")
WORKS = "works"


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="MODEL.ONNX")
@click.option("--name", required=True, help="What the model is called, as in model=NAME of a call.")
@click.option("--version", help="Its version; the next free number unless given.")
@models_option
@click.option("--labels", help="Its classes in their order: a,b,c or a file with one a line; 0, 1, ... unless given.")
@click.option("--size", help="Rows and columns, where the file leaves them free: 48x192.")
@click.option("--layout", type=click.Choice(LAYOUTS), default="auto", show_default=True)
@click.option("--output", help="The output that tells the classes, where several may.")
@click.option("--preset", type=click.Choice(["raw", "mnist", "cifar10", "imagenet", "caffe"]),
              help="A usual form of the numbers that it was trained on; raw is 0..255.")  # fmt: skip
@click.option("--scale", help="The numbers that it was trained on: 1 for 0..1, 255 for 0..255, or -1..1.")
@click.option("--mean", help="Taken off after --scale, one number or one for each channel: .485,.456,.406")
@click.option("--std", help="Divided by after --mean.")
@click.option("--colour", type=click.Choice(["rgb", "bgr"]), help="The order of its three channels; rgb unless given.")
@click.option("--invert", is_flag=True, help="It was trained on dark for 1 and light for 0.")
@click.option("--prepare", type=click.Choice(["picture", "digit"]), default="picture", show_default=True,
              help="What a posted picture becomes: the whole of it, or the digit on it as MNIST has it.")  # fmt: skip
@click.option("--fit", type=click.Choice(["stretch", "crop", "letterbox"]), default="stretch", show_default=True,
              help="How a whole picture is brought to the network's size: stretched to it, its middle cut out, or "
              "all of it laid on a ground.")  # fmt: skip
@click.option("--short-side", type=click.IntRange(1, 4096), help="With --fit crop, to what length the shorter side is "
              "brought first; as short as can be.")  # fmt: skip
@click.option("--fill", type=click.FloatRange(0, 1), help="With --fit letterbox, the ground: 0 is black, 1 white.")
@click.option("--filter", "filter_", type=click.Choice(["bilinear", "bicubic", "nearest", "area"]), default="bilinear",
              show_default=True, help="How pixels are made of others, as Pillow has it.")  # fmt: skip
@click.option("--check", type=click.Path(path_type=Path), help="FOLDER/<label>/<picture>: tries the usual forms on 20 "
              "pictures or more, and tells how often each is right.")  # fmt: skip
@click.option("--reference", type=click.Path(path_type=Path), help="Folder of test_data_set_*, as ONNX's zoo has them.")
@click.option("--report", type=click.Path(path_type=Path), help="FOLDER/<label>/<picture>: keeps what every filter "
              "responds to there, for GET /v1/models/NAME/report and baseline=mean.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--remove", is_flag=True, help="Take out the version that --version says.")
def adopt(file: Path | None, *, remove: bool, as_json: bool, dry_run: bool, **options: Any) -> None:
    """
    Adopt MODEL.ONNX, a classifier of pictures, into the folder of models.

    Says what it is, which calls will work and which not and why, and what it costs. Where it is not adopted one line on
    standard error says why and what to do, and the status is 1. No version is overwritten; a service that runs reads
    its models again at SIGHUP.
    """
    from service.adopt import child, place  # noqa: PLC0415  # --help need not wait for these
    from service.adopt.asked import Refused  # noqa: PLC0415

    models = options["models"] or Path(read_settings().models)
    try:
        if remove:
            if file is not None or options["version"] is None:
                raise click.UsageError("--remove takes --name and --version, and no file")
            click.echo(f"removed {place.remove(models, options['name'], options['version'])}")
            return
        if file is None:
            raise click.UsageError("a file is wanted: filterscope adopt model.onnx --name NAME")
        described = child.adopt(_asked(file, models, options), models, dry_run=dry_run)
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused
    if as_json:
        import orjson  # noqa: PLC0415

        click.echo(orjson.dumps(described))
        return
    for line in _lines(described):
        click.echo(line)
    for warning in described["warnings"]:
        click.echo(f"Warning: {warning}", err=True)


def _asked(file: Path, models: Path, options: dict[str, Any]) -> Any:
    from service.adopt.asked import AdoptionOptions  # noqa: PLC0415
    from service.adopt.place import check_name, next_version  # noqa: PLC0415

    check_name(options["name"])
    _check_fit(options)
    return AdoptionOptions(
        model=str(file),
        folder="",
        name=options["name"],
        version=options["version"] or next_version(models, options["name"]),
        labels=None if options["labels"] is None else _labels(options["labels"]),
        size=None if options["size"] is None else _size(options["size"]),
        layout=options["layout"],
        output=options["output"],
        numbers=_numbers(options),
        prepare=options["prepare"],
        fit=options["fit"],
        filter=options["filter_"],
        short_side=options["short_side"],
        fill=options["fill"] or 0.0,
        check=None if options["check"] is None else str(options["check"]),
        reference=None if options["reference"] is None else str(options["reference"]),
        report=None if options["report"] is None else str(options["report"]),
    )


def _check_fit(options: dict[str, Any]) -> None:
    """Raise where an option says something of a fit that is not asked for."""
    for name, fit in (("short_side", "crop"), ("fill", "letterbox")):
        if options[name] is not None and options["fit"] != fit:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --fit {fit}")
    if options["prepare"] == "digit" and (options["fit"], options["filter_"]) != ("stretch", "bilinear"):
        raise click.UsageError("--prepare digit finds the digit and fits it itself: leave --fit and --filter out")


def _labels(text: str) -> tuple[str, ...]:
    """Read labels from a list, or from a file with one a line."""
    path = Path(text)
    try:
        is_file = path.is_file()
        labels = path.read_text(encoding="utf-8").splitlines() if is_file else text.split(",")
    except (OSError, ValueError) as error:
        raise click.BadParameter(
            f"a list a,b,c or a text file in UTF-8 is wanted: {error}", param_hint="--labels"
        ) from error
    found = tuple(label.strip() for label in labels if label.strip())
    if not is_file and len(found) < 2:
        raise click.BadParameter(f"a list a,b,c is wanted, and there is no file {text[:80]!r}", param_hint="--labels")
    if not all(label.isprintable() and len(label) <= 200 for label in found):
        raise click.BadParameter("a label is up to 200 letters that can be printed", param_hint="--labels")
    return found


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and len(part) <= 4 for part in parts):
        raise click.BadParameter(f"rows and columns are wanted, as in 48x192, got {text[:80]!r}", param_hint="--size")
    return int(parts[0]), int(parts[1])


def _numbers(options: dict[str, Any]) -> Any:
    """The form that the options say, None where they say none."""
    from service.adopt.asked import PRESETS, Numbers  # noqa: PLC0415

    said = [name for name in ("preset", "scale", "mean", "std", "colour", "invert") if options[name]]
    if not said:
        return None
    if options["preset"]:
        if len(said) > 1:
            raise click.UsageError(f"--preset says all of the form: leave --{said[1]} out, or say all without it")
        return PRESETS[options["preset"]]
    scale, mean = options["scale"] or "1", _floats(options["mean"], "--mean")
    if scale == "-1..1":
        if mean is not None:
            raise click.UsageError("--scale -1..1 takes its own mean off: leave --mean out")
        scale, mean = "2", (1.0,)
    factor = _floats(scale, "--scale") or ()
    if len(factor) != 1:
        raise click.BadParameter("one number is wanted, or -1..1", param_hint="--scale")
    return Numbers(
        order=options["colour"] or "rgb",
        invert=options["invert"],
        scale=factor[0],
        mean=mean,
        std=_floats(options["std"], "--std"),
    )


def _floats(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"numbers are wanted, as in .485,.456,.406, got {text[:80]!r}", param_hint=option
        ) from None


def _lines(described: dict[str, Any]) -> Iterator[str]:
    """What was adopted, for a person to read."""
    source, shape, cost, checks = (described[name] for name in ("source", "input", "cost", "checks"))
    made = ", ".join(filter(None, (source["producer"], f"opset {source['opset'].get('', '?')}")))
    yield f"{source['file']}: {cost['parameters']} weights ({made})"
    _, rows, columns = shape["shape"]
    numbers = described["numbers"]
    yield f"reads {rows} x {columns} {shape['colour']} ({numbers['layout']}), trained on {numbers['form']}"
    yield f"a picture is {_fit(shape)}"
    yield f"tells {_classes(described)}"
    for layer in described["layers"]:
        sides = " x ".join(map(str, layer["shape"]))
        yield f"  {layer['name']:10}{layer['op']:14}{sides:18}{layer['source']}"
    difference = max(checks["lean_difference"], checks["analysis_difference"])
    yield f"agrees with the file as it came to {difference:.1g} on 8 pictures"
    yield _credit(described)
    if "reference" in checks:
        yield f"agrees with its {checks['reference']['sets']} references to {checks['reference']['difference']:.1g}"
    for each in checks.get("pictures", {}).get("tried", ()):
        yield f"  {each['right']:.3f} +- {each['error']:.3f} right, confidence {each['confidence']:.2f}: {each['form']}"
    for call, reason in described["calls"].items():
        yield f"  {call}: {reason or WORKS}"
    ms = cost["ms"]
    back = f", {ms['credit']:g} ms a score credited back" if "credit" in ms else ""
    yield f"costs {ms['lean']:g} ms a picture, {ms['analysis']:g} ms with all maps{back}; {cost['megabytes']:g} MB"
    if described["folder"] is None:
        yield "nothing was written (--dry-run)"
    else:
        yield f"adopted as {described['folder']}; model={described['name']} of a call chooses it"


def _credit(described: dict[str, Any]) -> str:
    """Whether its scores come apart into parts of the picture, and where that holds whatever the picture."""
    credit = described["credit"]
    if "refused" in credit:
        return f"its scores are not credited back to the picture: {credit['refused']}"
    residual = described["checks"]["credit_residual"]
    of_all = [name for name in credit["whole"] if credit["exactness"][name] == "global"][:1]
    where = f", and without them behind {of_all[0]}" if of_all else ""
    held = "with gates held still" if credit["exactness"]["image"] == "gates" else "whatever the picture"
    return f"its scores are credited back to the picture {held}{where}, to {residual:.1g} of their parts"


def _fit(read: dict[str, Any]) -> str:
    """What a posted picture goes through."""
    if read["prepare"] == "digit":
        return "searched for its digit"
    short = f" of {read['short_side']} pixels on its shorter side" if "short_side" in read else ""
    ground = f" on a ground of {read['fill']:g}" if "fill" in read else ""
    words = {
        "stretch": "stretched to that size",
        "crop": f"cut out of the middle{short}",
        "letterbox": f"laid whole{ground}",
    }
    return f"{words[read['fit']]} ({read['filter']})"


def _classes(described: dict[str, Any]) -> str:
    labels = described["labels"]
    return f"{len(labels)} classes: {', '.join(labels[:3])}, ..."
