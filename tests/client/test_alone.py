"""The client where there are the wheel, httpx and NumPy, and nothing else; and a server that it calls over sockets."""

import importlib.util
import subprocess

import pytest

from tests import wheels
from tests.serving import ROOT, bare_environ, serving

if importlib.util.find_spec("httpx") is None:
    pytest.skip("httpx, the extra [client], is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "environment"
    programs = wheels.unpacked(folder, wheel)
    wheels.lend(folder, "httpx", "numpy")
    return programs / "python"


def run(python, folder, program):
    environ = {name: value for name, value in bare_environ().items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([python, "-c", program], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


IMPORTED = """
import os, sys
import service.client
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"flask", "click", "msgspec", "onnxruntime", "orjson", "PIL", "gunicorn", "matplotlib", "tqdm"}))
print(sorted(name for name in sys.modules if name.startswith("service") and not name.startswith("service.client")))
print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def test_it_imports_httpx_and_numpy_alone_and_leaves_numpy_its_threads(python, tmp_path):
    assert run(python, tmp_path, IMPORTED) == "[]\n['service']\nNone\n"


CALLED = """
import asyncio
import numpy as np
from service.client import AsyncClient, Client, Unreachable

address, picture = {address!r}, {picture!r}
with Client(address, timeout=30) as client:
    print(client.classify(picture).digits, client.feature_maps(picture, "conv1")["conv1.act"].shape)
    verdicts = client.classify(np.zeros((600, 28, 28), np.uint8), prepare="none", progress=True)
    print(len(verdicts), len(client._http._transport._pool.connections))

async def several():
    async with AsyncClient(address) as client:
        return await asyncio.gather(*[client.classify(picture) for _ in range(8)])

print([verdicts[0].digit for verdicts in asyncio.run(several())])
try:
    Client("http://127.0.0.1:9").models()
except Unreachable as error:
    print(str(error).partition(":9 ")[2])
"""


def test_it_calls_a_server_over_connections_that_it_keeps(python, tmp_path):
    with serving() as (port, _):
        program = CALLED.format(address=f"127.0.0.1:{port}", picture=str(ROOT / "tests" / "three.png"))
        lines = run(python, tmp_path, program).splitlines()
    assert lines[:3] == ["[3] (1, 16, 24, 24)", "600 1", "[3, 3, 3, 3, 3, 3, 3, 3]"]
    assert lines[3].startswith("cannot be reached: ")
