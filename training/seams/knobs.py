"""Every knob of training the seam network on one page, each with its why."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class StringKnobs:
    """How strings of touching digits are composed."""

    counts: tuple[float, ...] = (0.12, 0.33, 0.27, 0.16, 0.12)  # shares of strings of one digit, two, ...
    heights: tuple[float, float] = (18.0, 64.0)  # of a digit, in pixels: what a page is looked at with
    slant: float = 0.15  # of the hand, columns per row, a standard deviation
    aspects: tuple[float, float] = (0.8, 1.15)  # of the hand: narrow and broad digits
    size: float = 0.35  # by how much less the smallest digit of the worst string is tall
    offset: float = 0.15  # by how much digits of the worst string leave their line, in digit heights
    pen: float = 0.1  # digits of one string are within this share of all, by the width of their strokes
    farther: float = 0.12  # by how much digits lie on each other beyond touching, in digit heights at most,
    farther_share: float = 0.45  # and how often
    gap_share: float = 0.15  # how often a pixel or two of paper are between them, which blur may close
    blur_share: float = 0.5  # a photo out of focus, a picture enlarged
    gamma: float = 0.4  # soft and hard edges
    noise: float = 0.06  # its standard deviation at most
    thresholds: tuple[float, float] = (0.25, 0.45)  # from where on there is ink
    lower: float = 0.78  # a line's height may be that of a lower blob
    seam: float = 0.035  # ink within this distance of both digits, in digit heights, is their seam


@dataclass(frozen=True)
class SeamKnobs:
    """How the seam network is trained."""

    seed: int = 1
    strings: int = 16_000  # composed once; more say little more
    epochs: int = 6
    batch_size: int = 32
    learning_rate: float = 0.006  # the peak
    warm_up: float = 0.2
    weight_decay: float = 1e-4
    average_steps: float = 330.0  # horizon of the moving average of weights that is kept
    classes_share: float = 0.5  # of the loss that asks whose ink it is: who knows the digits sees where one ends
    seam_weight: float = 3.0  # seams are a fiftieth of the ink
    paper_weight: float = 0.05  # what lies beside the ink is never cut for anything
    channels: tuple[int, int, int] = (16, 32, 48)  # filters by how often the picture was halved
    precision: str = "auto"  # bfloat16 where the processor multiplies it
    composed: StringKnobs = field(default_factory=StringKnobs)
