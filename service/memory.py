"""Memory given back to the system when it is free."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE_BYTES = 2**20
SPARE_BYTES = 2**22


def give_back_large_blocks() -> bool:
    """
    Have the C library map every block of 1 MiB or more by itself, so that it is unmapped when it is freed.

    By default glibc raises that limit to the largest block it has seen freed, up to 32 MiB, in favour of speed: after
    bodies of such sizes, worked on in several threads, a worker keeps tens of megabytes that it does not use.

    Set so, the heap itself would be cut at once to 128 KiB of what is free, and grow again with the next canvas, page
    by page: it keeps 4 MiB.

    returns: whether there was a C library that can be told so
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    wanted = ((M_MMAP_THRESHOLD, LARGE_BYTES), (M_TRIM_THRESHOLD, SPARE_BYTES))
    return hasattr(library, "mallopt") and all(bool(library.mallopt(*each)) for each in wanted)


def give_back_what_is_free() -> bool:
    """
    Have the C library give back every page that holds nothing now, as after a start that needed more than its result.

    returns: whether there was a C library that can be told so
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    return hasattr(library, "malloc_trim") and bool(library.malloc_trim(0))
