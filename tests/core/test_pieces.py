"""Connected pieces: those that SciPy finds, in a few times the memory of their mask."""

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from service.core.digit.pieces import joined, painted, pieces_of


def snake(side, every):
    """One line that goes down and up all columns: its runs join at the ends alone."""
    mask = np.zeros((side, side), bool)
    mask[:, ::every] = True
    for turn, left in enumerate(range(0, side - every, every)):
        mask[-1 if turn % 2 == 0 else 0, left : left + every] = True
    return mask


def combs(side, every):
    """Columns that hang together below: each is told from the next until the last row."""
    mask = np.zeros((side, side), bool)
    mask[:, ::every] = True
    mask[-1] = True
    return mask


def chevrons(side, every):
    down, across = np.mgrid[:side, :side]
    return (down + abs(across - side // 2)) % every == 0


def noise(side, share):
    return np.random.default_rng(side).random((side, side)) < 1 / share


SHAPES = {
    f"{make.__name__} {side} {every}": (make, side, every)
    for make in (chevrons, combs, noise, snake)
    for side in (1, 2, 7, 65)
    for every in (2, 3, 5)
}


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("name", SHAPES)
def test_pieces_are_those_that_scipy_finds(name, turns):
    make, side, every = SHAPES[name]
    mask = np.rot90(make(side, every), turns)[:, : max(1, side - turns)]
    found, (labels, count) = pieces_of(mask), ndimage.label(mask, np.ones((3, 3)))
    assert len(found.area) == count
    boxes = ndimage.find_objects(labels)
    assert {
        (int(area), int(top), int(bottom), int(left), int(right))
        for area, top, bottom, left, right in zip(
            found.area, found.top, found.bottom, found.left, found.right, strict=True
        )
    } == {
        (int((labels == index + 1).sum()), rows.start, rows.stop, columns.start, columns.stop)
        for index, (rows, columns) in enumerate(boxes)
    }
    for index in range(min(count, 3)):
        drawn = painted(found, np.arange(count) == index, mask.shape)
        assert len(np.unique(labels[drawn])) == 1
    if count:
        whole = joined(found, np.zeros(count, np.intp), mask.shape)
        assert (whole.area.tolist(), len(whole.label)) == ([int(mask.sum())], len(found.label))


@pytest.mark.parametrize("make", [chevrons, combs, snake, noise])
def test_the_memory_of_pieces_is_a_few_times_that_of_a_mask(make):
    mask = make(800, 2)
    tracemalloc.start()
    try:
        pieces_of(mask)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * mask.size  # bytes
