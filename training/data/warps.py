"""
Augmentation by warps: a whole batch of digits bent at once, each in its own way.

One affine grid per image (rotation, scale, slant, shift, a slow wave), then stroke width, edge softness, blur, contrast
and grain for a share of them. What is drawn is drawn from a seed, so that a copy of the training part can be made again
anywhere: a teacher's answers to it can be kept without the pictures.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its customary name

from training.data.mnist import LabelledDigits
from training.knobs import WarpKnobs

_BATCH = 1000
_FEWEST, _MOST = 10, 18  # pixels of a coarse grid, up and down, where a picture had 28


@dataclass(frozen=True)
class Warps:
    """
    One warp per image, every field a tensor whose first axis is the image; see `no_warps` for the identity.

    matrix: (count, 2, 2) and offset: (count, 2) in pixels, (x, y), map a place in the warped picture, seen from the
    picture's middle, to the place in the original that it shows. wave: (count, 2, 3): amplitude in pixels, angular
    frequency per pixel and phase of the wave that moves x along y, and y along x. stroke: -1 hairline to 1 marker.
    gamma: exponent. ink: height of full ink. blur: 0 sharp to 1. noise: standard deviation. coarse: side of the grid
    that the picture went through, in pixels; 0, through none.
    """

    matrix: Tensor
    offset: Tensor
    wave: Tensor
    stroke: Tensor
    gamma: Tensor
    ink: Tensor
    blur: Tensor
    noise: Tensor
    coarse: Tensor

    def __getitem__(self, chosen: slice) -> "Warps":
        return Warps(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def __len__(self) -> int:
        return len(self.stroke)


def no_warps(count: int) -> Warps:
    """Return warps that change nothing."""
    return Warps(
        matrix=torch.eye(2).expand(count, 2, 2),
        offset=torch.zeros(count, 2),
        wave=torch.zeros(count, 2, 3),
        stroke=torch.zeros(count),
        gamma=torch.ones(count),
        ink=torch.ones(count),
        blur=torch.zeros(count),
        noise=torch.zeros(count),
        coarse=torch.zeros(count, dtype=torch.int64),
    )


def draw_warps(count: int, knobs: WarpKnobs, generator: torch.Generator) -> Warps:
    """Draw one warp per image, every amount even between its bounds."""

    def even(bound: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=generator) * 2 - 1) * bound

    def for_a_share(share: float) -> Tensor:
        amount = torch.rand(count, generator=generator)
        return amount * (torch.rand(count, generator=generator) < share)

    matrix = _affine(
        angle=even(math.radians(knobs.rotate_degrees)),
        scale=torch.exp(even(knobs.common_scale)[:, None] + even(knobs.scale, 2)),
        shear=even(knobs.shear),
    )
    waves = torch.stack(
        [
            even(knobs.bend_pixels, 2),
            2 * math.pi / (14 + 14 * torch.rand(count, 2, generator=generator)),
            even(math.pi, 2),
        ],
        dim=2,
    )
    return Warps(
        matrix=matrix,
        offset=even(knobs.shift_pixels, 2),
        wave=waves,
        stroke=for_a_share(knobs.thick_share) - for_a_share(knobs.thin_share),
        gamma=torch.exp(even(knobs.gamma)),
        ink=1 - 0.5 * for_a_share(knobs.faint_share),
        blur=for_a_share(knobs.blur_share),
        noise=knobs.noise * for_a_share(knobs.noise_share),
        # Drawn last, and for those alone who ask: copies that others keep stay what they are.
        coarse=_grids(count, knobs.coarse_share, generator),
    )


def _grids(count: int, share: float, generator: torch.Generator) -> Tensor:
    """Draw the side of each picture's grid, 0 for none."""
    if share == 0:
        return torch.zeros(count, dtype=torch.int64)
    sides = torch.randint(_FEWEST, _MOST + 1, (count,), generator=generator)
    return sides * (torch.rand(count, generator=generator) < share)


def warp(images: Tensor, warps: Warps, generator: torch.Generator) -> Tensor:
    """
    Bend each image by its own warp; `generator` draws the grain.

    images: (count, 1, rows, columns) float32, 0 = paper, 1 = ink   returns: the same shape, 0 to 1

    >>> digit = torch.rand(1, 1, 28, 28)
    >>> bool(torch.allclose(warp(digit, no_warps(1), torch.Generator()), digit, atol=1e-5))
    True
    """
    images = F.grid_sample(images, _grid(warps, images.shape[2], images.shape[3]), align_corners=False)
    images = _where(warps.stroke != 0, images, _stroke_width, warps.stroke)
    images = _where(warps.blur != 0, images, _blur, warps.blur)
    for side in range(_FEWEST, _MOST + 1):
        images = _where(warps.coarse == side, images, _through_a_grid, warps.coarse)
    images = images.clamp(1e-6, 1) ** _per_image(warps.gamma) * _per_image(warps.ink)
    images = _where(warps.noise != 0, images, lambda those, amount: _grain(those, amount, generator), warps.noise)
    return images.clamp(0, 1)


