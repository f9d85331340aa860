"""Memory for what a pass keeps until its backward pass, held from step to step.

Steps differ in rows, so that what one keeps never fits the holes that the last one left in the C heap: a process held
60% more than it used. Here all of it is cut, one piece after another, from large blocks that stay.
"""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 128 * 2**20  # bytes
LINE = 64  # bytes to which pieces are aligned

_free: list[list[Tensor]] = []  # blocks of arenas that nobody uses
_bypassed = False


class Arena:
    """Memory of one pass. It is free again when the arena is gone: whoever keeps a piece keeps the arena too."""

    def __init__(self) -> None:
        self._blocks = _free.pop() if _free else []
        self._used = [0] * len(self._blocks)
        weakref.finalize(self, _free.append, self._blocks).atexit = False

    def mark(self) -> tuple[int, ...]:
        """How far each block is used."""
        return tuple(self._used)

    def release(self, mark: tuple[int, ...]) -> None:
        """Frees what was taken since `mark`, whoever may still hold it."""
        self._used = [*mark, *[0] * (len(self._used) - len(mark))]

    def take(self, dtype: torch.dtype, *shape: int) -> Tensor:
        """Memory of this shape, with anything in it."""
        size = math.prod(shape) * dtype.itemsize
        if _bypassed or not size:
            return torch.empty(shape, dtype=dtype)
        block = next((n for n, used in enumerate(self._used) if used + size <= len(self._blocks[n])), None)
        if block is None:
            block = len(self._blocks)
            self._blocks.append(torch.empty(max(BLOCK, size), dtype=torch.uint8))
            self._used.append(0)
        start = self._used[block]
        self._used[block] = start + -(-size // LINE) * LINE
        piece = torch.empty(0, dtype=dtype)  # autograd wants no views
        return piece.set_(self._blocks[block].untyped_storage(), start // dtype.itemsize, shape)  # type: ignore[call-overload, no-any-return]


def clear() -> None:
    """Gives back the memory that no pass uses."""
    _free.clear()


@contextlib.contextmanager
def bypassed() -> Iterator[None]:
    """Makes every piece memory of its own, so that what a pass keeps can be counted."""
    global _bypassed
    _bypassed = True
    try:
        yield
    finally:
        _bypassed = False
