"""
Every knob of training on one page, each with its why.

Chosen on the validation part alone. `python -m training train --help` lists those that a command line can turn.
"""

from dataclasses import asdict, dataclass, field, replace

from training.networks.structure import Conv, Pool, Structure

STRUCTURES = {
    # A wide first look and an early pooling: three quarters of the work is gone before the second layer starts.
    "digits": Structure(
        (
            Conv(16, (5, 5)),  # 24 x 24
            Pool(),  # 12 x 12
            Conv(28, (3, 3)),  # 10 x 10
            Conv(28, (3, 3)),  # 8 x 8
            Pool(),  # 4 x 4
            Conv(28, (3, 3), pads=(1, 1)),  # 4 x 4
        )
    ),
    # The same within the 5,994 weights of the ONNX Model Zoo's network; a third of them belong in the head.
    "tiny": Structure(
        (
            Conv(8, (5, 5)),
            Pool(),
            Conv(12, (3, 3)),
            Conv(12, (3, 3)),
            Pool(),
            Conv(12, (3, 3), pads=(1, 1)),
        )
    ),
    # The lecture's own: 20 filters of 7 x 7 with stride 2 see 11 x 11 patches.
    "lecture": Structure((Conv(20, (7, 7), (2, 2), activation="tanh"), Pool())),
}

DESCRIPTIONS = {
    "digits": "Reads one handwritten digit; the default.",
    "tiny": "Reads one handwritten digit with the weight budget of the ONNX Model Zoo's network.",
    "quick": "Trained in seconds to 99 %, to show how little it takes.",
    "lecture": "The lecture's network: one layer of 20 filters of 7 x 7 with stride 2, tanh, pooling, softmax.",
}


PURPOSES = {
    "digits": "Reads one handwritten digit, on any picture that the normaliser brings to 28 x 28; the one to use.",
    "tiny": "Reads one handwritten digit where a quarter of the weights is all there is room for.",
    "lecture": "Shows in a lesson how one layer of filters reads a digit; made to be looked into, not to be best.",
    "quick": "Shows how little training it takes to read 99 %.",
}
WATCHED = ("lecture",)  # networks whose training is kept step by step, to be looked at


@dataclass(frozen=True)
class WarpKnobs:
    """How far a training image may be bent; people's hands differ more than MNIST's writers do."""

    rotate_degrees: float = 15.0  # people lean their digits; beyond 20 a 1 starts to be a slash and a 7 a 1
    scale: float = 0.12  # per axis, on top of the common one: tall and wide hands
    common_scale: float = 0.10  # a box that the normaliser measured too large or too small
    shear: float = 0.25  # slant, as rows move per row
    shift_pixels: float = 1.5  # the centre of mass moves when a stroke is thick or a speck is left
    bend_pixels: float = 0.6  # slow sine waves through rows and columns: a wobbly line
    thick_share: float = 0.15  # markers
    thin_share: float = 0.15  # hairlines
    gamma: float = 0.35  # soft and hard edges, as exponent exp(-g) to exp(g): scanners and screens differ
    faint_share: float = 0.15  # a pale pen
    blur_share: float = 0.15  # a photo out of focus, a digit enlarged from few pixels
    noise_share: float = 0.10  # grain that a normaliser left
    noise: float = 0.08  # its standard deviation at most
    coarse_share: float = 0.0  # pictures of few pixels, enlarged; a digit of 20 pixels had 7 to 13


@dataclass(frozen=True)
class Knobs:
    """How a network is trained."""

    seed: int = 1  # of weights, warps and the order of batches; two runs with one seed on one machine agree
    epochs: int = 32  # six to nine minutes on two cores; the rate ends at 0 whatever this is, more epochs still help
    batch_size: int = 250  # 200 steps per epoch; two cores are no faster per image with more
    learning_rate: float = 0.01  # the peak; batch norm and Adam bear it, and a short run needs it
    warm_up: float = 0.25  # share of the steps on which the rate climbs
    weight_decay: float = 1e-4  # keeps filters small that batch norm would let grow
    label_smoothing: float = 0.0  # calibration by temperature does its work better
    average_steps: float = 400.0  # horizon of the moving average of weights that is kept
    average: bool = True  # an average of the last two epochs errs less than any one moment
    precision: str = "auto"  # bfloat16 where the processor multiplies it (twice as fast), else float32
    validate_every: int = 5  # epochs between two looks at the validation part
    distil_temperature: float = 3.0  # softens a teacher's answer, so that its second thoughts are heard
    distil_share: float = 0.9  # weight of the teacher's answer against the label's
    warps: WarpKnobs | None = field(default_factory=WarpKnobs)  # None: the images as they are

    def with_(self, **changes: object) -> "Knobs":
        """
        Return a copy with some knobs turned.

        >>> Knobs().with_(seed=7).seed
        7
        """
        return replace(self, **changes)  # type: ignore[arg-type]

    def as_recipe(self) -> dict[str, object]:
        """Return the knobs as the passport's `recipe`."""
        return asdict(self)


