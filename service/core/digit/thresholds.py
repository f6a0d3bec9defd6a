"""
Every threshold of the normaliser on one page, each with its why.

A threshold separates two things that pictures have; its comment names both. None was fitted to a network. What holds
them are the scenes of `tests/gauntlet.py` and the pictures of MNIST: `tests/core/test_digit.py` measures both.

Levels of ink are shares, 0 paper and 1 the middle of a stroke. Lengths are pixels of the picture that is worked on,
at most WORK_SIDE a side, or shares of the picture's or the digit's length, as said. Those that are compared with planes
of float32 are float32 themselves.
"""

import numpy as np

# --- sizes of pictures, in pixels -------------------------------------------------------------------------------------

# Ink is looked for at this size at most: a stroke of a digit is then still several pixels wide.
WORK_SIDE = 256
# A picture up to this side is worked on as it is; the light on a larger one is judged on a copy of this side.
SMALL = 64
# A smaller picture has so few pixels that grey is how much of one a stroke covers, never noise.
FEW = 20
# Up to this side, ink without an empty row or column is one digit: there is no room for another thing beside it.
COMPACT = 40
# A digit of less than this part of WORK_SIDE is looked at again, from nearer: its strokes may be a pixel wide.
CLOSER_BELOW = 4
# Pixels that are enough to know a picture's colours by; a larger one is sampled.
SAMPLED = 65536

# --- levels of ink ----------------------------------------------------------------------------------------------------

# Pixels whose levels differ by less have no ink: of 255 levels, JPEG alone moves one or two.
FAINTEST = 3 / 255
# From here on a pixel belongs to a stroke. Below one half, so that a stroke keeps the soft edges that join its parts.
INKED = np.float32(0.4)
# A paler part of a stroke, as a pen leaves it: it belongs where it hangs together with what has ink.
FAINTLY_INKED = np.float32(0.16)
# But where there is nearly as much of it as of the rest, it is a shadow's or the paper's.
FAINT_SHARE = 0.9
# A quarter of the broadest stroke, in pixels of what is worked on.
FAINT_REACH = 12
# From here on a pixel lies more on a stroke than beside it.
MOSTLY_INK = np.float32(0.5)
# Grey levels lie between; a picture that has none was drawn in black and white.
GREY_FROM, GREY_TO = np.float32(0.1), np.float32(0.9)

# Runs of inked pixels, as a share of all pixels: noise has a quarter, what is dithered and squared paper a twentieth.
BUSY = 1 / 8
# It is enough to look at every fourth row.
BUSY_ROWS = 4

# --- transparency -----------------------------------------------------------------------------------------------------

# A pixel shows if it is more there than not.
VISIBLE = 0.5
# Visible colours that spread by less (standard deviation, of 1) are the ink of a drawing saved without its ground;
# others contain their ground.
ONE_COLOUR = 0.15

# --- ground and ink ---------------------------------------------------------------------------------------------------

