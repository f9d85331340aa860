"""What libraries below PyTorch keep in memory, set before they are asked for anything.

The C library: a training step frees and asks again for the same hundreds of megabytes. By default each large block
goes back to the system, which hands it out anew page by page, zeroed: a tenth of a step, a third where less is fused.
Now blocks come from one heap, which never shrinks, in pages of 2 MiB where the system has them.

oneDNN: it compiles a matrix product for every shape it meets and keeps 1,024 of them, at megabytes each. Row counts
differ from step to step, so that a long run grew by gigabytes; a quarter of them holds those that come again.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
PRIMITIVES = "256"  # read when oneDNN is first used; what a user has set stays
GROWTH = 64 * 2**20  # bytes by which the heap grows at least


@functools.cache
def keep_freed_memory() -> bool:
    """Sets the process up, once; False where its allocator is not the GNU C library's."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, GROWTH)):
        library.mallopt(option, value)
    _ask_for_large_pages(library)
    return True


def _ask_for_large_pages(library: ctypes.CDLL) -> None:
    """Grows the heap over half of the free memory and marks it; nothing of it is used until it is written to."""
    size = os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE // 2
    block = library.malloc(size)
    if block:
        start = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
        library.madvise(start, (block + size - start) // mmap.PAGESIZE * mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
        library.free(block)
