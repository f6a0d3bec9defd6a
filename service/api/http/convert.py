"""Options from text and JSON to the structs of lab/options.py; what is wrong is refused by name."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
import orjson

from service.core.errors import LONGEST_NAME, InvalidOption, did_you_mean, shown
from service.lab.options import Options

Declared = TypeVar("Declared", bound=Options)
# Characters of a query parameter or form field that is no structure; a list of all the filters of a layer has a tenth.
LONGEST_TEXT = 4096
# What each call takes when it is given no options at all, as most calls are.
_DEFAULTS: dict[type[Options], Options] = {}


def convert(
    kind: type[Declared],
    query: Sequence[tuple[str, str]],
    members: Mapping[str, Any],
    fields: Sequence[tuple[str, str]] = (),
) -> Declared:
    """
    Make the options of one call out of what was posted.

    query, fields: name and value of every query parameter, and of every form field
    members: the JSON members that are not pictures
    raises: InvalidOption, naming the option, what it may be and what came

    >>> from service.lab.options import FeatureMapOptions
    >>> convert(FeatureMapOptions, [("layers", "conv1,pool1")], {"stats": True}).layers
    ('conv1', 'pool1')
    >>> convert(FeatureMapOptions, [("layers[]", "conv1"), ("layers[]", "pool1")], {}).layers
    ('conv1', 'pool1')
    """
    if not query and not fields and not members and kind in _DEFAULTS:
        return _DEFAULTS[kind]  # type: ignore[return-value]
    given: dict[str, Any] = dict(members)
    for name, values in [*_gathered(kind, query).items(), *_gathered(kind, fields).items()]:
        if name in given:
            raise _twice(name)
        given[name] = _parse_text(kind, name, values)
    for name in given:
        if name not in kind.__struct_fields__:
            raise _unknown(name, "", kind, "this call")
    try:
        options = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_option(error, given, kind) from None
    if not given:
        _DEFAULTS[kind] = options
    for name, value in (*query, *fields):
        if value.lower() == "null":
            _refuse_null(kind, options, option_of(name), value)
    return options


def option_of(name: str) -> str:
    """
    The name of an option without the brackets that some clients add to the name of each value of a list.

    >>> option_of("layers[]"), option_of("filters[3]"), option_of("layers")
    ('layers', 'filters', 'layers')
    """
    return name if "[" not in name else _BRACKETS.sub("", name[:LONGEST_WITH_BRACKETS])


_BRACKETS = re.compile(r"\[\d{0,6}\]\Z")
LONGEST_WITH_BRACKETS = 200


def _gathered(kind: type[Options], place: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of every name in one place; empty structures are left out."""
    values: dict[str, list[str]] = {}
    for name, value in place:
        option = option_of(name)
        if option not in kind.LISTS and option not in kind.STRUCTURES:
            option = name
        if value or option not in kind.STRUCTURES:
            values.setdefault(option, []).append(value)
    return values


def _refuse_null(kind: type[Options], options: Options, name: str, value: str) -> None:
    """Text has no null, but msgspec takes the word for one where nothing but numbers or choices may stand."""
    field = _field(kind, name)
    if getattr(options, field.name) is not None:
        return
    try:
        msgspec.convert({name: "no null"}, msgspec.defstruct("Text", [(name, field.type)]), strict=False)
    except msgspec.ValidationError as error:
        refusal = invalid_option(error, {name: value}, kind)
        raise refusal from None


def _parse_text(kind: type[Options], name: str, values: Sequence[str]) -> Any:
    """What one place says of an option, of which only a list may have several values."""
    if name in kind.LISTS:
        return _parse_list(name, values)
    if name in kind.STRUCTURES:
        parsed = [_parse_json(name, value, f", such as {kind.STRUCTURES[name]}") for value in values]
        is_list = get_origin(_field(kind, name).type) is tuple
        if is_list and all(isinstance(each, dict) for each in parsed):
            return parsed
        if len(parsed) == 1:
            return parsed[0]
    if len(values) > 1:
        raise _twice(name)
    _check_length(name, values)
    return values[0]


def _parse_json(name: str, value: str, such_as: str = "") -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        wanted = f"{name} must be JSON text here{such_as}"
        raise InvalidOption(f"{wanted}, got {shown(value)}: {error}", f"/{name}") from None


def _parse_list(name: str, values: Sequence[str]) -> Any:
    """A list as one text, separated by commas or as JSON, or as one text a part."""
    _check_length(name, values)
    parts: list[Any] = []
    for value in values:
        parts += _parse_json(name, value) if value.lstrip().startswith("[") else map(_part, value.split(","))
    return parts if len(parts) > 1 or name in {"layers", "filters", "region"} else parts[0] if parts else values[0]


def _part(text: str) -> int | str:
    return int(text) if re.fullmatch(r"\s*-?\d{1,9}\s*", text) else text


