"""Keys and values of past tokens, in buffers that grow in blocks.

transformers' own cache copies everything it holds at each token. This one has the same face (`update`,
`get_seq_length`, `get_mask_sizes`, `reorder_cache`), writes in place, and can be filled from a prefix that was computed
once. It keeps every token of every layer and leaves windows and chunks to the masks, so rows may be laid out freely;
models with recurrent layers, whose state cannot be cut at a token, get transformers' cache (`shareable` tells).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

BLOCK = 64  # slots a buffer grows by: one copy of it in 64 tokens, and little is allocated that is not used


class KVCache:
    """Keys and values of all layers: two buffers `[rows, heads, slots, dim]` a layer and how many slots are filled."""

    is_compileable = False

    def __init__(self) -> None:
        self._keys: dict[int, Tensor] = {}
        self._values: dict[int, Tensor] = {}
        self._filled: dict[int, int] = {}

    # ------------------------------------------------------------------ what a model of transformers calls

    @property
    def is_sliding(self) -> list[bool]:
        """One flag a layer, all False: no layer forgets its oldest tokens."""
        return [False] * len(self._keys)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Number of filled slots."""
        return self._filled.get(layer_idx, 0)

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """Slot of the next token."""
        return self.get_seq_length(layer_idx)

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """(slots a mask must cover, the first of them) for the next `query_length` tokens."""
        return self.get_seq_length(layer_idx) + query_length, 0

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add `[rows, heads, new, dim]` to a layer and return all it holds, as views."""
        start = self.get_seq_length(layer_idx)
        end = start + keys.shape[2]
        for buffers, new in ((self._keys, keys), (self._values, values)):
            buffer = buffers.get(layer_idx)
            if buffer is None or buffer.shape[2] < end:
                buffers[layer_idx] = buffer = _grown(buffer, new, start, end)
            buffer[:, :, start:end] = new
        self._filled[layer_idx] = end
        return self._keys[layer_idx][:, :, :end], self._values[layer_idx][:, :, :end]

    def reorder_cache(self, rows: Tensor) -> None:
        """Keep the rows of the given indices, in that order; a row may be taken several times."""
        for buffers in (self._keys, self._values):
            for layer, buffer in buffers.items():
                buffers[layer] = buffer.index_select(0, rows)

    # ------------------------------------------------------------------ what the completer calls

    @property
    def bytes(self) -> int:
        """Bytes of the filled slots."""
        return sum(
            buffer.element_size() * buffer[:, :, : self._filled[layer]].numel()
            for buffers in (self._keys, self._values)
            for layer, buffer in buffers.items()
        )

    def spread(self, pads: Sequence[int], slots: int) -> KVCache:
        """A cache of `len(pads)` rows whose first slots hold this one's single row, moved right by each row's pad.

        Slot `j` of row `i` holds token `j - pads[i]`, as if the row had been padded on the left: sliding windows and
        chunks, which count slots, stay right. `slots` of the prefix's own length stay filled; slots under a pad are 0.
        """
        wide = KVCache()
        for source, target in ((self._keys, wide._keys), (self._values, wide._values)):
            for layer, buffer in source.items():
                filled = self._filled[layer]
                room = buffer.new_zeros(len(pads), buffer.shape[1], _rounded(slots + 1), buffer.shape[3])
                for first, last, pad in _runs(pads):
                    if pad < filled:
                        room[first:last, :, pad:filled] = buffer[:, :, : filled - pad]
                target[layer] = room
        wide._filled = dict(self._filled)
        return wide

    @staticmethod
    def join(caches: Sequence[KVCache]) -> KVCache:
        """The rows of several caches of equal length, one after another; the parts are emptied on the way."""
        if len(caches) == 1:
            return caches[0]
        whole = KVCache()
        whole._filled = dict(caches[0]._filled)
        for layer, filled in whole._filled.items():
            for name in ("_keys", "_values"):
                parts = [getattr(cache, name).pop(layer) for cache in caches]
                rows = sum(len(part) for part in parts)
                room = parts[0].new_zeros(rows, parts[0].shape[1], _rounded(filled + 1), parts[0].shape[3])
                torch.cat([part[:, :, :filled] for part in parts], out=room[:, :, :filled])
                getattr(whole, name)[layer] = room
        return whole


def shareable(model: nn.Module) -> bool:
    """Whether the past of every layer is a list of keys and values, so that a prefix can be computed once and cut."""
    layers = DynamicCache(config=model.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def recurrent(model: nn.Module) -> Any:
    """transformers' own cache for a model with recurrent layers; `reorder_cache` works on it as on a KVCache."""
    return DynamicCache(config=model.config)


def _grown(buffer: Tensor | None, new: Tensor, start: int, end: int) -> Tensor:
    """A zeroed buffer for `end` slots and some more, holding what was there. Zeros: masked slots must not be NaN."""
    rows, heads, _, dim = new.shape
    room = new.new_zeros(rows, heads, _rounded(end), dim)
    if buffer is not None:
        room[:, :, :start] = buffer[:, :, :start]
    return room


def _rounded(slots: int) -> int:
    return -(-slots // BLOCK) * BLOCK


def _runs(pads: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first, last + 1, pad) of neighbouring rows with one pad."""
    runs: list[tuple[int, int, int]] = []
    for row, pad in enumerate(pads):
        if runs and runs[-1][2] == pad:
            runs[-1] = (runs[-1][0], row + 1, pad)
        else:
            runs.append((row, row + 1, pad))
    return runs
