"""The examples in the docstrings of the client, run against the service."""

import asyncio
import doctest
import pkgutil
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("httpx", reason="httpx, the extra [client], is not installed")

import service.client
from service.client.calls import Calls
from tests.client.in_process import async_client_of, client_of
from tests.serving import ROOT

MODULES = [
    "service.client",
    *(f"service.client.{module.name}" for module in pkgutil.iter_modules(service.client.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_prints_what_it_says(app, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    names = {
        "np": np,
        "asyncio": asyncio,
        "client": client_of(app),
        "Client": lambda _address, **options: client_of(app, **options),
        "AsyncClient": lambda _address, **options: async_client_of(app, **options),
    }
    done = doctest.testmod(import_module(name), extraglobs=names, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.failed == 0
    assert done.attempted or name not in {"service.client", "service.client.calls", "service.client.clients"}


def test_every_call_has_an_example():
    calls = {name: call for name, call in vars(Calls).items() if not name.startswith("_")}
    assert [
        name for name, call in calls.items() if ">>> " not in call.__doc__ or f"client.{name}(" not in call.__doc__
    ] == []
