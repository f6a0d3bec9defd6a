"""
A worker that has just started, in a process of its own, and what each call still has to do for the first time.

    python -m tests.fresh < CALLS > FOUND

Nothing is imported here that the service does not import itself, or the test would find it there.
"""

import json
import sys
from base64 import b64decode
from functools import _lru_cache_wrapper

import werkzeug.test
from werkzeug.wrappers import Response

import service.start.startup  # noqa: F401  # what gunicorn's first process has imported
from service.app import create_door
from service.settings import Settings


def first_calls(asked):
    """
    Start as a worker does and make each call: its status, the modules it imported and the kept tables it began.

    asked: [path, body in base64 or None, media type] of each
    """
    tables = {
        f"{name}.{key}": value
        for name, module in list(sys.modules.items())
        if name.startswith("service.")
        for key, value in vars(module).items()
        if isinstance(value, _lru_cache_wrapper) and value.__module__ == name
    }
    environs = [environ_of(*call) for call in asked]
    door = create_door(Settings())
    # What Flask's own way of being called needs, which the door's does not.
    list(Response.from_app(door, environ_of("/none", None, "")).response)

    def done_before():
        return set(sys.modules), {name for name, table in tables.items() if table.cache_info().currsize}

    for environ in environs:
        before = done_before()
        answer = Response.from_app(door, environ)
        list(answer.response)
        yield [answer.status_code, *(sorted(now - was) for now, was in zip(done_before(), before, strict=True))]


def environ_of(path, body, media_type):
    """A call in its WSGI form."""
    method, data = ("GET", None) if body is None else ("POST", b64decode(body))
    return werkzeug.test.create_environ(path, method=method, data=data, content_type=media_type or None)


if __name__ == "__main__":
    json.dump(list(first_calls(json.load(sys.stdin))), sys.stdout)
