"""
The options of the contract, written from the structs of service/lab/options.py.

What is written: the query parameters of every call, the fields of its form, the members of its JSON, and the structures
among them. An option is a parameter with text of its own, and a JSON member of its own type; what has structure is
JSON text in a query or a form, and a union is text in a query. No option has a default or an example there, since pages
and clients send those unasked: the description says the default.

What a person writes is the description of each parameter, and of each member of a structure: in openapi.yaml, where it
is read and where its neighbours are. All else about an option is in its struct, and is not said twice.
"""

import ast
import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import msgspec
import yaml

from service.core.convolution import NORMALISATIONS, PAD_MODES, POOL_KINDS
from service.lab import options
from service.lab.explain import options as explain_options

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
ROUTES = Path(__file__).resolve().parents[2] / "service" / "api"


def options_of_calls():
    """Per path of the contract, the struct that its route reads."""
    found = {}
    for path in sorted(ROUTES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            rules = [ast.unparse(each.args[0]) for each in node.decorator_list if _is_call_of(each, "get", "post")]
            for call in ast.walk(node) if rules else ():
                if _is_call_of(call, "read_options", "read_posted"):
                    kind = getattr(options, call.args[1].id, None) or getattr(explain_options, call.args[1].id)
                    found |= {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", ast.literal_eval(rule)): kind for rule in rules}
    return found


def _is_call_of(node, *names):
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names


CALLS = options_of_calls()
STRUCTURES = {kind.__name__: kind for kind in (options.Filter, options.Change, options.Pool, options.Stage)}
# Options whose words the core checks, where the struct says only `str`.
WORDS = {"pad_mode": PAD_MODES, "normalize": NORMALISATIONS, "kind": POOL_KINDS}
# What a call cannot do without, besides a picture.
WANTED = {"/v1/apply-filters": "filters", "/v1/what-if": "changes"}
SUCH_AS = re.compile(r"such as `(.*?)`")
FORMATS = {"application/json": "json", "image/png": "png", "application/x-npz": "npz"}
WRITTEN = re.compile(r"( ?(As JSON text|Separated by commas)\.)?( ?Default: `[^`]*`\.)?$")
LARGEST_INT32 = 2**31 - 1
BEGIN, END = "# --- written by python -m tests.api.examples, but for the descriptions", "# --- end of what is written"


def struct_schemas(kind):
    """Per member of a struct, the JSON schema that msgspec gives for its type; null, which means absent, left out."""
    (_,), components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    members = {}
    for name, schema in components[kind.__name__]["properties"].items():
        wanted = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
        members[name] = wanted[0] if len(wanted) == 1 else {"anyOf": wanted} if wanted else dict(schema)
        members[name].pop("default", None)
        if "enum" in members[name]:
            members[name]["enum"] = _words_in_order(kind, name)
        # No list and an empty one are the same.
        if schema.get("default") not in (None, ()):
            members[name]["default"] = schema["default"]
    return members


def _words_in_order(kind, name):
    """The words of an option as its struct has them; msgspec sorts them."""
    (field,) = (field for field in msgspec.structs.fields(kind) if field.encode_name == name)
    return [
        word for each in (field.type, *get_args(field.type)) if get_origin(each) is Literal for word in get_args(each)
    ]


def pascal(name):
    """patch_size -> PatchSize."""
    return "".join(part.title() for part in re.split(r"[_-]", name))


def name_of_call(path):
    """/v1/feature-maps -> FeatureMaps."""
    return pascal(path.rpartition("/")[2])


class Writer:
    """The parts of one contract that are written, made from the structs and from its own descriptions."""

    def __init__(self, document):
        self.document = document
        self.parameters_before = document["components"]["parameters"]
        self.schemas_before = document["components"]["schemas"]
        self.lists, self.parameters, self.schemas = {}, {}, {}
        for path in document["paths"]:
            if path in CALLS:
                self._call(path, CALLS[path])
        for name, kind in STRUCTURES.items():
            self._structure(name, kind)

    # --- calls

    def _call(self, path, kind):
        ((method, call),) = self.document["paths"][path].items()
        before = {}
        for each in call.get("parameters", []):
            component = each.get("$ref", "").rpartition("/")[2]
            if component and self.parameters_before[component]["in"] == "query":
                before[self.parameters_before[component]["name"]] = component
        declared = struct_schemas(kind)
        order = [name for name in before if name in declared] + [name for name in declared if name not in before]
        members, fields, names = {}, {}, {}
        for name in order:
            schema = declared[name]
            if name == "format":
                schema = {"enum": [FORMATS[each] for each in call["responses"]["200"]["content"] if each in FORMATS]}
            component = names[name] = before.get(name) or self._component(path, kind, name, schema)
            typed = self._named(name, schema, component)
            text = by_hand(self.parameters_before.get(component, {}).get("description", ""))
            described = _with(text, _form(kind, name), _default(schema))
            parameter = {"name": name, "in": "query", "description": described} | _in_query(kind, name, typed, schema)
            known = self.parameters.setdefault(component, parameter)
            assert known == parameter, f"{component} of {path} differs from that of another call"
            members[name] = _described(typed, _with(text, _default(schema)))
            if name in kind.STRUCTURES:
                # Pages send it unasked: what the call cannot do without, else nothing.
                asked = [SUCH_AS.search(text)[1] if name == WANTED.get(path) else ""]
                fields[name] = {"type": "string", "description": described, "examples": asked}
        self.lists[path, method] = list(names.values())
        if method == "post":
            self._bodies(path, members, fields)

    def _component(self, path, kind, name, schema):
        """The parameter that an option is which its call did not have before: one that is the same, or a new one."""
        known = self.parameters_before | self.parameters
        for component, parameter in known.items():
            if parameter["name"] == name and parameter["in"] == "query" and self._is_same(parameter, kind, schema):
                return component
        return pascal(name) if pascal(name) not in known else name_of_call(path) + pascal(name)

    def _is_same(self, parameter, kind, schema):
        """Whether an option has the words, the form and the default of a parameter that there is."""
        declared = parameter["schema"]
        if "$ref" in declared:
            name = declared["$ref"].rpartition("/")[2]
            declared = self.schemas.get(name) or self.schemas_before[name]
        words = WORDS.get(parameter["name"]) or schema.get("enum") or []
        description = " ".join(parameter["description"].split())
        said = description.removeprefix(by_hand(description)).strip()
        return sorted(declared.get("enum", []), key=str) == sorted(words, key=str) and said == _with(
            _form(kind, parameter["name"]), _default(schema)
        )

    def _bodies(self, path, members, fields):
        call = name_of_call(path)
        pictures = {
            "image": _described(_refer("Picture"), "One picture."),
            "images": _described(_refer("Pictures"), "Several pictures, in place of `image`."),
        }
        self.schemas[f"{call}Json"] = {
            "description": "One `image` or several `images`, and the options.",
            "type": "object",
            "additionalProperties": False,
            "properties": pictures | members,
        }
        if fields:
            self.schemas[f"{call}Form"] = {
                "description": "Pictures, and what has structure among the options. The others may be fields too.",
                "type": "object",
                "required": ["image"],
                "properties": self.schemas_before["PicturesForm"]["properties"] | fields,
            }

    # --- structures and named schemas

    def _structure(self, name, kind):
        before = self.schemas_before.get(name, {})
        told, members = before.get("properties", {}), {}
        if kind is options.Stage:
            # A step of a chain is told as the call of one step is.
            one_step = [self.parameters[component] for component in self.lists["/v1/apply-filters", "post"]]
            told = {parameter["name"]: parameter for parameter in one_step}
        for member, schema in struct_schemas(kind).items():
            typed = self._named(member, schema, pascal(member), of=name)
            own = told.get(member, {})
            text = by_hand(own.get("description", ""))
            members[member] = _described(typed, _with(text, _default(schema)))
        required = [field.name for field in msgspec.structs.fields(kind) if field.required]
        self.schemas[name] = {
            "description": before.get("description", ""),
            "type": "object",
            **({"required": required} if required else {}),
            "additionalProperties": False,
            "properties": members,
        }

    def _named(self, name, schema, component, of=""):
        """The schema of an option, by reference where it has a name: one name for each set of words or types."""
        schema = {key: value for key, value in schema.items() if key != "default"}
        words = WORDS.get(name) or schema.get("enum") or ()
        if all(isinstance(word, str) for word in words) and words:
            return self._words(of + pascal(name) if name == "kind" else component, list(words))
        if name in {"activation", "weights"}:
            return _refer(pascal(name))
        if name in {"filters", "changes", "stages"} and "$ref" in schema.get("items", {}):
            self.schemas[pascal(name)] = {"type": "array", "items": schema["items"]}
            return _refer(pascal(name))
        if "anyOf" in schema:
            return _refer(UNIONS[frozenset(each.get("type", "string") for each in schema["anyOf"])])
        if schema.get("type") == "array":
            return {"type": "array", "minItems": 1, "items": _whole(schema["items"])}
        return _whole(schema)

    def _words(self, name, words):
        for known, schema in self.schemas.items():
            if sorted(schema.get("enum", []), key=str) == sorted(words, key=str):
                return _refer(known)
        self.schemas[name] = {"type": "string", "enum": words}
        return _refer(name)

    # --- text

    def rewrite(self, text):
        """The text of the contract with these parts written again, and every other character as it is."""
        text = _between(text, "  parameters:\n", self.parameters)
        text = _between(text, "  schemas:\n", self.schemas)
        nodes = dict(nodes_of(yaml.compose(text, LOADER)))
        spans = []
        for (path, method), components in self.lists.items():
            sequence = nodes["paths", path, method, "parameters"]
            kept = [each for each in self.document["paths"][path][method]["parameters"] if not self._is_option(each)]
            first = len(kept)
            if first < len(sequence.value):
                start = sequence.value[first].start_mark
                end = text.rindex("\n", 0, sequence.value[-1].end_mark.index)
                spans.append((start.index, end, start.column, components))
            elif not kept and components:  # a new call: `parameters: []`
                at = sequence.start_mark
                column = at.column - len("parameters: ") + 4
                spans.append((at.index - 1, sequence.end_mark.index, column, ["", *components]))
        for start, end, column, components in sorted(spans, reverse=True):
            gap = "\n" + " " * (column - 2) + "- "
            lines = gap.join(component and f"$ref: '#/components/parameters/{component}'" for component in components)
            text = text[:start] + lines + text[end:]
        return text

    def _is_option(self, parameter):
        component = parameter.get("$ref", "").rpartition("/")[2]
        return component and self.parameters_before[component]["in"] == "query"


# The unions that options may be, each written by hand; by the types that they allow.
UNIONS = {
    frozenset({"integer", "array"}): "NumberOrPair",
    frozenset({"string", "integer", "array"}): "Padding",
    frozenset({"string", "integer"}): "Version",
    frozenset({"string", "number"}): "Baseline",
}
ONE_OR_TWO = {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "integer", "minimum": 1}}


def _in_query(kind, name, typed, schema):
    """An option as a query parameter has it."""
    separated = {"style": "form", "explode": False}
    if name in kind.STRUCTURES:
        return {"schema": {"type": "string"}}
    if typed == _refer("NumberOrPair"):
        return separated | {"schema": ONE_OR_TWO}
    if typed.get("type") == "array":
        return separated | {"schema": typed}
    if "anyOf" in schema or name == "activation":
        return {"schema": {"type": "string"}}
    return {"schema": typed}


def _default(schema):
    value = schema.get("default")
    if value is None:
        return ""
    shown = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
    return f"Default: `{shown}`."


def _described(schema, text):
    return schema | ({"description": text} if text else {})


def _form(kind, name):
    """What a query and a form want to be told of an option, that JSON need not be."""
    return "As JSON text." if name in kind.STRUCTURES else "Separated by commas." if name in kind.LISTS else ""


def by_hand(description):
    """The part of a description that a person wrote."""
    return WRITTEN.sub("", " ".join(description.split()))


def _with(*texts):
    return " ".join(filter(None, texts))


def _refer(name):
    return {"$ref": f"#/components/schemas/{name}"}


def _whole(schema):
    """A schema that says where a number may be longer than 32 bits; without the type of its words' own."""
    if "enum" in schema:
        words = any(isinstance(each, str) for each in schema["enum"])
        schema = {"type": ["string", "integer"] if words else "integer"} | schema
    if schema.get("type") == "integer" and schema.get("maximum", 0) > LARGEST_INT32:
        schema = {"type": "integer", "format": "int64"} | schema
    if "pattern" in schema:
        schema = schema | {"pattern": schema["pattern"].replace(r"\Z", "$")}  # the end, as JavaScript has it
    return schema


class _Dumper(yaml.SafeDumper):
    """Lists stand two further in than their names, and everything is written out."""

    def ignore_aliases(self, _data):
        return True

    def increase_indent(self, flow=False, indentless=False):  # noqa: ARG002  # the dumper's signature
        return super().increase_indent(flow, False)


def _as_block(value, indent):
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=116 - indent)
    return "".join(" " * indent + line for line in text.splitlines(keepends=True))


def _between(text, heading, value):
    """Put what is written between its two marks below a heading of the components."""
    start = text.index(BEGIN, text.index(heading, text.index("\ncomponents:\n"))) + len(BEGIN) + 1
    end = text.rindex("\n", 0, text.index(END, start)) + 1
    return text[:start] + _as_block(value, 4) + text[end:]


def nodes_of(node, path=()):
    """(path, node) of every value below the mappings of a composed text."""
    yield path, node
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield from nodes_of(child, (*path, key.value))
