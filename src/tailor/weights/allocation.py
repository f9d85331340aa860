"""What libraries below PyTorch keep in memory, set before they are asked for anything.

The C library: a training step frees and asks again for the same hundreds of megabytes. By default each large block
goes back to the system, which hands it out anew page by page, zeroed: a tenth of a step, a third where less is fused.
Now blocks come from one heap, in pages of 2 MiB where the system has them, and what is freed stays there. Small things
that live on among them leave holes that the next step's blocks do not fit: where the heap has grown to one and a half
times what was in use at once, what is free goes back to the system. The step after it takes an eighth longer.

oneDNN: it compiles a matrix product for every shape it meets and keeps 1,024 of them, at megabytes each. Row counts
differ from step to step, so that a long run grew by gigabytes; a quarter of them holds those that come again.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import sys
from pathlib import Path

import torch

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
PRIMITIVES = "256"  # read when oneDNN is first used; what a user has set stays
GROWTH = 64 * 2**20  # bytes by which the heap grows at least
HOLES = 512 * 2**20  # bytes of holes that are left alone


@functools.cache
def keep_freed_memory() -> bool:
    """Sets the process up, once; False where its allocator is not the GNU C library's."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)
    if sys.platform != "linux":
        return False
    library = _library()
    if library is None:
        return False
    for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, GROWTH)):
        library.mallopt(option, value)
    _ask_for_large_pages(library)
    return True


def in_use(device: torch.device) -> int:
    """Bytes of the heap that are in use; 0 where that cannot be known, or where `device` has memory of its own."""
    library = _library() if device.type == "cpu" else None
    return int(library.mallinfo2().uordblks) if library is not None and hasattr(library, "mallinfo2") else 0


def give_back(most: int) -> None:
    """Returns what is free to the system, if the process holds far more than the `most` bytes in use at once."""
    if most and sum(resident()[:1]) - most >= max(HOLES, most // 2):
        trim()


def trim() -> None:
    """Returns all of the heap that is free to the system; what it grows by from here on is in large pages again."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)
        _ask_for_large_pages(library)


def resident() -> tuple[int, ...]:
    """Bytes of this process in memory, (of no file, of files); nothing where the system does not tell."""
    with contextlib.suppress(OSError, ValueError):
        _, whole, files, *_ = (int(pages) * mmap.PAGESIZE for pages in Path("/proc/self/statm").read_text().split())
        return whole - files, files
    return ()


class _Use(ctypes.Structure):
    """mallinfo2(3)."""

    _fields_ = [
        *((f"_{number}", ctypes.c_size_t) for number in range(7)),
        ("uordblks", ctypes.c_size_t),
        *((f"_{number}", ctypes.c_size_t) for number in range(8, 10)),
    ]


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The GNU C library; None on other systems."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        return None
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if hasattr(library, "mallinfo2"):  # glibc 2.33
        library.mallinfo2.restype = _Use
    return library


def _ask_for_large_pages(library: ctypes.CDLL) -> None:
    """Grows the heap over half of the free memory and marks it; nothing of it is used until it is written to."""
    size = os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE // 2
    block = library.malloc(size)
    if block:
        start = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
        library.madvise(start, (block + size - start) // mmap.PAGESIZE * mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
        library.free(block)
