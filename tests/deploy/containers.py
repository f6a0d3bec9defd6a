"""
Images without an engine: buildah builds them, and a program of theirs is run as a container engine would run it, with
its own mounts and process ids, a read-only root, no privileges and no shell. All of it needs root, on Linux.
"""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving import ROOT

TOOLS = ("buildah", "unshare", "setpriv", "mount")
STAND_IN = "localhost/python:3.11-slim"
WANTED = "python:3.13-slim"
BUILDAH = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": os.environ.get("STORAGE_DRIVER", "vfs")}

# $1 the root, $2 the working directory, $3 uid, $4 gid, then the command. Shells are covered, so that nothing can rely
# on one; the root is bound on itself so that it alone becomes read-only.
ENTER = """
set -e
root=$1 folder=$2 user=$3 group=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t tmpfs -o size=64m,mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/urandom c 1 9
mkdir dev/shm
mount -t tmpfs -o size=64m,mode=1777 tmpfs dev/shm
for shell in usr/bin/dash usr/bin/bash usr/bin/busybox; do
  if [ -f $shell ] && [ ! -L $shell ]; then mount --bind dev/null $shell; fi
done
mount -o remount,ro,bind .
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \\
  unshare --root=. --wd="$folder" --setgid="$group" --setuid="$user" "$@"
"""


def buildah(*arguments, timeout=600):
    """Run buildah; its output, without the last line's end."""
    done = subprocess.run(
        ["buildah", *arguments],
        cwd=ROOT, env=os.environ | BUILDAH, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"buildah {arguments[0]}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout.strip()


def require_tools():
    """Skip, and say why, where images cannot be built or run."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"building and running the image needs root and {', '.join(TOOLS)}; missing: {missing or 'root'}")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("building and running the image needs mount and process namespaces, which are not permitted here")


def base_image():
    """
    The base to build on: BASE_IMAGE, a stand-in that is here already, the real one from its registry, or a stand-in
    made from Debian's packages by shared/tools/base-image.sh, where a checkout has that beside or above it.
    """
    if named := os.environ.get("BASE_IMAGE"):
        return named
    for name in (STAND_IN, WANTED):
        if has_image(name):
            return name
    try:
        buildah("pull", "--quiet", WANTED, timeout=120)
    except (RuntimeError, subprocess.TimeoutExpired):
        return make_stand_in()
    return WANTED


def has_image(name):
    try:
        return bool(buildah("images", "--quiet", name))
    except RuntimeError:
        return False


def make_stand_in():
    scripts = [folder / "shared" / "tools" / "base-image.sh" for folder in (ROOT, *ROOT.parents)]
    script = next((path for path in scripts if path.is_file()), None)
    if script is None:
        pytest.skip(f"no base image: {WANTED} is out of reach; name one that is here in BASE_IMAGE")
    subprocess.run(["sh", str(script)], check=True, capture_output=True, env=os.environ | BUILDAH, timeout=600)
    return STAND_IN


@contextmanager
def mounted(image):
    """The root folder of an image, until the block ends."""
    container = buildah("from", "--pull-never", image)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def configuration(image):
    """What the image says of itself: User, Env, Cmd, Healthcheck, Labels, ..."""
    return json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]


def start(root, config, command, environ=None):
    """Start a command of the image as its own user; the process that is returned waits for it, and dies with it."""
    user, group = config["User"].split(":")
    environment = dict(pair.split("=", 1) for pair in config["Env"]) | (environ or {})
    unshare, shell = shutil.which("unshare"), shutil.which("sh")
    line = [unshare, "--mount", "--pid", "--fork", "--kill-child", shell, "-c", ENTER, "enter"]
    return subprocess.Popen(
        [*line, str(root), config["WorkingDir"], user, group, *command],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def first_process(container):
    """The id, seen from here, of the process that is number 1 within."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text(encoding="ascii").split()
    return int(children[0])


def descendants(pid):
    """Every process below pid."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return [*children, *(below for child in children for below in descendants(child))]


def status(pid):
    """/proc/<pid>/status as a dictionary."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
