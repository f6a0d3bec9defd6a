"""Plots as PNG: samples, learning curve, confusion matrix, learnt filters."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.core.digit import SIDE
from training.data.mnist import LabelledDigits
from training.networks.fit import History

mpl.use("agg")

_DOTS_PER_INCH = 120
_CELL = 34  # a 28-pixel digit, its gap, and room for its label above


def draw_samples(
    part: LabelledDigits, path: Path, *, pencil: bool, seed: int, rows: int = 8, columns: int = 16
) -> None:
    """Draw a sheet of digits chosen by `seed`, each under its label; pencil means dark on light."""
    chosen = np.random.default_rng(seed).choice(len(part), min(rows * columns, len(part)), replace=False)
    sheet = np.zeros((rows * _CELL, columns * _CELL), np.uint8)
    figure, axes = _figure(columns * _CELL / 50, rows * _CELL / 50)
    for place, index in enumerate(chosen):
        top, left = divmod(place, columns)
        y, x = top * _CELL + 6, left * _CELL + 3
        sheet[y : y + SIDE, x : x + SIDE] = part.images[index]
        colour = "black" if pencil else "white"
        axes.text(x, y - 1, str(part.labels[index]), fontsize=6, color=colour, family="monospace")
    axes.imshow(255 - sheet if pencil else sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    _save(figure, path)


def draw_learning_curve(history: History, path: Path) -> None:
    """Draw the training loss per epoch, and the share of validation digits read wrong where it was looked at."""
    figure, axes = _figure(7, 4)
    epochs = range(1, len(history.train_loss) + 1)
    axes.semilogy(epochs, history.train_loss, color="tab:blue", label="training loss")
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    errors = axes.twinx()
    wrong = [100 * (1 - share) for share in history.validation_accuracy]
    errors.semilogy(history.looked_at, wrong, "o-", color="tab:orange", label="validation")
    errors.set_ylabel("validation digits read wrong, %")
    lines = [*axes.get_lines(), *errors.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines])
    _save(figure, path)


def draw_confusion(confusion: NDArray[np.int64], path: Path) -> None:
    """Draw the confusion matrix (row = label, column = answer), coloured by the mistakes alone."""
    figure, axes = _figure(5.5, 5.5)
    mistakes = confusion - np.diag(np.diag(confusion))
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, int(mistakes.max())))
    for label, answer in np.ndindex(confusion.shape):
        axes.text(answer, label, str(confusion[label, answer]), ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(confusion)))
    axes.set_yticks(range(len(confusion)))
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    _save(figure, path)


def draw_filters(weights: NDArray[np.float32], path: Path, columns: int = 8) -> None:
    """
    Draw the filters of the first layer, (filters, 1, rows, columns): red adds ink's weight, blue takes it away.

    One scale for all, symmetric about 0, so that filters can be compared.
    """
    filters = weights[:, 0]
    count, height, width = filters.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index, kernel in enumerate(filters):
        top, left = divmod(index, columns)
        y, x = top * (height + 1), left * (width + 1)
        sheet[y : y + height, x : x + width] = kernel
    figure, axes = _figure(columns * 0.9, rows * 0.9)
    bound = float(np.abs(filters).max())
    axes.imshow(sheet, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    axes.set_axis_off()
    _save(figure, path)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    return figure, figure.add_subplot()


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
