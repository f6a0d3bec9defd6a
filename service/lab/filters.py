"""
What POST /v1/apply-filters does between reading and writing: filters made ready, planned, checked and run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.core.colour import to_grey
from service.core.convolution import Geometry, activate, geometry, normalise, pool, pool_geometry
from service.core.errors import InvalidKernel, InvalidOption
from service.core.kernels import check_kernel
from service.core.presets import preset
from service.lab import prices, sizes
from service.lab.options import Filter, Pool, Stage
from service.network.bank import correlate_bank
from service.network.sessions import Library, filter_weights
from service.settings import Limits

# A padded picture may have this many times max_image_pixels.
PADDED_PER_PIXEL = 4


@dataclass(frozen=True, slots=True)
class ReadyFilter:
    """One filter of a request, ready to use: weights (rows, columns) or (channels, rows, columns), float32."""

    name: str
    weights: np.ndarray
    bias: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What one filter will do to one picture, known before it is done."""

    places: Geometry
    pooled: Geometry | None
    channels_in: int
    maps_out: int

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition."""
        return self.places.multiply_adds * self.channels_in * self.maps_out


def read_filters(options: Stage, library: Library, limits: Limits) -> list[ReadyFilter]:
    """
    Make every filter of a request ready: found, checked, normalised, and turned for orientation=convolution.

    raises: InvalidKernel, InvalidOption or NotFound, pointing at the filter
    """
    if not 1 <= len(options.filters) <= limits.max_filters:
        raise InvalidOption(f"filters is a list of 1 to {limits.max_filters}, got {len(options.filters)}", "/filters")
    read = [_read_filter(i, posted, library, limits) for i, posted in enumerate(options.filters)]
    given = [posted.name for posted in options.filters if posted.name is not None]
    for name in given:
        if given.count(name) > 1:
            raise InvalidKernel(f"two filters are called {name!r}", "/filters")
    names = sizes.numbered(each.name for each in read)
    flip = options.orientation == "convolution"
    ready = []
    for index, (each, name) in enumerate(zip(read, names, strict=True)):
        try:
            weights = normalise(each.weights, options.normalize)
        except InvalidKernel as error:
            raise InvalidKernel(error.detail, f"/filters/{index}") from None
        ready.append(ReadyFilter(name, np.ascontiguousarray(weights[..., ::-1, ::-1] if flip else weights), each.bias))
    return ready


def _read_filter(index: int, posted: Filter, library: Library, limits: Limits) -> ReadyFilter:
    pointer = f"/filters/{index}"
    sources = [name for name in ("weights", "preset", "layer") if getattr(posted, name) is not None]
    if len(sources) != 1:
        came = " and ".join(sources) or "none of them"
        raise InvalidKernel(f"a filter has weights, a preset, or model, layer and filter; got {came}", pointer)
    if sources == ["weights"]:
        prices.charge_weights(posted.weights)
        weights = check_kernel(posted.weights, limits.max_kernel_side, f"{pointer}/weights")
        return ReadyFilter(posted.name or f"filter_{index}", weights, posted.bias)
    if sources == ["preset"]:
        made = preset(posted.preset or "", posted.size, posted.angle, posted.sigma, pointer)
        return ReadyFilter(posted.name or made.name, made.weights, posted.bias)
    return _learnt_filter(posted, library, pointer)


def _learnt_filter(posted: Filter, library: Library, pointer: str) -> ReadyFilter:
    network = library.get(posted.model, posted.version)
    layer, index = posted.layer or "", posted.filter
    prices.charge_opening(network)
    weights, biases = filter_weights(network, layer, f"{pointer}/layer")
    if index is None or index >= len(weights):
        raise InvalidKernel(f"{layer} has filters 0 to {len(weights) - 1}, got {index}", f"{pointer}/filter")
    flat = weights[index][0] if weights.shape[1] == 1 else weights[index]
    return ReadyFilter(posted.name or f"{layer}_{index}", flat, float(biases[index]) + posted.bias)


def plan_filters(
    shape: tuple[int, int, int], filters: Sequence[ReadyFilter], options: Stage, limits: Limits
) -> list[Plan]:
    """
    Work out what each filter will do to a picture, or maps, of that shape (channels, height, width).

    raises: InvalidKernel or InvalidOption where one does not fit
    """
    plans = []
    for each in filters:
        places = geometry(shape[1:], each.weights.shape[-2:], options.stride, options.dilation, options.padding)
        _check_padding(places, limits)
        pooled = pool_places(options.pool, places.patches) if options.pool else None
        is_colour = each.weights.ndim == 3
        maps_out = shape[0] if options.channels == "each" and not is_colour else 1
        plans.append(Plan(places, pooled, shape[0] if is_colour else 1, maps_out))
    return plans


def _check_padding(places: Geometry, limits: Limits) -> None:
    # A long stride over a wide border is little work and may still be a lot of memory.
    top, left, bottom, right = places.pads
    height, width = places.image[0] + top + bottom, places.image[1] + left + right
    allowed = PADDED_PER_PIXEL * limits.max_image_pixels
    if height * width > allowed:
        raise InvalidOption(f"a padded picture may have {allowed} pixels, this has {width} x {height}", "/padding")


def pool_places(asked: Pool, shape: tuple[int, int]) -> Geometry:
    """Where a pooling of maps of (rows, columns) stops."""
    return pool_geometry(shape, asked.size, asked.stride)


def check_filters_fit(filters: Sequence[ReadyFilter], channels_in: int, *, is_first: bool, channels: str) -> None:
    """Raise InvalidKernel where a filter has not the channels of what it reads."""
    read = "the picture has" if is_first else "it reads"
    for index, each in enumerate(filters):
        pointer = f"/filters/{index}"
        if each.weights.ndim == 3 and len(each.weights) != channels_in:
            raise InvalidKernel(f"this filter has {len(each.weights)} channels, {read} {channels_in}", pointer)
        # A picture's channels have a grey; maps have none.
        if each.weights.ndim == 2 and not is_first and channels_in > 1 and channels != "each":
            raise InvalidKernel(
                f"a 2-D filter meets {channels_in} maps: give it {channels_in} channels to sum over, or "
                "channels=each to be applied to every map",
                pointer,
            )


def respond(
    image: np.ndarray, filters: Sequence[ReadyFilter], plans: Sequence[Plan], options: Stage
) -> list[np.ndarray]:
    """
    The last stage asked for, per filter: (rows, columns), or (channels, rows, columns) with channels=each.

    Filters of one shape run as one bank.

    raises: InvalidKernel where a response overflows
    """
    responses: list[np.ndarray | None] = [None] * len(filters)
    shapes = {each.weights.shape for each in filters}
    for shape in shapes:
        members = [index for index, each in enumerate(filters) if each.weights.shape == shape]
        bank = [filters[index] for index in members]
        prices.go_on()
        # What overflows is refused below, in words.
        with np.errstate(over="ignore", invalid="ignore"):
            for index, maps in zip(members, _run_bank(image, bank, plans[members[0]].places, options), strict=True):
                responses[index] = finish(maps, options)
    done = [response for response in responses if response is not None]
    check_finite_response(done, [each.name for each in filters])
    return done


def check_finite_response(responses: Sequence[np.ndarray], names: Sequence[str] = ()) -> None:
    """Raise InvalidKernel where a response overflowed."""
    for index, response in enumerate(responses):
        if not (np.isfinite(response.min()) and np.isfinite(response.max())):
            name = names[index] if names else f"map {index}"
            raise InvalidKernel(f"the response to {name!r} must fit 32-bit floats, it overflows", f"/filters/{index}")


def _run_bank(image: np.ndarray, bank: Sequence[ReadyFilter], places: Geometry, options: Stage) -> Sequence[np.ndarray]:
    weights = np.stack([each.weights for each in bank])
    biases = np.array([each.bias for each in bank], np.float32)
    border = options.pad_mode, options.pad_value
    if weights.ndim == 4:
        return list(correlate_bank(image, weights, biases, places, *border, go_on=prices.go_on))
    planes = image if options.channels == "each" else _grey_plane(image)
    per_plane = [
        correlate_bank(plane[None], weights[:, None], biases, places, *border, go_on=prices.go_on) for plane in planes
    ]
    return list(per_plane[0]) if options.channels == "grey" else list(np.stack(per_plane, axis=1))


def _grey_plane(image: np.ndarray) -> np.ndarray:
    return image if len(image) == 1 else to_grey(image.transpose(1, 2, 0))[None]


def finish(maps: np.ndarray, options: Stage) -> np.ndarray:
    """The activation and the pooling asked for; maps: (..., rows, columns)."""
    activated = activate(options.activation, maps)
    if options.pool is None:
        return activated
    return pool(activated, options.pool.kind, options.pool.size, options.pool.stride, go_on=prices.go_on)
