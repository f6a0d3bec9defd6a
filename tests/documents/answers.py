"""
Printed answers against real ones.

JSON is compared by its structure, numbers to the digits that are printed; `...` stands for anything: for a value, for
the rest of a list, an object or a text, for lines of a text.
"""

import json
import re
from decimal import Decimal

ANYTHING = "..."
WIDTH = 112
DIGITS = 4
# Members that may hold nothing but what float32 rounds, which differs between processors.
ROUNDING = {"residual": Decimal("1e-5"), "mean": Decimal("1e-5")}
# A text, or anything else up to the next space.
TOKEN = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"\s])+')


def parse(printed):
    """
    A printed answer; numbers as Decimal, which keeps their digits.

    >>> parse('{"a": [1.50, ...], "b": "12...", "c": ..., ...}')
    {'a': [Decimal('1.50'), '...'], 'b': '12...', 'c': '...', '...': '...'}
    """
    members = re.sub(r"(?<=[{,])(\s*)\.\.\.(?=\s*})", rf'\1"{ANYTHING}": ...', printed)
    bare = re.sub(r'("(?:[^"\\]|\\.)*")|\.\.\.', lambda found: found[1] or f'"{ANYTHING}"', members)
    return json.loads(bare, parse_float=Decimal)


def differences(printed, answered, where=""):
    """
    What is printed otherwise than it was answered, as sentences.

    >>> differences(parse('{"a": [1.5, ...], "b": "12..."}'), {"a": [1.4999, 2], "b": "123"})
    []
    >>> differences(parse('{"a": [1.50], "b": 2}'), {"a": [1.52, 1], "c": 1})
    ['/a has 1, answered 2', '/a/0 is 1.50, answered 1.52', '/b was not answered', '/c is not printed']
    >>> differences(parse('{"a": 1, "b": 2, ...}'), {"a": 1, "c": 3})
    ['/b was not answered']
    """
    if printed == ANYTHING:
        return []
    if isinstance(printed, dict) and isinstance(answered, dict):
        return [
            *(
                line
                for name, value in printed.items()
                if name != ANYTHING
                for line in (
                    differences(value, answered[name], f"{where}/{name}")
                    if name in answered
                    else [f"{where}/{name} was not answered"]
                )
            ),
            *(f"{where}/{name} is not printed" for name in answered if not {name, ANYTHING} & printed.keys()),
        ]
    if isinstance(printed, list) and isinstance(answered, list):
        shown = printed[:-1] if printed[-1:] == [ANYTHING] else printed
        is_long = len(answered) < len(shown) or (shown is printed and len(answered) > len(shown))
        lines = [f"{where} has {len(shown)}, answered {len(answered)}"] if is_long else []
        for index, (one, other) in enumerate(zip(shown, answered, strict=False)):
            lines += differences(one, other, f"{where}/{index}")
        return lines
    name = where.rpartition("/")[2]
    return [] if _is_alike(printed, answered, name) else [f"{where} is {printed}, answered {answered}"]


def _is_alike(printed, answered, name):
    if isinstance(printed, str) and isinstance(answered, str):
        return _pattern(printed).fullmatch(answered) is not None
    if isinstance(printed, Decimal) and isinstance(answered, float):
        last_digit = Decimal((0, (6,), printed.as_tuple().exponent - 1))
        return abs(printed - Decimal(answered)) <= last_digit + ROUNDING.get(name, 0)
    return type(printed) is type(answered) and printed == answered


def _pattern(printed):
    return re.compile(".*".join(map(re.escape, printed.split(ANYTHING))), re.DOTALL)


def is_printed(printed, output):
    """
    Whether a program printed that text, trailing space apart.

    >>> is_printed("took ... s\\n", "took 1.2 s\\n"), is_printed("3\\n", "33\\n")
    (True, False)
    """
    return _pattern(printed.rstrip()).fullmatch(output.rstrip()) is not None


def write(printed, answered):
    """
    An answer as it is printed: as much of it as was printed before, four digits of every number.

    >>> print(write(parse('{"a": [1.0, ...], "b": "1...", "c": ...}'), {"a": [0.123456, 3.0], "b": "987", "c": [1]}))
    {"a": [0.1235, ...], "b": "9...", "c": ...}
    >>> print(write(parse('{"b": 1, ...}'), {"a": 2, "b": 3}))
    {"b": 3, ...}
    """
    tokens = TOKEN.findall(_written(printed, answered))
    for index in reversed(range(len(tokens) - 1)):  # a name stays with its value, where there is room
        if tokens[index].endswith(":") and len(tokens[index]) + len(tokens[index + 1]) < WIDTH:
            tokens[index : index + 2] = [f"{tokens[index]} {tokens[index + 1]}"]
    lines = [tokens[0]]
    for token in tokens[1:]:
        if len(lines[-1]) + 1 + len(token) > WIDTH:
            lines.append(f" {token}")
        else:
            lines[-1] += f" {token}"
    return "\n".join(lines)


def _written(printed, answered):
    if printed == ANYTHING:
        return ANYTHING
    if isinstance(answered, dict):
        before = printed if isinstance(printed, dict) else {}
        is_cut = ANYTHING in before
        shown = {name: value for name, value in answered.items() if name in before or not is_cut}
        members = [f"{json.dumps(name)}: {_written(before.get(name), value)}" for name, value in shown.items()]
        return f"{{{', '.join(members + [ANYTHING] * is_cut)}}}"
    if isinstance(answered, list):
        before = printed if isinstance(printed, list) else []
        if before[-1:] == [ANYTHING]:
            shown = before[:-1]
            items = [_written(one, other) for one, other in zip(shown, answered, strict=False)]
            return f"[{', '.join([*items, ANYTHING])}]"
        padded = before + [None] * (len(answered) - len(before))
        return f"[{', '.join(_written(one, other) for one, other in zip(padded, answered, strict=False))}]"
    if isinstance(answered, str):
        is_cut = isinstance(printed, str) and printed.endswith(ANYTHING)
        return json.dumps(answered[: len(printed) - len(ANYTHING)] + ANYTHING if is_cut else answered)
    return _number(answered) if isinstance(answered, float) else json.dumps(answered)


def _number(value):
    """
    >>> _number(0.00008651614), _number(-1e-9), _number(3.0), _number(22.489508)
    ('8.652e-05', '-1e-09', '3.0', '22.49')
    """
    text = f"{value:.{DIGITS}g}"
    return text if set(text) & set(".e") else f"{text}.0"
