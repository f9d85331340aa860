"""Memory for what lives within one layer's pass: the same places again in every layer.

What was written a moment ago is still in the processor's caches, and memory that is asked for anew is not: 4% of a
step of 50M parameters. And what comes and goes between blocks that stay leaves holes, which the rows of the next step
do not fit. What has to stay until the backward pass lies in an `arena` of the pass's own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch import Tensor

from tailor.kernels.arena import Arena


class _Own(threading.local):
    def __init__(self) -> None:
        self.arena = Arena()
        self.frames: list[list[Tensor]] = []  # what was taken in each that is open, innermost last


_own = _Own()


@contextlib.contextmanager
def frame() -> Iterator[None]:
    """What `scratch` gives within is free again at the end, all at once: nothing of it may be kept or handed on."""
    mark = _own.arena.mark()
    _own.frames.append([])
    try:
        yield
    finally:
        _own.frames.pop()
        _own.arena.release(mark)


def scratch(*shape: int, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Memory of this shape until the innermost `frame` ends, with anything in it, on the device of `like` and in its
    type if no other is given.

    Outside all frames, and on a GPU, whose allocator knows streams, it is a tensor of its own.
    """
    dtype = dtype or like.dtype
    if like.device.type != "cpu" or not _own.frames:
        return like.new_empty(shape, dtype=dtype)
    piece = _own.arena.take(dtype, *shape)
    _own.frames[-1].append(piece)
    return piece
