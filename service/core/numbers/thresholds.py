"""
Every threshold of reading several digits on one page, each with its why.

Lengths are pixels of the picture that is worked on, shares of a digit's height, or shares of the page, as said. They
were chosen on strings composed by a seed (`tests/composing.py`) and on pictures of other people's numbers, by what
`python -m tests.reading_numbers` prints.
"""

# --- sizes ------------------------------------------------------------------------------------------------------------

# Pixels that a page is first looked at with: digits of a usual page are then as tall as MNIST's, or taller.
FIRST_LOOK = 420_000
# Pixels of the closer look at a page of small digits.
CLOSER_LOOK = 2_600_000
# Digits that are lower, in pixels, are worth the closer look.
TOO_LOW = 26
# The ground is judged on a copy of the page of this many pixels a side.
GROUND_SIDE = 128
# A digit is handed to the normaliser in a picture of at most this many pixels a side.
DIGIT_SIDE = 46

# --- ground and ink ---------------------------------------------------------------------------------------------------

# A drawing has its ground on one exact level, over at least this share of the page.
CLEAN_GROUND = 0.4
# Paper's level is the mean of what lies this near it, in times its noise.
PAPER_NEAR = 2.5
# How often the ground is judged anew without what the last judgement took for ink; a further round changes little.
GROUND_ROUNDS = 3
# Light is even within this share of the page.
GROUND_WINDOW = 0.22
# What is narrower than this share of the page may be a stroke; what is broader is ground, as a shadow is.
STROKE_PART = 0.1
# Levels that differ by less are no ink, whatever the noise.
FAINTEST = 4 / 255
# Ink is this many times stronger than paper's noise,
NOISE_TIMES = 4.5
# and has this share of the level of strokes.
INK_SHARE = 0.33
# Paper darker than this is not divided by: noise would become ink.
DARKEST_PAPER = 0.05

# --- rules and frames -------------------------------------------------------------------------------------------------

# A piece this many times as long as digits are tall, or of this share of the page, may hold lines.
LINED_TIMES, LINED_PART = 1.3, 0.3
# A line is this many times as long as digits are tall; a stroke of a digit is shorter.
LINE_TIMES = 1.2
# Without level lines that it is between, an upright one is this many times as long as digits are tall.
UPRIGHT_TIMES = 2.2
# A piece of a broken line is this many times as long as thick, and this long, in pixels; a page without longer ones is
# only looked at if it has so many of them.
DASHED, DASH_LENGTH, DASHES = 5, 6, 6
# Without digits beside it to know their height by: this share of the shorter side of the piece.
LINE_PART = 0.55
# A line is as thick as the piece's strokes, or this many times that.
LINE_THICK = 1.7
# A level line thicker than this share of a digit's height is this many times as long as that.
STROKE_THICK, STROKE_LONG = 0.15, 4.7
# The upright sides of cells have at least this share of the distance between the level ones, and are at most so many
# times as thick: a one that reaches from rule to rule is thicker.
CELL_SIDE, SIDE_THICK = 0.85, 2.6
# A broken side may end before a level line by this share of that distance.
BROKEN_END = 0.3
# A line shows between the strokes that cross it in pieces of this share of a digit's height,
SEED = 0.3
# or, where that is not known, so many times as long as thick,
SEED_TIMES = 2.5
# of which so many are tried, the longest first,
SEEDS = 300
# and there is ink along this share of it.
COVERED = 0.8
# counting ink from this level on: a line may be pale.
FAINT_LINE = 0.12
# Ink that is stronger than a line by this much is a stroke.
CROSSED = 0.25
# A line rises by at most this share of its length.
LINE_SLOPE = 0.14

# What is left of a broken line has this share of its ink on it, or this near, in pixels.
REST_SHARE, REST_OFF = 0.75, 2.0
# Beside lines an upright hair, less wide than this share of a digit's height, is of one that was not found.
HAIR = 0.04
# A broken level line may go on for so many digit heights.
GOES_ON = 2.0
# So many sides of cells tell where others are wanted, to this share of a cell's width, up to so many cells off;
EVEN_SIDES, SIDE_OFF, SIDES_MISSED = 3, 0.04, 2
# where steps between them are even to within this share, at least so large a share of them.
UNEVEN, MOSTLY_EVEN = 0.15, 0.6

# --- cells ------------------------------------------------------------------------------------------------------------