def warped_copy(images: Tensor, knobs: WarpKnobs, seed: int) -> Tensor:
    """
    Return one warped copy of a whole part, the same for the same seed.

    images: (count, 1, 28, 28) uint8   returns: (count, 1, 28, 28) uint8, the 256 levels a served picture has
    """
    generator = torch.Generator().manual_seed(seed)
    warps = draw_warps(len(images), knobs, generator)
    return torch.cat([_as_bytes(warp(batch, its, generator)) for batch, its in _batches(images, warps)])


def warped_digits(part: LabelledDigits, seed: int) -> LabelledDigits:
    """Return the part, every digit warped as in training."""
    return LabelledDigits(warped_pictures(part.images, seed), part.labels)


def warped_pictures(pictures: NDArray[np.uint8], seed: int, knobs: WarpKnobs | None = None) -> NDArray[np.uint8]:
    """Return the pictures, each warped as `knobs` say, or else as digits are in training: (count, 28, 28)."""
    copy = warped_copy(torch.from_numpy(pictures.copy())[:, None], knobs or WarpKnobs(), seed)
    return np.asarray(copy[:, 0].numpy())


def _batches(images: Tensor, warps: Warps) -> Iterator[tuple[Tensor, Warps]]:
    for start in range(0, len(images), _BATCH):
        chosen = slice(start, start + _BATCH)
        yield images[chosen].float() / 255, warps[chosen]


def _as_bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)


def _per_image(amount: Tensor) -> Tensor:
    return amount[:, None, None, None]


def _affine(angle: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """Return (count, 2, 2): the picture is scaled by `scale` (x, y), slanted, then turned; the matrix leads back."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn_back = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)
    one, zero = torch.ones_like(shear), torch.zeros_like(shear)
    slant_back = torch.stack([torch.stack([one, -shear], 1), torch.stack([zero, one], 1)], 1)
    return torch.diag_embed(1 / scale) @ slant_back @ turn_back


def _grid(warps: Warps, rows: int, columns: int) -> Tensor:
    """Return where each place of the warped picture looks, (count, rows, columns, 2), in grid_sample's -1 to 1."""
    x = torch.arange(columns) - (columns - 1) / 2
    y = torch.arange(rows) - (rows - 1) / 2
    (xx, xy), (yx, yy) = (row.unbind(1) for row in warps.matrix[..., None, None].unbind(1))
    to_x, to_y = warps.offset[..., None, None].unbind(1)
    wave_y, wave_x = (wave.unbind(1) for wave in warps.wave[..., None].unbind(1))
    moved_x = x * xx + y[:, None] * xy + to_x + _sine(wave_y, y)[:, :, None]
    moved_y = x * yx + y[:, None] * yy + to_y + _sine(wave_x, x)[:, None, :]
    return torch.stack([moved_x * (2 / columns), moved_y * (2 / rows)], dim=3)


def _sine(wave: Sequence[Tensor], along: Tensor) -> Tensor:
    """Return the wave's height at each place, (count, places); wave: amplitude, frequency, phase, each (count, 1)."""
    amplitude, frequency, phase = wave
    return amplitude * torch.sin(frequency * along + phase)


def _where(chosen: Tensor, images: Tensor, change: Callable[[Tensor, Tensor], Tensor], amount: Tensor) -> Tensor:
    """Change the chosen images alone: most of these changes are for a few images of a batch."""
    if not bool(chosen.any()):
        return images
    images = images.clone()
    images[chosen] = change(images[chosen], _per_image(amount[chosen]))
    return images


def _stroke_width(images: Tensor, stroke: Tensor) -> Tensor:
    """Move towards the strongest neighbour (thick) or the weakest (thin); a thinned stroke keeps its darkest ink."""
    thick = torch.maximum(F.max_pool2d(images, (3, 1), 1, (1, 0)), F.max_pool2d(images, (1, 3), 1, (0, 1)))
    thin = -torch.maximum(F.max_pool2d(-images, (3, 1), 1, (1, 0)), F.max_pool2d(-images, (1, 3), 1, (0, 1)))
    thinned = images - stroke * (thin - images)
    peak, left = images.amax((2, 3), keepdim=True), thinned.amax((2, 3), keepdim=True)
    thinned = (thinned * peak / left.clamp(min=0.25)).clamp(max=1)
    return torch.where(stroke < 0, thinned, images + stroke * (thick - images))


def _blur(images: Tensor, amount: Tensor) -> Tensor:
    """Move towards the image under the 5 x 5 binomial kernel, whose standard deviation is one pixel."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    across = F.conv2d(images, row.view(1, 1, 1, 5), padding=(0, 2))
    return images + amount * (F.conv2d(across, row.view(1, 1, 5, 1), padding=(2, 0)) - images)


def _through_a_grid(images: Tensor, sides: Tensor) -> Tensor:
    """Average down to a grid of one side, the same for all, and enlarge again, as the normaliser enlarges."""
    side, shape = int(sides[0]), images.shape[2:]
    few = F.interpolate(images, (side, side), mode="area")
    return F.interpolate(few, tuple(shape), mode="bilinear", align_corners=False)


def _grain(images: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    return images + amount * torch.randn(images.shape, generator=generator)