# Narrow where the maps are large and wide where they are small: the most accuracy per second of several tried.
QUICK_STRUCTURE = Structure((Conv(8, (5, 5)), Pool(), Conv(24, (3, 3)), Pool(), Conv(48, (3, 3))))
QUICK_IMAGES = 37_500  # shown in an epoch: one and a half times all of them in the end; once all stays below 99 %
QUICK = Knobs(
    epochs=2,
    batch_size=128,  # more steps per epoch count more than faster ones
    learning_rate=0.03,
    average_steps=50.0,  # an eighth of an epoch; a longer memory still knows the beginning
    validate_every=100,  # looking takes time and changes nothing
    warps=None,  # hardly an image is seen twice
)
# Seconds on two quiet cores (an AMD EPYC of 2024, which multiplies bfloat16), all in all.
TAKES = {"digits": 164, "quick": 8}

TEACHERS = {
    # Wider nets of the students' own kind, each with a different eye, so that their errors differ.
    "wide": Structure(
        (Conv(32, (5, 5)), Pool(), Conv(64, (3, 3)), Conv(64, (3, 3)), Pool(), Conv(96, (3, 3), pads=(1, 1)))
    ),
    "round": Structure(
        (
            Conv(24, (3, 3)),
            Conv(32, (3, 3)),
            Pool(),
            Conv(64, (3, 3), pads=(1, 1)),
            Pool(),
            Conv(96, (3, 3), pads=(1, 1)),
            Conv(96, (3, 3)),
        )
    ),
    "broad": Structure((Conv(32, (5, 5)), Pool(), Conv(64, (5, 5)), Pool(), Conv(128, (3, 3), pads=(1, 1)))),
}


@dataclass(frozen=True)
class StudentKnobs:
    """How one of the shipped networks learns from the teachers' answers."""

    epochs: int
    learning_rate: float = 0.01
    distil_temperature: float = 3.0
    light_from: float = 1.0  # share of the epochs after which the pool's light copies alone are shown
    variants: int = 0  # digits with a stroke more in every epoch
    polished: bool = False
    # What is kept are weights between those before and after (Wortsman et al. 2022): most is gained, little is lost.
    polish_share: float = 0.5
    polish_variants: int = 2500  # digits with a stroke more (variants.py) in an epoch of it
    polish_epochs: int = 14
    # The student whose seeds, when all are done, answer the late copies beside the teachers. Each is polished on those.
    begins_as: str | None = None
    form: str | None = None  # the name of its structure, where that is not its own
    ships: int | None = None  # the seed, where more was asked of it than to be best on the validation part
    ships_as: str = ""  # what then was asked


# Half of the warps' bounds and less, for networks with too few weights for all hands: a light copy is nearly MNIST.
LIGHT_WARPS = WarpKnobs(
    rotate_degrees=7.0,
    scale=0.06,
    common_scale=0.04,
    shear=0.12,
    shift_pixels=0.8,
    bend_pixels=0.4,
    thick_share=0.08,
    thin_share=0.08,
    gamma=0.2,
    faint_share=0.05,
    blur_share=0.05,
    noise_share=0.03,
)


# What comes out of poor pictures: grain, and few pixels.
ROUGH_WARPS = WarpKnobs(noise_share=0.15, noise=0.16, coarse_share=0.15)


STUDENTS = {
    # What digits begins as. It reads 95 % of all hands where one polished beside 2,500 of the older ones read 88.
    "first": StudentKnobs(epochs=60, polished=True, polish_share=0.7, polish_variants=4200, form="digits"),
    # A share of 0.3 keeps what the first one reads of the validation part (0.5 and all of the way cost .01 and .03
    # points), and gives half of what can be had in other hands and of spoilt digits. Without the light copies it cost
    # more.
    "digits": StudentKnobs(
        epochs=60,
        begins_as="first",
        polish_epochs=12,
        polish_share=0.3,
        polish_variants=1500,
        ships=2,
        ships_as="the best on the validation part among those of five that read spoilt digits of it, and other "
        "people's handwriting, no worse than the network before",
    ),
    # Chosen on the validation part, of networks of 40 and 120 epochs: its form reads as well as six others of as many
    # weights, wider or deeper ones. What helps are epochs (40 to 120: .1 points of warped copies), light copies for the
    # second half of them, and other hands from the start: 95 % of those, and nothing is lost of MNIST's.
    "tiny": StudentKnobs(epochs=180, light_from=0.5, variants=1500),
    "lecture": StudentKnobs(epochs=60, learning_rate=0.02, distil_temperature=1.0, light_from=0.5, variants=1000),
}


@dataclass(frozen=True)
class StudyKnobs:
    """How the shipped networks are made: teachers, their answers to a pool of warps, then students, seed by seed."""

    teachers: tuple[tuple[str, int], ...] = (("round", 11), ("wide", 12))
    teacher: Knobs = Knobs(epochs=20)  # they learn in fewer epochs, having room to spare
    pool_copies: int = 12  # warped copies of the training part; each image is then seen in as many ways
    pool_warps: WarpKnobs = WarpKnobs()
    pool_seed: int = 99  # of the warps in the pool
    light_copies: int = 8  # after those, in the same pool
    light_warps: WarpKnobs = LIGHT_WARPS
    light_seed: int = 98
    rough_copies: int = 6  # after those, and shown by turns with the next ones: the late copies
    rough_warps: WarpKnobs = ROUGH_WARPS
    rough_seed: int = 97
    clear_copies: int = 4  # light as well
    clear_seed: int = 96
    students: dict[str, StudentKnobs] = field(default_factory=lambda: STUDENTS)
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    student: Knobs = Knobs(validate_every=10)
    # Some then learn a short time more, beside other ways of writing; who learns those from the start learns less.
    polish: Knobs = Knobs(learning_rate=0.003, validate_every=14)
