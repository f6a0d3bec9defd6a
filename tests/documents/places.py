"""
Where each printed command is run; the first pattern that fits it whole decides.

QUICK: within `make test`. LONG: within `make proof ONLY=docs`. Any other place is a sentence that says why no test runs
it as it is printed.
"""

import re

QUICK = "make test"
LONG = "make proof ONLY=docs"

IMAGE = "needs a container engine and a base image; make proof ONLY=deploy builds and runs the image without Docker"
COMPOSE = "needs Docker and a running Compose; tests/deploy/test_hosts.py runs its parts without it"
CLUSTER = "needs a cluster; tests/deploy/test_manifests.py checks the files that are applied"
SYSTEMD = "needs a machine that systemd has started; tests/deploy/test_systemd.py checks the unit"
SET = "is make serve, which is run, with settings; tests/test_settings.py, tests/door and tests/server try those"
TESTS = "runs the tests themselves"
INSTALLED = "installs into the reader's environment; tests/commands/test_installed.py does so in one of its own"
EXAMPLE = "starts an example; tests/deploy/test_examples.py does"
GROUP = "is a group of make proof of its own"
MNIST = "needs MNIST, and minutes"
WRITES = "writes files of the repository, which tests/test_architecture.py and tests/api/test_answers.py compare"

PLACES = (
    (r"curl .*", QUICK),
    (r"make (lint|format|manifests|settings|clean)", QUICK),
    (r"\.venv-test/bin/python -m training (evaluate models/digits/1|--help)", QUICK),
    (r"\.venv-test/bin/python -m tests\.(documents|api\.examples)", QUICK),
    (r"(\.venv-test/bin/)?python -m tests\.(architecture|private_parts|api\.corpus write)", WRITES),
    (r"make (serve|sbom|lock)", LONG),
    (r"\.venv/bin/pip install pyarrow tqdm", LONG),
    (r"\.venv/bin/python -m service score pictures/ results/", LONG),
    (r"pip install .*|filterscope .*", INSTALLED),
    (r"(go run|java|Rscript) .*|jupyter lab|python3 -m http.server 3000", EXAMPLE),
    (r"python (deploy/examples/)?signs\.py", "trains a network; tests/adopt/test_worked.py runs it under make proof"),
    (r"make proof ONLY=deploy", TESTS),
    (r"make (test|proof)", TESTS),
    (r"make (fuzz|soak|cluster|audit|licences|interop)", GROUP),
    (r"\.venv-test/bin/python -m tests\.reading(_numbers| --rules --page)", MNIST),
    (r"make train|\.venv-test/bin/python -m (tests\.corruptions|training seams)", MNIST),
    (r"(QUICK=1 )?make bench( PAGE=1)?", "takes a quarter of an hour of a machine that does nothing else"),
    (r"([A-Z_]+=\S+ )+make serve", SET),
    (r"openssl rand -hex 16 >> keys\.txt", "writes a line of 32 characters, and needs OpenSSL"),
    (r"git clone ADDRESS .*", "the reader fills in the address; every command is run in what a clone would be"),
    (r"sudo systemctl .*|sudo (git|make|cp) .*/opt/filterscope.*|journalctl .*", SYSTEMD),
    (r"systemd-analyze verify", "is the name of a command, not a whole one; tests/deploy/test_systemd.py runs it"),
    (r"brew .*|wsl .*|sudo apt .*", "needs macOS or Windows, where nothing of this was tried"),
    (r"\.venv-test/bin/python -m tests\.web\.screenshot", "needs Chromium; tests/test_docs.py compares what it writes"),
    (
        r"\.venv-test/bin/python -m tests\.web\.lecture\.figures",
        "needs MNIST; the tests of the lecture compare its networks",
    ),
    (r"make \.venv-test/ready", "makes the environment that this test runs in"),
    (r"make browser", "needs root: it installs a package of Debian"),
    (r"make checker", "needs Node.js, and fetches a package of npm"),
    (r"make image", IMAGE),
    (r"docker (build|run) .*", IMAGE),
    (r"docker exec ID .*", "the reader fills in the container and the program"),
    (r"docker compose .*", COMPOSE),
    (r"nginx -s reload", "runs within the container of nginx"),
    (r"kubectl .*", CLUSTER),
    (r".*models/NAME/.*|.*\bDIR\b.*|.*training train NAME", "the reader fills in the model"),
    (r"\.venv/bin/pip install 'ray\[data\]' tqdm", "make cluster installs Ray, and scores on it"),
    (r"mlserver infer", "is the name of a command, not a whole one; make interop runs it"),
)
# What a command needs beside the checkout, and is skipped without.
NEEDS = {r".*training evaluate models/digits/1": "MNIST"}


def place(command):
    """
    QUICK, LONG, the reason why it is not run, or None for a command that no one has thought of.

    >>> place("make clean"), place("rm -rf /")
    ('make test', None)
    """
    return next((where for pattern, where in PLACES if re.fullmatch(pattern, plain(command), re.DOTALL)), None)


def plain(command):
    """A command without the comment behind it."""
    return re.sub(r"\s+# .*", "", command.strip())


def needs_mnist(command):
    """Whether a command looks for MNIST."""
    return any(re.fullmatch(pattern, command) for pattern in NEEDS)
