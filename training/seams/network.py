"""
The PyTorch module that learns where digits touch.

The picture is halved three times and enlarged again beside what was seen before (Ronneberger, Fischer and Brox,
"U-Net", 2015), so that every pixel knows of the digits around it.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from training.networks.structure import CLASS_COUNT


def _block(channels: int, filters: int, stride: int = 1, spread: int = 1, size: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(channels, filters, size, stride, padding=spread, dilation=spread, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), nn.ReLU())


class SeamNetwork(nn.Module):
    """
    From pictures of blobs to how likely every pixel lies on a seam, as a logit, and whose ink it is.

    channels: filters after each halving

    >>> import torch
    >>> seam, classes = SeamNetwork((4, 8, 8))(torch.zeros(2, 1, 32, 64))
    >>> seam.shape, classes.shape
    (torch.Size([2, 1, 32, 64]), torch.Size([2, 10, 16, 32]))
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        c1, c2, c3 = channels
        # Most of the work would be done before the first halving, so it comes first.
        self.down1 = nn.Sequential(_block(1, c1, 2, size=4), _block(c1, c1))
        self.down2 = nn.Sequential(_block(c1, c2, 2), _block(c2, c2))
        self.down3 = nn.Sequential(_block(c2, c3, 2), _block(c3, c3), _block(c3, c3, spread=2), _block(c3, c3))
        self.side2, self.side1 = nn.Conv2d(c3, c2, 1), nn.Conv2d(c2, c1, 1)
        self.up2, self.up1 = _block(c2, c2), _block(c1, c1)
        self.seam = nn.Conv2d(c1, 4, 3, padding=1)  # of each of four pixels
        self.classes = nn.Conv2d(c1, CLASS_COUNT, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """pictures: (count, 1, rows, columns), 0 to 1, both multiples of 8 -> logits (count, 1, rows, columns)."""
        first = self.down1(pictures)
        second = self.down2(first)
        x = self.up2(second + _doubled(self.side2(self.down3(second))))
        x = self.up1(first + _doubled(self.side1(x)))
        return nn.functional.pixel_shuffle(self.seam(x), 2), self.classes(x)


def _doubled(maps: Tensor) -> Tensor:
    return nn.functional.interpolate(maps, scale_factor=2.0, mode="nearest")
