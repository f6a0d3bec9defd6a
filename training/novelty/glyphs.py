"""
Glyphs: letters and signs that are no digits, as the strokes of a pen.

A glyph is a few strokes, parted by `|`; a stroke is a few points `xy` on a grid of 10 by 10, y downwards, joined by
straight lines or, after a `~`, by a smooth curve. Left out are letters that look like a digit to somebody (B, D, G, I,
J, O, Q, S, Y, Z, b, g, l, o, p, q, y, z) and signs that do (a square, a slashed ring, a dash).
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

# Each in one way or more of writing it.
_WAYS = {
    "A": ["09 40 89|25 75", "~09 14 30 50 74 89|05 85"],
    "C": ["~81 50 12 05 28 59 87", "~72 41 13 06 38 69 77"],
    "E": ["70 00 09 79|04 64", "~71 40 11 23 54|~54 14 07 39 78"],
    "F": ["80 00 09|04 64", "~80 20 11 19|04 64"],
    "H": ["00 09|80 89|04 84", "~10 05 09|~80 74 79|~04 43 84"],
    "K": ["00 09|80 05 89", "00 09|~70 44 05|~05 46 88"],
    "M": ["09 00 45 80 89", "~09 11 20 46 70 81 99"],
    "N": ["09 00 89 80", "~09 01 10 46 78 88 80"],
    "P": ["00 09|~00 60 72 64 05"],
    "R": ["00 09|~00 60 72 64 04|04 89"],
    "U": ["~00 05 39 69 85 80", "~00 06 39 68 85|80 89"],
    "V": ["00 49 80", "~00 24 49 64 80 91"],
    "W": ["00 29 42 69 80", "~00 06 28 46 42|~46 68 86 80"],
    "X": ["00 89|80 09", "~00 24 49 89|~90 64 29 09"],
    "a": ["~11 40 72 79|~74 34 06 18 47 76", "~82 50 13 07 39 67 83|80 87 99"],
    "d": ["80 89|~84 50 14 07 39 66 85"],
    "e": ["~05 45 83 71 41 12 06 29 58 87"],
    "f": ["~91 70 52 49|04 84"],
    "h": ["00 09|~05 34 65 79", "~00 09|~06 34 65 68 98"],
    "k": ["00 09|73 16 79"],
    "m": ["02 09|~04 22 43 49|~44 62 83 89", "~02 09|~05 32 49|~45 72 88 99"],
    "n": ["02 09|~05 33 63 79"],
    "r": ["02 09|~05 23 62 73"],
    "t": ["40 47 59 79|03 83", "~40 37 59 88|13 73"],
    "T": ["00 80|40 49"],
    "L": ["00 09 79", "~00 04 09 39 79"],
    "plus": ["40 49|04 84"],
    "equals": ["02 82|07 87"],
    "question mark": ["~12 40 72 64 46|48 49"],
    "ampersand": ["~89 42 20 51 16 18 49 86"],
    "at sign": ["~64 43 36 57 75 64|~64 67 85 71 31 04 18 49 88"],
    "hash": ["30 29|70 69|03 93|06 96"],
    "per cent": ["80 09|~10 01 12 21 10|~77 68 79 88 77"],
    "asterisk": ["40 48|02 86|82 06"],
    "less": ["80 04 88"],
    "greater": ["00 84 08"],
    "caret": ["08 40 88"],
    "tilde": ["~05 22 54 82"],
    "tick": ["05 29 80"],
    "arrow right": ["04 94|52 94 56"],
    "arrow left": ["94 04|42 04 46"],
    "arrow up": ["49 40|13 40 73"],
    "arrow down": ["40 49|16 49 76"],
    "arrow aslant": ["09 90|40 90 95"],
    "heart": ["~42 31 11 03 16 49|~42 51 71 83 66 49"],
    "star": ["19 40 79 03 83 19"],
    "triangle": ["09 40 89 09"],
    "funnel": ["00 80 40 00|40 49"],
    "crossed square": ["00 80 88 08 00|00 88|80 08"],
    "window": ["00 80 88 08 00|40 48|04 84"],
    "face": ["~40 13 16 49 76 73 40|32 33|62 63|~36 47 56"],
    "house": ["03 40 83 89 09 03|39 36 56 59"],
    "infinity": ["~44 22 04 26 44 62 84 66 44"],
    "alpha": ["~82 55 28 06 03 21 55 88"],
    "lambda": ["10 89|44 09"],
    "mu": ["00 09|~05 38 66 80|~80 86 98"],
    "pi": ["02 92|22 29|62 69"],
    "sigma": ["80 00 44 09 89"],
    "omega": ["09 29 06|~06 02 40 82 86|86 69 99"],
    "psi": ["~00 04 37 67 84 80|40 49"],
    "Cyrillic zhe": ["40 49|00 44 09|80 44 89"],
    "Cyrillic de": ["09 07 97 99|17 40 77"],
    "Cyrillic ya": ["80 89|~80 20 12 24 84|44 09"],
    "Cyrillic i": ["00 09 80 89"],
    "Cyrillic shcha": ["00 08 88 80|40 48|88 99"],
    "Cyrillic sha": ["00 08 88 80|40 48"],
    "Chinese tree": ["03 83|40 49|44 09|44 89"],
    "Chinese big": ["03 83|~40 44 09|44 89"],
    "Chinese person": ["~40 44 09|43 89"],
    "Chinese middle": ["01 81 85 05 01|40 49"],
    "Chinese small": ["40 49|13 07|73 97"],
    "Chinese king": ["00 80|04 84|09 89|40 49"],
    "three lines": ["11 71|24 64|09 89"],
    "Chinese mountain": ["40 48|03 08 88 83"],
    "Chinese river": ["~10 16 08|41 48|70 79"],
    "bracket": ["60 20 29 69"],
}
GLYPHS = [way for ways in _WAYS.values() for way in ways]


def strokes(glyph: str) -> list[tuple[Points, bool]]:
    """
    Return each stroke's points (count, 2), x and y from 0 to 1, and whether it is curved.

    >>> [(points.tolist(), curved) for points, curved in strokes("00 09|~90 99")]
    [([[0.0, 0.0], [0.0, 1.0]], False), ([[1.0, 0.0], [1.0, 1.0]], True)]
    """
    return [
        (np.array([[int(place[0]), int(place[1])] for place in stroke.removeprefix("~").split()]) / 9, stroke[0] == "~")
        for stroke in glyph.split("|")
    ]