# Cells are this many digit heights tall at least and at most, and wide at least.
CELL_LEAST, CELL_MOST, CELL_NARROW = 0.9, 4.0, 0.4
# What is less than this share of the tallest thing in a cell is a crumb.
CELL_CRUMB = 0.35

# --- pieces -----------------------------------------------------------------------------------------------------------

# The height of digits is told by pieces with this share of the ink at least.
TELLING = 0.3
# Pieces for each digit that there may be, specks and dots of rules with them; a page of more is noise.
SPECKS = 20
# A piece whose longer side is less than this share of a digit's height is a speck; less than this a point.
SPECK, POINT = 0.13, 0.3
# A dash is lower than this share of a digit's height, and this many times as wide as tall.
DASH_LOW, DASH_FLAT = 0.3, 1.5
# A comma is shorter than this share of a digit's height, this many times as tall as wide, and reaches below the foot of
# the digits beside it by a share of their height; above it, it reaches less far.
COMMA, COMMA_SLIM, COMMA_BELOW, COMMA_ABOVE = 0.5, 1.1, 0.08, 0.25
# Shapes that are one digit share this much of the narrower's width,
OVER = 0.3
# or lie this near, in digit heights, and one of them has at most this share of a digit's height;
PART_NEAR, PART_LOW = 0.2, 0.8
# together they are at most this many times as tall as a digit, and so many in number.
TALLEST, PIECES = 1.5, 3

# --- what a reading costs, in natural logarithms of odds --------------------------------------------------------------

# Of a digit, whatever it is: fewer digits are likelier than more.
DIGIT = 0.05
# Of a network that is not sure, for each e-fold of its confidence.
UNSURE = 2.0
# Of a blob that the network finds strange, for each e-fold of the odds, which say no more beyond STRANGEST.
STRANGE, STRANGEST = 0.5, 8.0
# What several blobs are together must look like one digit: odds of its strangeness are so many e-folds higher.
STRANGE_APART = 2.9
# Of a digit lower than a share of its line's height (a part that was cut out: than another), or wider.
LOW, LOW_FROM, PART_LOW_FROM = 6.0, 0.55, 0.7
WIDE, WIDE_FROM = 4.0, 1.25
# Of a digit taller than so many times its line's height.
TALL, TALL_FROM = 4.0, 1.7
# Of what the normaliser makes nothing of.
UNUSABLE = 9.0
# Of a blob of a digit's size that is read as none, for each usual width of a digit, in digit heights.
NO_DIGIT, USUAL_WIDTH = 2.5, 1.2
# Of one that was cut up: what its digits would bear of seams, at most so much for each of these widths.
NO_DIGIT_SEAMS = 3.0
# Of a point or dash that is read as such.
MARK = 0.3
# Of cutting a blob, and of ink that is left over then: so much, and so much for each square of a digit's height.
CUT, LOST, LOST_INK = 0.1, 0.6, 40.0

# Of a part whose ink is another digit's in the eyes of who sees all of the blob: for each e-fold of the share that is
# the digit's, which says no more below the least.
WHOSE, LEAST_WHOSE = 1.0, 0.02
# Of ink that a cut goes through beside seams, for each digit height; and of a seam within a digit, the less the more
# ink is on it that is none.
CUT_INK, UNCUT, UNCUT_INK = 1.0, 1.0, 0.08
# Of pieces of one digit that lie apart, for each digit height between them.
APART = 2.0
# Of a digit with the piece of a rule that it stands on, which is its foot then.
RESTORED = 0.2
# Of a stroke that two digits share; it is at most this wide, in digit heights.
SHARED, SHARED_WIDTH = 1.2, 0.3

# A reading of the wanted length is taken where it costs at most so much more than the best.
LENGTH = 6.0

# --- cuts -------------------------------------------------------------------------------------------------------------

# A blob broader than this, in digit heights, is cut where reading it as one digit costs more than this; a narrow one,
# of which few are two digits, where it costs more.
CUT_FROM, CUT_BROAD = 0.45, 0.85
CUT_COST, CUT_COST_NARROW = 0.45, 1.0
# One that is wider or taller than this is no number.
CUT_WIDEST, CUT_TALLEST = 14.0, 3.0
# A part is at most this wide, and at least this tall, in digit heights.
WIDEST, LOWEST = 1.25, 0.55
