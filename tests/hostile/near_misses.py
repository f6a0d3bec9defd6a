"""
Texts that nearly match a regular expression, made from the expression itself.

Every part that may repeat is repeated many times, and then the text ends in another way than the expression wants. A
matcher that goes back over the repeats in more ways than one takes the square of their number, or worse.
"""

import ast
import re
import resource
import sys
from re import _constants as codes
from re import _parser as parser

LENGTH = 30_000
REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}
CATEGORIES = {
    codes.CATEGORY_SPACE: r"\s", codes.CATEGORY_NOT_SPACE: r"\S", codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D", codes.CATEGORY_WORD: r"\w", codes.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip
COMMON = " \n\0a0_-.,()!\xff"
CPU_SECONDS = 2


def strain(pattern, flags, methods):
    """Match every near miss of `pattern` by every method of a compiled expression."""
    compiled = re.compile(pattern, flags)
    for text in near_misses(pattern, flags):
        for method in methods:
            found = getattr(compiled, method)(*([text[:0], text] if method == "sub" else [text]))
            if method == "finditer":
                list(found)


def near_misses(pattern, flags):
    """The texts, str or bytes as the pattern is, of about LENGTH characters."""
    tree = parser.parse(pattern, flags)
    alphabet = sorted({*COMMON, *(chr(value) for value in literals(tree) if value < 256)})
    made = {
        head + pump * (LENGTH // len(pump)) + end
        for least in (0, 1)
        for head, pump, rest in pumped(tree, "", alphabet, least)
        for end in ["", *alphabet, *(rest + sign for sign in alphabet)]
    }
    for text in sorted(made):
        yield text if isinstance(pattern, str) else text.encode("latin-1", "replace")


def literals(tree):
    """The code of every single character that an expression names."""
    for kind, value in tree:
        if kind in {codes.LITERAL, codes.NOT_LITERAL}:
            yield value
        elif kind is codes.RANGE:
            yield from value
        else:
            for part in parts(kind, value):
                yield from literals(part)


def parts(kind, value):
    """The expressions within one."""
    if kind is codes.IN:
        return [value]
    if kind in REPEATS:
        return [value[2]]
    if kind is codes.SUBPATTERN:
        return [value[3]]
    if kind is codes.BRANCH:
        return value[1]
    if kind in {codes.ASSERT, codes.ASSERT_NOT}:
        return [value[1]]
    return [value] if kind is codes.ATOMIC_GROUP else []


def pumped(tree, head, alphabet, least):
    """(what leads there, one turn of it, what is to follow) of every part that may repeat."""
    nodes = list(tree)
    for place, (kind, value) in enumerate(nodes):
        before = head + sample(nodes[:place], "", alphabet, least)
        rest = sample(nodes[place + 1 :], "", alphabet, least)
        if kind in REPEATS and value[1] > 1:
            for sign in alphabet:
                turn = sample(value[2], sign, alphabet, 1)
                if turn:
                    yield before, turn, rest
        for part in parts(kind, value) if kind is not codes.IN else []:
            for inner in pumped(part, before, alphabet, least):
                yield inner[0], inner[1], inner[2] + rest


def sample(tree, sign, alphabet, least):
    """One text that matches; of `sign` where it may be, and with repeats of no fewer turns than `least`."""
    text = ""
    for kind, value in tree:
        if kind in REPEATS:
            text += sample(value[2], sign, alphabet, least) * min(max(value[0], least), value[1])
        elif kind is codes.SUBPATTERN or kind is codes.ATOMIC_GROUP or kind is codes.BRANCH:
            text += sample(parts(kind, value)[0], sign, alphabet, least)
        elif kind not in {codes.AT, codes.ASSERT, codes.ASSERT_NOT}:
            fit = [each for each in [*sign, *alphabet] if fits(kind, value, ord(each))]
            text += fit[0] if fit else "?"
    return text


def fits(kind, value, code):
    """Whether a character is one that a single place of an expression takes."""
    if kind is codes.LITERAL:
        return value == code
    if kind is codes.NOT_LITERAL:
        return value != code
    if kind is codes.RANGE:
        return value[0] <= code <= value[1]
    if kind is codes.CATEGORY:
        return bool(re.match(CATEGORIES[value], chr(code)))
    if kind is codes.IN:
        is_negated = value[0][0] is codes.NEGATE
        return is_negated != any(fits(*each, code) for each in value if each[0] is not codes.NEGATE)
    assert kind is codes.ANY, kind
    return True


if __name__ == "__main__":
    asked = ast.literal_eval(sys.stdin.read())
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    strain(*asked)
