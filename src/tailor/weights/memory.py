"""How much memory there is, how much is held, and whether it ran out."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import weakref
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from tailor.weights import allocation

CGROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on the device; on the CPU without pushing anything out, nor past a container's
    limit."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = 1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
    with contextlib.suppress(OSError, StopIteration, ValueError):  # "max" is no number: no limit
        limit, used = (int((CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        lines = (CGROUP / "memory.stat").read_text().splitlines()
        cached = int(next(line for line in lines if line.startswith("inactive_file ")).split()[1])
        free = min(free, limit - used + cached)
    return free


def held_memory() -> int:
    """Resident bytes of this process now, without what its allocator keeps for later."""
    allocation.trim()
    if held := allocation.resident():
        return sum(held)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python says that memory ran out."""
    allocator = "can't allocate memory" in str(error)  # torch has no class of its own for the CPU
    return allocator or isinstance(error, MemoryError | torch.OutOfMemoryError)


class Account(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors made while it is entered and not freed since, and their largest sum so far.

    It sees every operation of torch, its backward passes and the graph's saved tensors included; what an operation
    allocates and frees inside itself it does not see.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in tree_iter((args, kwargs)):
            if isinstance(tensor, torch.Tensor):
                self._meet(tensor.untyped_storage(), count=False)  # made elsewhere: its views are not new
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, torch.Tensor):
                self._meet(tensor.untyped_storage(), count=True)
        self.peak = max(self.peak, self.live)
        return out

    def _meet(self, storage: torch.UntypedStorage, *, count: bool) -> None:
        key = storage._cdata
        if key not in self._known:
            size = storage.nbytes() if count and storage.device.type != "meta" else 0
            self._known.add(key)
            self.live += size
            weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size