def _check_length(name: str, values: Sequence[str]) -> None:
    length = sum(map(len, values)) + len(values) - 1
    if length > LONGEST_TEXT:
        raise InvalidOption(f"{name[:80]} may have {LONGEST_TEXT} characters, got {length}", f"/{name[:80]}")


def _field(kind: type[Options], name: str) -> msgspec.structs.FieldInfo:
    return next(field for field in msgspec.structs.fields(kind) if field.encode_name == name)


def _twice(name: str) -> InvalidOption:
    return InvalidOption(f"the option {name[:80]!r} is given twice", f"/{name[:80]}")


def invalid_option(
    error: msgspec.ValidationError, given: Any, kind: type[msgspec.Struct] | None = None
) -> InvalidOption:
    """Turn msgspec's message into ours: what was wanted, what came, and where as a JSON pointer."""
    text = str(error)
    # The path comes last and names only what is declared; the words before it may quote the caller's.
    message, found, path = text.rpartition(" - at `$")
    if not found:
        message, path = text, ""
    steps = re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path)
    pointer, value, known = "", given, True
    for name, index in steps:
        step: Any = name or (int(index) if index.isdecimal() else index)
        pointer += f"/{step}"
        known = known and ((isinstance(value, dict) and step in value) or (isinstance(value, list) and step != "..."))
        value = value[step] if known else None
    if message.startswith(_UNKNOWN):
        where = pointer.lstrip("/") or "this call"
        return _unknown(message[len(_UNKNOWN) : -1], pointer, _struct_of(_declared(kind, steps)), where)
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    if missing:
        return InvalidOption(f"{missing[1]} is missing", f"{pointer}/{missing[1]}")
    declared = _declared(kind, steps)
    choices = _choices(declared)
    is_choice = choices and message.startswith(("Invalid enum value", "Expected `int"))
    wanted = _one_of(choices, declared) if is_choice else _in_words(message.split(", got ")[0])
    if "matching regex" in message:
        wanted = "must be without slashes and control characters"
    if steps and kind is not None and issubclass(kind, Options) and steps[0][0] in kind.STRUCTURES:
        is_none = message.startswith(("Expected `object", "Expected `array"))
        wanted += f", {'such as' if len(steps) == 1 else 'as in'} {kind.STRUCTURES[steps[0][0]]}" if is_none else ""
    came = f", got {shown(value)}" if known and steps else ""
    meant = did_you_mean(value, choices) if known and isinstance(value, str) else ""
    return InvalidOption(f"{pointer.lstrip('/') or 'the options'}: {wanted}{came}{meant}", pointer)


_UNKNOWN = "Object contains unknown field `"
_IN_WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "array": "a list",
    "object": "an object",
}


def _in_words(message: str) -> str:
    """
    What msgspec expected, without its names of types.

    >>> _in_words("Expected `int | array | null`"), _in_words("Expected `float` <= 1.0")
    ('must be a whole number or a list', 'must be a number <= 1.0')
    """
    expected = re.match(r"Expected `([a-z| ]+)`", message)
    if not expected:
        return message[0].lower() + message[1:]
    kinds = [_IN_WORDS.get(name, name) for name in expected[1].split(" | ") if name != "null"]
    return f"must be {' or '.join(kinds)}{message[expected.end() :]}"


def _unknown(name: str, pointer: str, kind: type[msgspec.Struct] | None, where: str) -> InvalidOption:
    """Refuse a name that no option has; kind: those there are `where`, None for not known."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)] if kind else []
    hint = f"{did_you_mean(name, names)}; {where} takes: {', '.join(names)}" if names else ""
    return InvalidOption(f"there is no option {name[:LONGEST_NAME]!r}{hint}", f"{pointer}/{name[:LONGEST_NAME]}")


def _choices(declared: Any) -> list[str]:
    """What a literal may be: msgspec says that a value is none of the choices, but not what the choices are."""
    literals = [declared, *get_args(declared)]
    return next(([str(each) for each in get_args(kind)] for kind in literals if get_origin(kind) is Literal), [])


def _one_of(choices: list[str], declared: Any) -> str:
    number = "a number or " if float in get_args(declared) else ""
    return f"must be {number}one of {', '.join(choices)}"


def _declared(kind: type[msgspec.Struct] | None, steps: list[tuple[str, str]]) -> Any:
    """The type at the end of a path."""
    declared: Any = kind
    for name, _ in steps:
        declared = _member(declared, name)
    return declared


def _struct_of(declared: Any) -> type[msgspec.Struct] | None:
    """The struct that a type is, or may be."""
    kinds = (declared, *get_args(declared))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)), None)


def _member(declared: Any, name: str) -> Any:
    """The type of a struct's member of that name, or of a list's items where there is none."""
    kind = _struct_of(declared)
    if kind is not None and name:
        return next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == name), None)
    return declared if name else next(iter(get_args(declared)), None)
