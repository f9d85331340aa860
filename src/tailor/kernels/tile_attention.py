"""Attention over a Tree on a CPU's matrix tiles (Intel AMX): scores, softmax and what they weigh in one pass over a
piece, so that scores never leave the caches and what is masked is not computed (Dao et al. 2022; `tile_attention.c`).

`gemm_attention.py` is the same as matrix products, for processors without tiles and as the reference.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tailor.kernels import native
from tailor.kernels.layout import Batch
from tailor.kernels.scratch import scratch


def fits(*alike: Tensor) -> bool:
    """Whether these queries, keys and values can be computed on tiles."""
    plain = all(x.dtype == torch.bfloat16 and x.device.type == "cpu" for x in alike)
    library = native.library() if plain else None
    return library is not None and bool(library.has_tiles())


def attend(
    query: Tensor, key: Tensor, value: Tensor, batch: Batch, factor: float, out: Tensor, softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:  # fmt: skip
    """Writes the outcome of a batch's queries to `out` [m, heads, dv]; returns its log-sum-exp, fp32 [b, heads, q].

    Heads query [m, heads, d], key [t, kv, d] and value [t, kv, dv] may be slices of longer rows.
    """
    b, q = batch.queries.shape
    lse = torch.empty(b, query.shape[1], q)
    native.call("tile_attention", *_rows(query, key, value), *_batch(batch), *_rows(out), lse, factor,
                softcap or 0.0, sinks, *_sizes(query, key, value, batch),
                _memory(query, "tile_attention_room", batch.keys.shape[1], *_dims(key, value)))  # fmt: skip
    return lse


def attend_backward(
    dout: Tensor, out: Tensor, query: Tensor, key: Tensor, value: Tensor, batch: Batch, factor: float, lse: Tensor,
    dq: Tensor, dk: Tensor, dv: Tensor, softcap: float | None,
) -> None:  # fmt: skip
    """Gradients of `attend`, whose outcome was `out`: that by a query is written to `dq`; those by keys and values are
    added to `dk` [t, kv, d] and `dv` [t, kv, dv], contiguous and fp32."""
    group, asking = query.shape[1] // key.shape[1], batch.queries.shape[1]
    native.call("tile_attention_backward", *_rows(dout, out, query, key, value), *_batch(batch), lse, *_rows(dq),
                dk, dv, factor, softcap or 0.0, *_sizes(query, key, value, batch),
                _memory(query, "tile_attention_backward_room", group, asking, *_dims(key, value)))  # fmt: skip


def _rows(*heads: Tensor) -> list[Tensor | int]:
    return [part for x in heads for part in (x, x.stride(0))]


def _batch(batch: Batch) -> list[Tensor]:
    return [batch.queries, batch.keys, batch.asked, batch.answered, batch.first, batch.last]


def _sizes(query: Tensor, key: Tensor, value: Tensor, batch: Batch) -> list[int]:
    kv = key.shape[1]
    return [len(batch.queries), kv, query.shape[1] // kv, batch.queries.shape[1], batch.keys.shape[1],
            *_dims(key, value)]  # fmt: skip


def _dims(key: Tensor, value: Tensor) -> tuple[int, int]:
    return key.shape[2], value.shape[2]


def _memory(like: Tensor, room: str, *sizes: int) -> Tensor:
    """What the threads work in."""
    size = torch.get_num_threads() * native.count(room, *sizes)
    return scratch(size, like=like, dtype=torch.uint8)
