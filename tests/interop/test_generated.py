"""
Clients that other people's generators make from the contract: generated, type-checked strictly or compiled, and used.

Each program (in clients/) is what a user would write: it reads the digit of every picture in a folder, asks for maps as
numbers and as npz and saves them drawn, applies a bank of filters and saves what they answer, explains and edits. The
generators of Python are in an environment of their own, those of TypeScript in .venv-node: `make interop` makes both.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.drawing import draw, encode
from tests.serving import ROOT

PROGRAMS = Path(__file__).parent / "clients"
NODE = ROOT / ".venv-node" / "node_modules"
PYTHON_TOOLS = Path(sys.executable).parent
SAYS = ["classify 3", "classify 7", "feature-maps 2", "npz 80", "apply-filters 2 70", "explain 10", "what-if 3"]
TYPESCRIPT = {
    "strict": True, "target": "es2022", "module": "nodenext",
    "moduleResolution": "nodenext", "lib": ["es2022", "dom", "dom.iterable"], "types": ["node"], "outDir": "out",
}  # fmt: skip


def run(*command, folder):
    """What a command wrote; it must succeed."""
    environ = os.environ | {"PATH": f"{PYTHON_TOOLS}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def contract(address, tmp_path_factory):
    """The contract as the service gives it, in a file."""
    with urllib.request.urlopen(f"http://{address}/openapi.json", timeout=30) as response:
        document = json.load(response)
    file = tmp_path_factory.mktemp("contract") / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of a drawn 3 and a drawn 7."""
    folder = tmp_path_factory.mktemp("pictures")
    for digit in (3, 7):
        (folder / f"{digit}.png").write_bytes(encode(draw(digit)))
    return folder


@pytest.fixture
def use(address, pictures, tmp_path):
    """use(*command) runs a program, which must use every call and save what it is to save."""

    def run_and_look(*command, folder):
        results = tmp_path / "results"
        results.mkdir()
        assert run(*command, address, pictures, results, folder=folder).splitlines() == SAYS
        with Image.open(results / "maps.png") as drawn:
            assert min(drawn.size) > 24
        with np.load(io.BytesIO((results / "bank.npz").read_bytes())) as answers:
            assert [array.ndim for array in answers.values()] == [2, 2]

    return run_and_look


