"""The deployment files and the code they speak of, read into plain values, so that tests can compare them."""

import ast
import re

import yaml

from service.settings import Process, Settings
from tests.serving import ROOT

DEPLOY = ROOT / "deploy"
BASE, MONITORING, KSERVE = (
    DEPLOY / "kubernetes" / "base",
    DEPLOY / "kubernetes" / "overlays" / "monitoring",
    DEPLOY / "kubernetes" / "kserve",
)
KUSTOMIZATIONS = (BASE, MONITORING, KSERVE)
# Kinds that Kubernetes itself does not know.
CUSTOM = {"ServiceMonitor", "PrometheusRule", "ServingRuntime", "InferenceService", "Kustomization"}
# What a worker needs before any request, and what a heavy call needs besides its answers; measured, rounded up.
WORKER_BYTES = 120 * 2**20
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "K": 10**3, "M": 10**6, "G": 10**9}


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def resources(folder):
    """Every resource of a kustomization, but not of others that it names: {kind: resource}."""
    named = [folder / name for name in read(folder / "kustomization.yaml")["resources"]]
    return {resource["kind"]: resource for resource in map(read, (path for path in named if path.is_file()))}


def compose():
    return read(DEPLOY / "compose.yaml")


def dockerfile(instruction):
    """What follows an instruction in the last stage of the Dockerfile, lines joined, comments gone."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").split("\nFROM ")[-1]
    return re.findall(rf"^{instruction} +(.*)$", joined, re.MULTILINE)


def image_environment():
    (line,) = dockerfile("ENV")
    return dict(pair.split("=", 1) for pair in line.split())


def gunicorn():
    """Every plain value that gunicorn.conf.py sets."""
    values = {}
    for node in ast.parse((DEPLOY / "gunicorn.conf.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            values |= {target.id: node.value.value for target in node.targets}
    return values


def gunicorn_variables():
    """Every variable of the environment that gunicorn itself is set by."""
    return {name.upper() for name in Process.__struct_fields__}


def directives(name, directive):
    """The words after a directive in one of nginx's files, one list per time it is given."""
    text = (DEPLOY / "nginx" / name).read_text(encoding="utf-8")
    code = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    return [words.split() for words in re.findall(rf"^\s*{directive}\s+([^;{{]*);", code, re.MULTILINE)]


def seconds(text):
    """
    A time as nginx and Compose write it.

    >>> seconds("75s"), seconds("1m")
    (75, 60)
    """
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


def size(text):
    """
    An amount of bytes as Kubernetes writes it; Compose's 2G is 2Gi.

    >>> size("64Mi"), size("1M")
    (67108864, 1000000)
    """
    number, unit = re.fullmatch(r"(\d+)([KMG]i?)", text).groups()
    return int(number) * UNITS[unit]


def plain_environment(container):
    """The variables of a container that have a value here, as the process will see them."""
    return {variable["name"]: variable["value"] for variable in container.get("env", []) if "value" in variable}


def strings(value):
    """Every string within a decoded JSON or YAML value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def memory_needed(environment, workers):
    """
    Bytes that the largest requests which can come together may need: every heavy thread holds what one request
    may, and as many bytes of bodies are held as may be.
    """
    settings = Settings.from_environ(environment)
    heavy = settings.heavy_threads * settings.max_request_bytes
    return workers * (WORKER_BYTES + heavy + settings.max_held_bytes)
