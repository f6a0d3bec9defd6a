"""GET /v1/models/{m}/report: what every filter of a network does over a whole dataset."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.caching import revalidated
from service.api.http.reading import read_options
from service.core.errors import NotFound
from service.core.idx import read_parts
from service.lab import prices
from service.lab.adopted import check_reported
from service.lab.options import ReportOptions
from service.network.sessions import Library, Network, kept_with_network
from service.settings import Settings, naming


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("report", __name__)
    routes.after_request(revalidated)
    pictures = read_pictures(settings)

    @routes.get("/v1/models/<name>/report")
    def report(name: str) -> Reply:
        """Give the dataset report, and thumbnails of the images it names where the dataset is at hand."""
        options = read_options(request, ReportOptions)
        writing.choose_format(request, options.format, ("json",))
        network = library.get(name, options.version)
        check_reported(network)
        if network.report is None:
            raise NotFound(
                f"there is no report of {network.name}/{network.version}; "
                f"`python -m training report models/{network.name}/{network.version}` makes it"
            )
        members = _choose_layer(network, network.report, options.layer)
        prices.charge("write", _size_of(network) * prices.TEXT_BYTE_OUT)
        if options.thumbnails:
            members = members | {"thumbnails": _thumbnails(members, pictures)}
        return writing.json(members)

    return routes


@kept_with_network
def _size_of(network: Network) -> int:
    """The bytes of a whole report."""
    return len(orjson.dumps(network.report))


def read_pictures(settings: Settings) -> dict[str, np.ndarray]:
    """The pictures of each part that the folder of settings.mnist holds; none without such a folder."""
    if not settings.mnist:
        return {}
    with naming("mnist", OSError, ValueError):
        return read_parts(Path(settings.mnist))


def _choose_layer(network: Network, report: dict[str, Any], layer: str | None) -> dict[str, Any]:
    if layer is None:
        return report
    chosen = [each for each in report["layers"] if each["name"] == layer]
    if not chosen:
        raise NotFound.among("layer", layer, [each.name for each in network.passport.convolutions], "/layer")
    return report | {"layers": chosen}


def _thumbnails(report: dict[str, Any], pictures: dict[str, np.ndarray]) -> dict[str, str]:
    """Every image that is named as a filter's largest, by its number, as a data: URL."""
    part = pictures.get(report["data"]["part"])
    if part is None:
        return {}
    filters = [each for layer in report["layers"] for each in layer["filters"]]
    named = sorted({entry["image"] for each in filters for entry in each["top"]})
    return {str(number): _thumbnail(part[number].tobytes(), part.shape[1]) for number in named if number < len(part)}


@cache
def _thumbnail(pixels: bytes, side: int) -> str:
    """Made once for each of the few hundred images that reports name."""
    return writing.data_url(np.frombuffer(pixels, np.uint8).reshape(side, -1))