@pytest.fixture
def node(tmp_path):
    """A folder for a program in TypeScript; node(name) is the command of an installed tool."""
    if shutil.which("node") is None or not NODE.exists():
        pytest.skip("Node.js or .venv-node is absent: make interop installs the packages where there is npm")
    (tmp_path / "node_modules").symlink_to(NODE)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": TYPESCRIPT, "include": ["**/*.ts"], "exclude": ["node_modules"]}),
        encoding="utf-8",
    )
    return lambda name: str(NODE / ".bin" / name)


def test_openapi_typescript_with_openapi_fetch(node, contract, use, tmp_path):
    run(node("openapi-typescript"), contract, "-o", "schema.d.ts", folder=tmp_path)
    shutil.copy(PROGRAMS / "fetch.ts", tmp_path)
    run(node("tsc"), "-p", ".", folder=tmp_path)
    use("node", "out/fetch.js", folder=tmp_path)


def test_hey_api(node, contract, use, tmp_path):
    settings = {"input": str(contract), "output": {"path": "hey", "importFileExtension": ".js"}}
    (tmp_path / "openapi-ts.config.mjs").write_text(f"export default {json.dumps(settings)};", encoding="utf-8")
    run(node("openapi-ts"), "-f", "openapi-ts.config.mjs", folder=tmp_path)
    shutil.copy(PROGRAMS / "hey.ts", tmp_path)
    run(node("tsc"), "-p", ".", folder=tmp_path)
    use("node", "out/hey.js", folder=tmp_path)


# Of a call with several forms of body and answer, orval makes one function. What each client keeps of them:
ORVAL = {
    "json": {"contentType": {"include": ["application/json", "application/problem+json"]}},
    "files": {"contentType": {"include": ["multipart/form-data", "application/x-npz", "image/png"]}},
}


def run_orval(node, contract, folder, kinds):
    """Generate a client that uses fetch for each of some choices among the types of content."""
    outputs = {
        name: {
            "input": str(contract),
            "output": {"target": f"made/{name}.ts", "client": "fetch", "override": kept},
        }
        for name, kept in kinds.items()
    }
    (folder / "orval.config.mjs").write_text(f"export default {json.dumps(outputs)};", encoding="utf-8")
    run(node("orval"), "--config", "orval.config.mjs", folder=folder)


def test_orval(node, contract, use, tmp_path):
    run_orval(node, contract, tmp_path, ORVAL)
    shutil.copy(PROGRAMS / "orval.ts", tmp_path)
    run(node("tsc"), "-p", ".", folder=tmp_path)
    use("node", "out/orval.js", folder=tmp_path)


def test_openapi_python_client(contract, use, tmp_path):
    tool = PYTHON_TOOLS / "openapi-python-client"
    if not tool.exists():
        pytest.skip("openapi-python-client is not installed; `make interop` runs this in an environment of its own")
    run(tool, "generate", "--path", contract, "--output-path", "client", folder=tmp_path)
    package = tmp_path / "client"
    shutil.copy(PROGRAMS / "use.py", package)
    mypy = (sys.executable, "-m", "mypy", "--strict")
    run(*mypy, "--follow-imports=silent", "use.py", folder=package)
    # It declares a variable twice where two members have one type, and builds a list of one type for a union of two;
    # nothing that is used depends on that.
    run(
        *mypy,
        "--disable-error-code",
        "no-redef",
        "--disable-error-code",
        "arg-type",
        "filterscope_client",
        folder=package,
    )
    use(sys.executable, "use.py", folder=package)


# --- openapi-generator ----------------------------------------------------------------------------------------------

# Go's constants have no names but the words of all sets together, unless told to begin with their set's.
GO = ("--additional-properties", "enumClassPrefix=true")
# The template of Java's native library writes List<...>.class for a union with a list, which is no Java.
UNIONS = ("Picture", "Weights", "Response", "NumberOrPair", "Padding", "Ranges", "FilterOrPlace")
JAVA = ("--schema-mappings", ",".join(f"{name}=Object" for name in UNIONS))
JAVA_NATIVE = ("--library", "native", "--additional-properties", "openApiNullable=false,useJakartaEe=true")
JARS = [Path("/usr/share/java") / name for name in (
    "jakarta-annotation-api.jar", "httpmime.jar", "httpclient.jar", "httpcore.jar",
)]  # fmt: skip
GO_VALIDATOR = Path("/usr/share/gocode/src/gopkg.in/validator.v2")


@pytest.fixture
def generate(contract, tmp_path):
    """generate(generator, *words) writes a client; returns its folder."""
    tool = PYTHON_TOOLS / "openapi-generator-cli"
    if not tool.exists():
        pytest.skip("openapi-generator-cli is not installed; `make interop` installs it")

    def write(generator, *words):
        run(tool, "generate", "-i", contract, "-g", generator, *words, "-o", "made", folder=tmp_path)
        return tmp_path / "made"

    return write


def test_openapi_generator_typescript_fetch(generate, node, use, tmp_path):
    generate("typescript-fetch", "--additional-properties", "importFileExtension=.js")
    shutil.copy(PROGRAMS / "generator.ts", tmp_path)
    run(node("tsc"), "-p", ".", folder=tmp_path)
    use("node", "out/generator.js", folder=tmp_path)


def test_openapi_generator_python(generate, use):
    package = generate("python")
    for name in ("pydantic", "urllib3", "dateutil"):
        pytest.importorskip(
            name, reason=f"{name}, which the client needs, is not installed; `make interop` installs it"
        )
    shutil.copy(PROGRAMS / "generator.py", package / "use.py")
    # The client itself is held to the rules that are generated with it, which are not the strict ones.
    run(sys.executable, "-m", "mypy", "openapi_client", folder=package)
    run(sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "use.py", folder=package)
    use(sys.executable, "use.py", folder=package)


@pytest.fixture
def build_go(generate):
    """build_go(*words) generates, checks and builds the program; returns the folder of the client."""
    if shutil.which("go", path=f"{PYTHON_TOOLS}:{os.environ['PATH']}") is None:
        pytest.skip("go is not installed; `make interop` installs it")
    if not GO_VALIDATOR.exists():
        pytest.skip(f"what the client needs is not in {GO_VALIDATOR} (Debian: golang-gopkg-validator.v2-dev)")

    def build(*words):
        package = generate("go", *words)
        shutil.rmtree(package / "test")  # empty tests, which need another module
        validator = package.parent / "validator"
        shutil.copytree(GO_VALIDATOR, validator, ignore=shutil.ignore_patterns("*_test.go"))
        (validator / "go.mod").write_text("module gopkg.in/validator.v2\n", encoding="utf-8")
        (package / "cmd").mkdir()
        shutil.copy(PROGRAMS / "use.go", package / "cmd" / "main.go")
        run("go", "mod", "edit", f"-replace=gopkg.in/validator.v2={validator}", folder=package)
        run("go", "vet", "-mod=mod", "./...", folder=package)
        run("go", "build", "-mod=mod", "-o", "use", "./cmd", folder=package)
        return package

    return build


def test_openapi_generator_go(build_go, use):
    package = build_go(*GO)
    use(package / "use", folder=package)


@pytest.fixture
def build_java(generate):
    """build_java(*words) generates and compiles the program; returns the words of the command that runs it."""
    if shutil.which("javac") is None:
        pytest.skip("the compiler of Java is not installed (Debian: default-jdk-headless)")
    if not all(jar.exists() for jar in JARS):
        pytest.skip("what the client needs is not installed (Debian: libjakarta-annotation-api-java libhttpmime-java)")

    def build(*words):
        package = generate("java", *JAVA_NATIVE, *words)
        # Jackson is in the generator itself.
        jackson = next(Path(sys.prefix).glob("lib/*/site-packages/openapi_generator_cli/openapi-generator.jar"))
        path = ":".join(map(str, [jackson, *JARS, package / "out"]))
        sources = [*package.glob("src/main/**/*.java"), PROGRAMS / "Use.java"]
        run("javac", "-nowarn", "-d", "out", "-cp", path, *sources, folder=package)
        return ["java", "-cp", path, "Use"]

    return build


