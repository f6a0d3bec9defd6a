"""
The folder of files in which the counts of all workers lie together.

gunicorn's master makes it (`prepare_folder`), adds up the files of workers that have ended (`forget`) and removes it
(`remove_folder`). Where no folder can be written, every worker has its own numbers.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

log = logging.getLogger(__name__)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FOLDER_PREFIX = "filterscope-metrics-"
# Held by the master and the workers it forked for as long as one of them lives.
IN_USE = "in-use"
# Held while the files of ended workers are added up, and while a page is read.
ADDING_UP = "adding-up"
# Of the counters and histograms of all workers that have ended; the library takes what stands here for a process.
ENDED = "ended"
# What one process may need of each kind of file, at those bounds.
FILE_BYTES = MappingProxyType(
    {"counter": 2**18, "histogram": 5 * 2**19, "gauge_livesum": 2**16, "gauge_livemax": 2**16},
)


def prepare_folder() -> Path | None:
    """
    Make the folder that the workers share, and remove those that no one uses any more; in the master, before a fork.

    It is made in PROMETHEUS_MULTIPROC_DIR where that is set, else in /dev/shm, else in the system's folder for
    temporary files. The variable leads to it from then on. Where nothing can be written there is none: see above.
    """
    given = os.environ.pop(VARIABLE, "")
    if given:
        candidates = [Path(given)]
        with contextlib.suppress(OSError):
            candidates[0].mkdir(parents=True, exist_ok=True)
    else:
        candidates = [Path("/dev/shm")]  # noqa: S108  # a folder of an unpredictable name is made in it
        with contextlib.suppress(OSError):  # there is no folder for temporary files that can be written
            candidates.append(Path(tempfile.gettempdir()))
    for candidate in candidates:
        try:
            folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=candidate))
            _hold(folder)
        except OSError:
            continue
        _remove_unused(candidate)
        os.environ[VARIABLE] = str(folder)
        return folder
    where = " nor ".join(str(candidate) for candidate in candidates)
    log.warning("no folder for metrics: cannot write to %s; each worker shows its own numbers", where)
    return None


_held: dict[Path, int] = {}


def _hold(folder: Path) -> None:
    """Mark a folder as used until this process, and all it forks, have ended, whatever ends them."""
    descriptor = os.open(folder / IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held[folder] = descriptor


def _remove_unused(parent: Path) -> None:
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        try:
            descriptor = os.open(folder / IN_USE, os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # another user's, or one that is just being made
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def remove_folder() -> None:
    """Remove the folder again; in the master, at its end."""
    for folder, descriptor in _held.items():
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
        if os.environ.get(VARIABLE) == str(folder):
            del os.environ[VARIABLE]
    _held.clear()


@contextlib.contextmanager
def put_aside() -> Iterator[None]:
    """Within the block there is no folder: what is counted there is that of this process, and seen by no other."""
    folder = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if folder is not None:
            os.environ[VARIABLE] = folder


def forget(pid: int) -> None:
    """
    Take a worker that has ended out of the gauges, and put its counts to those of all that have; in the master.

    So there are never more files than living workers and one: a worker that is replaced every second fills no disk.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # the master needs it here alone

    with contextlib.suppress(OSError):
        mark_process_dead(pid, folder)
    for kind in ("counter", "histogram"):
        try:
            with _locked(Path(folder), fcntl.LOCK_EX):
                _add_up(Path(folder), kind, pid)
        # A file cut short, a full disk: counts are lost, the service is not.
        except (OSError, ValueError, RuntimeError, struct.error):
            log.exception("the counts of worker %d are lost", pid)


def _add_up(folder: Path, kind: str, pid: int) -> None:
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415

    ended = folder / f"{kind}_{ENDED}.db"
    last = folder / f"{kind}_{pid}.db"
    if not last.exists():
        return
    if not ended.exists():
        last.rename(ended)
        return
    try:
        # At most every key of the one is new to the other.
        with last.open("rb") as of_last, ended.open("r+b") as of_all:
            _make_room(of_all.fileno(), sum(struct.unpack("i", file.read(4))[0] for file in (of_last, of_all)))
        sums = MmapedDict(str(ended))
        try:
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(last)):
                sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
        finally:
            sums.close()
    finally:
        last.unlink()


@contextlib.contextmanager
def _locked(folder: Path | None, how: int) -> Iterator[None]:
    """Hold the lock on the adding up."""
    if folder is None:
        yield
        return
    descriptor = os.open(folder / ADDING_UP, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _make_room(descriptor: int, size: int) -> None:
    """Give a file that many bytes now: one that finds no room when its map is written to ends the process (SIGBUS)."""
    if size:
        os.posix_fallocate(descriptor, 0, size)


def _reserve() -> Path | None:
    """
    The folder of the workers, with room made for this one's files; None where there is none, or no room in it.

    The bounds above see to it that the files never grow.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    files = {Path(folder) / f"{kind}_{os.getpid()}.db": size for kind, size in FILE_BYTES.items()}
    try:
        with _locked(Path(folder), fcntl.LOCK_EX):  # a page that is being read cannot be read with an empty file
            for path, size in files.items():
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    _make_room(descriptor, size)
                except OSError:
                    for made in files:
                        made.unlink(missing_ok=True)
                    raise
                finally:
                    os.close(descriptor)
    except OSError as error:
        log.warning("no room for metrics in %s (%s); this worker shows its own numbers", folder, error.strerror)
        # The library looks at the variable when it is imported.
        del os.environ[VARIABLE]
        return None
    return Path(folder)
