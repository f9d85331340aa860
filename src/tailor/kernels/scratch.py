"""Memory for what lives within one layer's pass, asked for once and used by every layer after it.

What was written a moment ago is still in the processor's caches, and memory that is asked for anew is not: 4% of a
step of 50M parameters. And what comes and goes between blocks that stay leaves holes, which the rows of the next step
do not fit. What has to stay until the backward pass lies in an `arena`.
"""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor


class _Blocks(threading.local):
    def __init__(self) -> None:
        self.held: dict[tuple[str, torch.dtype], Tensor] = {}


_blocks = _Blocks()


def scratch(name: str, *shape: int, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Memory of this shape, with anything in it, on the device of `like` and in its type if no other is given.

    It is anyone's who asks by the same name: nothing that is kept or handed on may lie here. On a GPU, whose allocator
    knows streams, it is a tensor of its own.
    """
    dtype = dtype or like.dtype
    count, key = math.prod(shape), (name, dtype)
    if like.device.type != "cpu":
        return like.new_empty(shape, dtype=dtype)
    block = _blocks.held.get(key)
    if block is None or len(block) < count:
        _blocks.held.pop(key, None)
        block = None  # before the larger one is asked for
        block = _blocks.held[key] = torch.empty(count, dtype=dtype)
    return block[:count].view(shape)


def clear() -> None:
    """Gives all of this thread's scratch memory back."""
    _blocks.held.clear()