def test_openapi_generator_java(build_java, use, tmp_path):
    use(*build_java(*JAVA), folder=tmp_path)


# --- with no option of theirs ---------------------------------------------------------------------------------------


class KnownFault(Exception):
    """A generator does what it is known to do wrong; when it does not any more, or something else, a test fails."""


@contextmanager
def known_fault(words):
    """Turn a failure that says these words into a KnownFault."""
    try:
        yield
    except AssertionError as error:
        if words in str(error):
            raise KnownFault(words) from None
        raise


def known(reason):
    return pytest.mark.xfail(strict=True, raises=KnownFault, reason=reason)


@known("orval: every form of body, and every answer, is given to fetch as it came")
def test_orval_with_its_defaults(node, contract, tmp_path):
    run_orval(node, contract, tmp_path, {"every": {}})
    with known_fault("is not assignable to type 'BodyInit"):
        run(node("tsc"), "-p", ".", folder=tmp_path)


@known("Go: words that two sets have, such as none, are constants of one name")
def test_openapi_generator_go_with_its_defaults(build_go):
    with known_fault("redeclared in this block"):
        build_go()


@known("Java, native: a union with a list is written as List<...>.class")
def test_openapi_generator_java_with_its_defaults(build_java):
    with known_fault(">.class"):
        build_java()


def test_the_page_says_what_each_generator_wants():
    page = (ROOT / "service/api/README.md").read_text(encoding="utf-8")
    for words in ((*GO,), (*JAVA,), ("override.contentType",), ('_content_type="multipart/form-data"',)):
        assert f"`{' '.join(words)}`" in page
