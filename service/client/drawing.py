"""Arrays drawn with matplotlib, where it is installed."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE = 1.4  # inches


def grid(arrays: Mapping[str, np.ndarray], columns: int) -> "Figure":
    """
    Draw arrays of (rows, columns), each under its name, on one scale.

    raises: ModuleNotFoundError where matplotlib is not installed
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  # need not be there
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"show() needs matplotlib: python -m pip install matplotlib ({error})") from None

    class Shown(Figure):
        """A figure that a notebook shows without pyplot."""

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    across = min(columns, len(arrays))
    down = -(-len(arrays) // across)
    low, high = min(float(each.min()) for each in arrays.values()), max(float(each.max()) for each in arrays.values())
    figure = Shown(figsize=(TILE * across, TILE * down + 0.3), layout="constrained")
    places = figure.subplots(down, across, squeeze=False).ravel()
    for place, (name, array) in zip(places, arrays.items(), strict=False):
        drawn = place.imshow(array if array.ndim == 2 else array.mean(axis=0), cmap="viridis", vmin=low, vmax=high)
        place.set_title(name, fontsize=8)
    for place in places:
        place.axis("off")
    figure.colorbar(drawn, ax=places.tolist(), shrink=0.6)
    return figure