# A clean drawing has its ground on one exact level, over at least this share of the picture; paper in a photo has not.
CLEAN_GROUND = 0.4
# The other end of its levels has at most this much of what the ground has, or it could be the ground itself.
CLEAN_INK = 0.5
# So many corners of a small picture on one end of its levels say that it is the ground's, however much is ink.
GROUND_CORNERS = 3
# Of a picture of few pixels a corner is on its end although a stroke covers this much of it.
CORNER_COVERED = 0.2
# It is drawn in two levels if they have more than this share of it.
DRAWN = 0.9
# Light divides paper's level; on paper darker than this, division would make ink of noise.
DARKEST_PAPER = np.float32(0.05)
# Paper's noise is cut off at this many times its mean: most of it lies below, and little of faint strokes.
NOISE_CUT = 1.5
# But at most at this share of a stroke's level, or noisy paper would take pale strokes with it.
NOISE_CUT_MOST = 0.4
# Which of two classes is the ground: there is more of it, which counts twice, and it fills the rim. An even draw of
# both is GROUND_EVEN.
GROUND_AREA, GROUND_EVEN = 2, 1.5
# Panels are even along their length, to this share of the picture's contrast,
PANEL_EVEN = 0.1
# and differ from each other by more than this share; a shadow over paper seldom does with an edge so sharp.
PANELS_APART = 0.5
# Levels of 255. The brightest pixels of the sixteen parts of lit paper differ by less; a shadow or lamp makes more.
UNEVEN = 30
# The rim's spread is that of most of its pixels, about the middle one: a few are noise, or the end of a stroke.
RIM_SPREAD = (0.05, 0.5, 0.95)
# A share of the ground on one level that no photo of paper reaches; a drawing, or a scan in two levels, does.
ONE_LEVEL = 0.8
# A pen's strokes are narrower than a twelfth of the picture, a marker's than a fifth.
PEN_PART, MARKER_PART = 12, 5
# If less than this share of what is narrower than a marker is a pen's, thinness tells nothing.
LITTLE_THIN = 0.15
# If dark and light are thin alike, to this share, it tells nothing either.
THIN_ALIKE = 0.05
# A smooth ground is fitted this often, and what lies off it counts less each time; a further round costs a fit.
SURFACE_ROUNDS = 4
# It counts half at this many times the median distance: for Gaussian noise, that is one standard deviation.
SURFACE_SCALE = np.float32(1.5)
# Keeps a surface that fits exactly from dividing by 0.
SURFACE_LEAST = np.float32(1e-6)
# Strokes up to this share of the picture's longer side are filled to find the paper below: a marker's width.
FILLED_PART = 0.2
# A pen's are filled up to this.
PEN_FILLED = 0.08
# On the copy that light is judged on, an edge falls by more than this share of its height from pixel to pixel.
EDGE = 0.25

# --- small pictures ---------------------------------------------------------------------------------------------------

# So many lone pixels are noise; fewer may be the ends of strokes or a dot that was meant.
LONE_PIXELS = 5
# Noise lies over more than this share of the picture both ways; a raster's dots lie where the strokes are.
LONE_SPAN = 0.85
# Ranks among eight neighbours that hold a pixel: the second lowest and the second highest, so that one wrong
# neighbour decides nothing.
NEIGHBOUR_RANKS = (1, 6)
# A piece with less than this share of the largest is a crumb; the bar of a five or seven has more.
CRUMB = 0.12
# After an opening, width is measured at this level: what a hair leaves there is paler.
OPENED_INKED = np.float32(0.7)
# A hair sticks out by this many pixels at least; removing less would not be worth the edges it costs.
HAIR_LENGTH = 3
# An opening that leaves less than this share of the ink has eaten strokes, not hairs.
HAIR_LEAVES = 0.7
# An opening leaves a hair's soft edge at up to this level; it is taken off, and the rest scaled back to 1.
OPENED_GROUND, OPENED_GAIN = np.float32(0.2), np.float32(1 / 0.8)
# A line one pixel wide has twice its pixels in sides; more than this factor above is a stroke with a middle.
ONE_PIXEL_WIDE = 1.05
# Directions, of eight, in which the way out of an outline crosses an odd number of lines; half and one, against chance.
WAYS_OUT = 5
# The share of rows and columns with an even number of lines: an outline is drawn on both sides, a stroke is not.
DRAWN_TWICE = 0.5
# What an outline encloses, beside the line itself: less is the hole of an 8, more that of a 0.
ENCLOSED_FROM, ENCLOSED_TO = 0.4, 1.5
# The square of its border's length, counted in pixel sides, over its area: 16 for a square, 20 for a disc, and this for
# a strip twelve times as long as wide.
ENCLOSED_LONG = 58
# The share of an outline's pixels that border what it encloses; of a line with a loop, fewer do.
OUTLINE_BORDERS = 0.93

# --- what is not the digit --------------------------------------------------------------------------------------------

