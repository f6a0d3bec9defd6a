"""
What the child does: AdoptionOptions as JSON comes in, what came of it goes out as JSON.

It sets the limits of memory and time that it is called with, `python -m service.adopt.work BYTES SECONDS`, before it
opens what came from someone: a file of 150 bytes may ask for 64 GiB, or for hours.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.adopt.asked import AdoptionOptions

FILE_BYTES = 1 << 30


def main() -> None:
    """Adopt one file and tell what came of it; whatever goes wrong is told in one line."""
    answer = os.dup(1)
    os.dup2(2, 1)  # libraries may print
    memory_bytes, cpu_seconds = map(int, sys.argv[1:])
    hold(memory_bytes, cpu_seconds)
    import msgspec  # noqa: PLC0415  # these only once it is held

    from service.adopt.asked import AdoptionOptions  # noqa: PLC0415

    told = answered(msgspec.json.decode(sys.stdin.buffer.read(), type=AdoptionOptions))
    with os.fdopen(answer, "wb") as out:
        out.write(msgspec.json.encode(told))


def answered(asked: "AdoptionOptions") -> dict[str, Any]:
    """Adopt a file: `adopted` is what it is, or `refused` the line that says why not."""
    from service.adopt.adoption import make_model  # noqa: PLC0415
    from service.adopt.asked import Refused  # noqa: PLC0415

    try:
        return {"adopted": make_model(asked)}
    except Refused as refused:
        return {"refused": str(refused)}
    except MemoryError:
        return {"refused": "it needs more memory than adopting may take"}
    except Exception as error:  # noqa: BLE001  # a strange file may bring any library to any error
        return {"refused": str(Refused(f"it cannot be adopted: {type(error).__name__}: {error}"))}


def hold(memory_bytes: int, cpu_seconds: int) -> None:
    """Set the limits of this process, and of what it starts."""
    try:
        import resource  # noqa: PLC0415  # does not exist on Windows
    except ModuleNotFoundError:
        return
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, hard))


if __name__ == "__main__":
    main()
