"""
The JSON of the Open Inference Protocol, as schemas: an answer is checked against what the protocol says of it.

Written from the protocol's text (inference_rest, "JSON" under each call) and Triton's text on its extensions.
"""

from jsonschema_rs import Draft202012Validator


def thing(*, may=(), **members):
    """An object with these members, all but those in `may` required; the protocol allows others besides."""
    return {"type": "object", "properties": members, "required": [name for name in members if name not in may]}


def many(items, **more):
    return {"type": "array", "items": items, **more}


TEXT, FLAG, COUNT = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "minimum": 0}
NAME = {"type": "string", "minLength": 1}
DATATYPE = {
    "enum": [
        "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
        "FP16", "FP32", "FP64", "BYTES",
    ]
}  # fmt: skip
PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
SHAPE = many(COUNT)
TENSOR = thing(name=NAME, datatype=DATATYPE, shape=many({"type": "integer", "minimum": -1}))
# An output's numbers are in `data`, or after the JSON, and then their size is known.
IN_BINARY = {"properties": {"parameters": thing(binary_data_size=COUNT)}, "required": ["parameters"]}
OUTPUT = {
    **thing(name=NAME, shape=SHAPE, datatype=DATATYPE, parameters=PARAMETERS, data={"type": "array"},
            may={"parameters", "data"}),
    "oneOf": [{"required": ["data"]}, IN_BINARY],
}  # fmt: skip
DURATION = thing(count=COUNT, ns=COUNT)
STAGES = {"compute_input": DURATION, "compute_infer": DURATION, "compute_output": DURATION}

SCHEMAS = {
    "error": {**thing(error=NAME), "additionalProperties": False},
    "server": thing(name=NAME, version=NAME, extensions=many(NAME)),
    "live": thing(live=FLAG),
    "ready": thing(ready=FLAG, live=FLAG),
    "models": thing(models=many(NAME)),
    "model": thing(
        name=NAME, versions=many(NAME), platform={"type": "string", "pattern": "^[a-z]+_[a-z0-9]+$"},
        inputs=many(TENSOR, minItems=1), outputs=many(TENSOR, minItems=1), may={"versions"},
    ),
    "model_ready": thing(name=NAME, ready=FLAG),
    "infer": thing(
        model_name=NAME, model_version=NAME, id=TEXT, parameters=PARAMETERS, outputs=many(OUTPUT, minItems=1),
        may={"model_version", "parameters"},
    ),
    "index": many(thing(
        name=NAME, version=NAME, reason=TEXT, may={"version"},
        state={"enum": ["READY", "UNAVAILABLE", "LOADING", "UNLOADING", "UNKNOWN"]},
    )),
    "statistics": thing(model_stats=many(thing(
        name=NAME, version=NAME, last_inference=COUNT, inference_count=COUNT, execution_count=COUNT,
        inference_stats=thing(
            success=DURATION, fail=DURATION, queue=DURATION, cache_hit=DURATION, cache_miss=DURATION, **STAGES
        ),
        response_stats={"type": "object"},
        batch_stats=many(thing(batch_size=COUNT, **STAGES)),
        memory_usage={"type": "array"},
    ))),
    "config": thing(
        name=NAME, platform=NAME, backend=NAME, max_batch_size=COUNT,
        input=many(thing(name=NAME, data_type={"const": "TYPE_FP32"}, dims=SHAPE)),
        output=many(thing(name=NAME, data_type={"const": "TYPE_FP32"}, dims=many(COUNT, minItems=1))),
    ),
}  # fmt: skip

# Compared as it stands: clients look for exactly this, without a character set.
JSON = "application/json"


def check(response, name, status=200):
    """The answer has this status, is plain JSON, and has the members that the protocol gives it."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == JSON
    Draft202012Validator(SCHEMAS[name]).validate(response.json)
    return response.json


def refused(response, status, *words):
    """The answer is a refusal as the protocol has it, and says these words."""
    message = check(response, "error", status)["error"]
    for word in words:
        assert word in message
    return message