# Each round removes one thing around a digit; a table, a box and a rule can be in one picture.
ROUNDS = 4
# What touches the picture's side may miss it by this many pixels: reduction blurs a rim.
RIM = 1
# A piece is long if it spans this share of the picture's height or width,
LONG_PART = 0.5
# or this share of its shorter side, and is this many times as long as wide.
LONG_SHORT_PART, LONG_TIMES = 0.3, 3
# The picture's outer fifth: where a table's edge lies and a digit that was meant to be read does not.
RIM_PART = 5
# A strip has more than this share in the rim; of a digit that reaches a corner, more lies within.
STRIP_IN_RIM = 0.9
# A strip from side to side is less deep than this share; a digit cut off at both sides is deeper.
STRIP_DEEP = 0.25
# What is drawn beside a thing in the corner has this share of the ink there; of noise, one piece has little.
DRAWN_BESIDE = 0.5
# A box is larger than this share of the picture, and encloses something of this share of its own height.
BOX_PART, BOXED_PART = 0.3, 0.3
# Corners are looked for in a seventh of the extent, and three of four must have ink: a round digit has none.
CORNER_PART, CORNERS = 7, 3
# A piece that the picture cuts off counts this much when the largest is chosen: a whole digit beside it is meant.
CUT_OFF = 0.4
# A stroke that leaves the picture lies on its rim with less than this share of its length; a digit cut in two has more
# there.
LEAVES = 0.4
# Such a piece counts nearly as much as one that is whole.
LEAVING = 0.85
# It belongs to a digit that is whole within this share of its size: the next digit is farther.
NEAR_LEAVING = 0.2
# A piece belongs to the digit within this share of its size if it has this share of its ink (a broken stroke, a bar),
NEAR, NEAR_SHARE = 0.3, 0.08
# or within its whole size if it has this share: the second half of a digit in two.
FAR_SHARE = 0.3
# A rule is this many times as wide as tall,
FLAT_TIMES = 4
# and sticks out on both sides of the digit by this share of its width; the foot of a two does on neither.
FLAT_OUT = 0.08

# Ink is broken if no piece has more than this share of it: dots, dashes, what a raster or a lost line left.
BROKEN = 0.6
# and there are so many at least: two or three may be a digit and its line, or two digits.
BROKEN_PIECES = 4
# Its pieces are looked for at the scale that a network reads at: so many cells for the longer side of all ink.
BROKEN_CELLS = 32
# What is up to this many cells apart is one, twice over: farther is another thing.
BROKEN_REACH = 2
# They are one digit if together they have this share of the ink; less is dirt, or a page of writing.
BROKEN_WHOLE = 0.8

# --- the line that a digit stands on ----------------------------------------------------------------------------------

# The line lies in this share of the height, and is no thicker: a pen's stroke under a digit.
BASE_DEEP = 0.12
# The digit and its line must be this many pixels wide, this many bands tall, and this wide for its height: a base
# makes the whole broader than digits are.
BASE_WIDTH, BASE_BANDS, BASE_BROAD = 8, 4, 0.4
# The line's ends, whose heights tell its slope, are this share of its width.
BASE_ENDS = 0.12
# It falls or rises by less than 4 degrees; the foot of a one is drawn as it comes.
BASE_SLOPE = 0.07
# The line sticks out by this share on both sides; the foot of a one, two or seven sticks out less, or on one side.
# A two's foot may stick out by a quarter.
BASE_OUT = 0.28
# By this, where no foot is.
BASE_OUT_LEAST = 0.12
# A foot's stroke comes down into it left of this share of its width; a digit stands on a line's middle.
BASE_MIDDLE = 0.42

# --- ruled and squared paper ------------------------------------------------------------------------------------------

