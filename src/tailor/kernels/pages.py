"""Pages of a weights file: what was read through a mapping stays in memory beside its copy until the system is told."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor


def forget(weights: Sequence[Tensor]) -> list[Tensor]:
    """Takes the pages that `weights` alone lie on out of this process, where they are those of a file; returns these.

    They are read again should anyone ask for them, as the file has them. So are some of them when their neighbours
    are read, as systems map files in pieces of up to 2 MiB.
    """
    if sys.platform != "linux" or weights[0].device.type != "cpu":
        return []
    found, files = [], _files()
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for weight in weights:
        start = -(-weight.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (weight.data_ptr() + weight.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if any(first <= start < end <= last for first, last in files):
            advise(start, end - start, mmap.MADV_DONTNEED)
            found.append(weight)
    return found


def _files() -> list[tuple[int, int]]:
    """Addresses [first, last) of this process's private mappings of files that are not machine code."""
    found = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():  # proc_pid_maps(5)
            place, rights, _, _, inode, *_ = line.split()
            if inode != "0" and rights[2:] == "-p":
                first, last = (int(side, 16) for side in place.split("-"))
                found.append((first, last))
    return found