# Slopes that are tried, in degrees: a sheet laid down or scanned by hand is seldom turned by more. Half a
# step moves the end of a line of WORK_SIDE by less than a pixel.
RULE_SLOPES = np.arange(-6, 6.1, 0.75)
# Where a rule may be: rules are paler than strokes.
RULE_MARKED = np.float32(0.2)
# A rule must reach both ends of the picture, which are a thirty-second of its width, and 2 pixels at least.
RULE_ENDS, RULE_ENDS_LEAST = 32, 2
# A row that is marked over more than this share is a rule; a digit's bar seldom spans so much of a whole picture.
RULE_COVERS = 0.65
# On the full picture: marked at a lower level over a smaller share, as a rule is interrupted and fades.
RULE_LEVEL, RULE_ROW = np.float32(0.15), 0.4
# Rows that are covered over a 25th of the height, and 4 at least, are not a rule but a broad stroke or a shadow.
RULE_THICK, RULE_THICK_LEAST = 25, 4
# Ink darker than the rule by this much is a stroke that crosses it, and stays.
RULE_CROSSED = np.float32(0.25)
# A rule is taken off at this many times its median, since its level varies along it.
RULE_TAKEN = np.float32(1.3)
# If less than this share of the picture is ink afterwards, the rules were the digit: a one, laid down.
RULES_LEAVE = 0.002

# --- a sheet on a table -----------------------------------------------------------------------------------------------

# A sheet is at least this share of the picture on its shorter side; a stroke is narrower.
SHEET_PART = 0.15
# Its height to its width: paper is not longer than that, and a digit one is.
SHEET_FROM, SHEET_TO = 0.4, 2.5
# With what is written on it a sheet fills this share of a box laid around it; a round fills less than 0.79,
SHEET_FILLS = 0.9
# in one of these directions, in degrees: a sheet laid down by hand is seldom turned by more.
SHEET_TURNS = range(-18, 19, 3)
# Without it, this share of that: a broad stroke that encloses its hole covers less.
SHEET_PAPER = 0.6
# A stroke on a sheet is at most this many pixels of the field wide; what a bold digit encloses is wider.
SHEET_STROKE = 3.6

# --- what was left out ------------------------------------------------------------------------------------------------

# Serifs, taken off a letter as hairs are, have more than this share of its ink; what is taken off a digit has less.
HAIRS_LEFT_OUT = 0.08
# A line across a picture of 28 x 28, a zigzag too, spans less than this many rows of most columns; serifs above one
# another span more. Some columns have a thin part of the digit as well.
LINE_DEEP, LINE_MOST = 9, 0.9
# What is dropped of a small picture with a digit is dirt: less than this share of all that is inked.
INK_LEFT_OUT = 0.2
# A digit explains more than this of how its picture's levels differ; the seam of a grey shirt does not.
LEAST_EXPLAINED = 0.75

# --- MNIST's form -----------------------------------------------------------------------------------------------------

# A digit drawn in a field of 28 x 28 in about MNIST's size keeps its pixels: scaling would only blur them.
KEPT = (18, 22)
# A digit of MNIST has a level of at least this: all but a few of its training digits have 254.
DARKEST_AT_LEAST = 250
# The centre of mass of MNIST's digits lies within half a pixel of the middle, rounding of levels apart.
CENTRED = 0.53
# A thinner stroke, in 28 x 28 pixels, is widened: 85 % of MNIST's are wider.
THINNEST = 1.5
# A broader one is thinned: all but a few of MNIST's are narrower.
BROADEST = 3.2
# It is thinned on so many times as many pixels each way, or what is taken off its sides would be rounded to pixels.
FINE = 4
# A thin stroke is spread by a Gaussian of this many pixels of the field: it comes out about THINNEST wide.
THIN_SPREAD = 0.62
# Spreading pales it: the mean of its 20 darkest pixels is brought to this, so that most of them reach 1.
THIN_DARKEST, THIN_GAIN = 20, np.float32(1.2)
# Pictures of a data set of stretched digits are at most this large, and about square:
STRETCHED_SIDE, STRETCHED_FROM, STRETCHED_TO = 64, 0.8, 1.25
# their digit spans this share both ways,
STRETCHED_SPAN = 0.8
# its stroke is this share of the width, in the middle of all rows: no pen is so broad on an upright digit,
STRETCHED_STROKE = 0.38
# and this share of the rows has one stroke,
STRETCHED_SINGLE = 0.9
# whose middles lie off a line by less than this share of the width, on average: it is a one, not a bold 3.
STRETCHED_STRAIGHT = 0.085
# It is narrowed to a stroke of this many pixels of the field, as ones of MNIST have.
ONE_WIDTH = 3.2
