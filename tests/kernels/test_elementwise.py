"""Compiled passes against the same in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tailor.kernels import elementwise as passes
from tailor.kernels import native

BF16, FP32 = torch.bfloat16, torch.float32
LARGE = torch.tensor([[-1e4, -100, -88, 90, 1e4, 2, 2, 2, 2, 2]])  # five gates of which exp overflows, five ups


def randn(*shape: int, dtype: torch.dtype = FP32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


def spans(b: int, q: int, k: int) -> tuple[Tensor, Tensor]:
    """Some rows see everything, some a window, and the last ones nothing."""
    draw = torch.Generator().manual_seed(1)
    first = torch.randint(0, k // 2, (b, q), generator=draw, dtype=torch.int32)
    last = first + torch.randint(1, k // 2, (b, q), generator=draw, dtype=torch.int32)
    first[:, 0], last[:, 0] = 0, k
    first[:, -1] = last[:, -1] = 0
    return first, last


def norms(x: Tensor, dtype: torch.dtype) -> Any:
    out = torch.zeros(9, 40, dtype=dtype)[:, :33]  # rows are apart
    return out, passes.norm(x, randn(33) + 2, 1e-6, out)


def rotations(dtype: torch.dtype, weight: Tensor | None, of: torch.dtype = FP32) -> Any:
    cos, sin = (part.repeat(1, 2) for part in (randn(7, 4), randn(7, 4) + 1))
    x = randn(7, 5 * 8, dtype=dtype)[:, 8:].view(7, 4, 8)  # four of five heads: rows are apart
    y, scale = passes.rotate(x, weight, 1e-6, cos, sin)
    out = torch.zeros(7, 4, 8, dtype=dtype)
    dw = passes.rotate_backward(randn(7, 4, 8, dtype=of), x, weight, scale, cos, sin, out, weight is not None)
    return y, scale, out, dw if dw is not None else scale


def softmaxes(dtype: torch.dtype, softcap: float | None = None, sinks: Tensor | None = None) -> Any:
    first, last = spans(2, 5, 40)
    scores, dp = randn(2, 3, 10, 40, dtype=dtype), randn(2, 3, 10, 40, dtype=dtype)
    if softcap is not None:
        scores[0, 0, 0, :6] = torch.tensor([-1e30, -30, -1e-6, 1e-3, 1.4, 1e5])
    kept = scores.clone()
    lse = passes.softmax_(scores, first, last, 0.7, softcap, sinks)
    passes.softmax_backward_(kept, dp, first, last, lse, 0.7, softcap)
    return scores, lse.view(2, 3, 2, 5)[..., :4], kept, dp


def sunk(dtype: torch.dtype) -> Any:
    rows, grad = torch.tensor([[0, 1, 1], [8, 2, 5]]), randn(5)
    dout, out = randn(9, 6, 20, dtype=dtype)[:, 1:], randn(9, 7, 20, dtype=dtype)[:, 2:]
    passes.sinks_backward_(dout, out, rows, torch.tensor([2, 3]), randn(2, 5, 3) + 2, randn(5), grad)
    return grad


def kept(found: Any) -> list[Tensor]:
    """What a case came to, out of scratch memory."""
    return [part.clone() for part in ((found,) if isinstance(found, Tensor) else found)]


def long_softmax(dtype: torch.dtype, softcap: float | None = None, sinks: Tensor | None = None) -> Any:
    """More places than fit on the stack, and a number of them that ends within a vector."""
    first, last = torch.tensor([[3, 0]], dtype=torch.int32), torch.tensor([[5000, 5007]], dtype=torch.int32)
    scores = randn(1, 1, 2, 5007, dtype=dtype) * 3
    return passes.softmax_(scores, first, last, 0.7, softcap, sinks), scores


def moves(dtype: torch.dtype) -> Any:
    x = randn(9, 6 * 4, dtype=dtype)[:, 4:].view(9, 5, 4)
    rows = torch.tensor([[0, 3, 3], [8, 1, 1]])
    used = torch.tensor([2, 2])
    picked = passes.gather(x, rows).clone()
    back, total = torch.zeros(9, 5, 4, dtype=dtype), torch.zeros(9, 5, 4)
    passes.spread_(picked, rows, used, back)
    passes.scatter_(picked, rows, torch.tensor([3, 3]), total)
    return picked, back, total


def unswish(x: Tensor, dy: Tensor) -> Any:
    return passes.swiglu_backward_(x, dy), dy


def exponentials(dtype: torch.dtype) -> Any:
    logits, tops, sums = randn(5, 100, dtype=dtype) * 5, torch.full((5,), -torch.inf), torch.zeros(5)
    tops[1], sums[1], tops[2], sums[2] = 30.0, 2.0, -8.0, 3.0  # larger and smaller ones came before
    return passes.exponentials_(logits, tops, sums), logits, tops, sums


CASES: dict[str, Callable[[torch.dtype], Any]] = {
    "norm": lambda t: norms(randn(9, 33), t),
    "norm of bf16": lambda t: norms(randn(9, 33, dtype=t), t),
    "norm backward": lambda t: passes.norm_backward(randn(9, 33, dtype=t), randn(9, 33) + 1, randn(33), randn(9), None),
    "norm backward and past": lambda t: passes.norm_backward(
        randn(9, 33, dtype=t), randn(9, 33, dtype=t), randn(33), randn(9), randn(9, 33, dtype=t) * 3
    ),
    "norm weight": lambda t: passes.norm_weight(randn(9, 130, dtype=t), randn(9, 130), randn(9)),
    "rotate": lambda t: rotations(t, None),
    "rotate after norm": lambda t: rotations(t, randn(8) + 2),
    "rotate back a gradient of x's type": lambda t: rotations(t, randn(8) + 2, t),
    "swiglu": lambda t: passes.swiglu(randn(9, 66, dtype=t) * 8),
    "swiglu backward": lambda t: unswish(randn(9, 66, dtype=t) * 8, randn(9, 33, dtype=t)),
    "swiglu of large gates": lambda t: passes.swiglu(
        torch.tensor([[-1e4, -100, -88, 90, 1e4, 2, 2, 2, 2, 2]], dtype=t)
    ),
    "swiglu backward of large gates": lambda t: unswish(LARGE.to(t), randn(1, 5, dtype=t)),
    "softmax": softmaxes,
    "softmax of long rows": long_softmax,
    "softmax of long rows with a cap": lambda t: long_softmax(t, 2.0, torch.tensor([0.3])),
    "softmax with a cap": lambda t: softmaxes(t, 1.5),
    "softmax with sinks": lambda t: softmaxes(t, None, randn(6) * 3),
    "softmax with both": lambda t: softmaxes(t, 50.0, randn(6) * 3),
    "gradient by sinks": sunk,
    "moves": moves,
    "exponentials": exponentials,
}


@pytest.mark.skipif(native.library() is None, reason="no C compiler here")
@pytest.mark.parametrize("dtype", [FP32, BF16])
@pytest.mark.parametrize("case", CASES)
def test_compiled_equals_torch(case: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    call = native.call
    monkeypatch.setattr(native, "call", lambda name, *arguments: (calls.append(name), call(name, *arguments)))
    ours = kept(CASES[case](dtype))
    assert calls
    monkeypatch.setattr(native, "library", lambda: None)
    count = len(calls)
    theirs = kept(CASES[case](dtype))
    assert len(calls) == count
    for got, wanted in zip(ours, theirs, strict=True):
        assert got.dtype == wanted.dtype
        rtol, atol = (1e-5, 1e-6) if dtype == FP32 else (1e-2, 1e-3)
        torch.testing.assert_close(got, wanted, rtol=rtol, atol=atol)


def test_softmax_is_that_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The PyTorch side, against masked softmax and its autograd."""
    monkeypatch.setattr(native, "library", lambda: None)
    first, last = spans(2, 5, 40)
    scores = randn(2, 3, 10, 40).requires_grad_()
    seen = torch.zeros(2, 5, 40, dtype=torch.bool)
    for piece in range(2):
        for row in range(5):
            seen[piece, row, first[piece, row] : last[piece, row]] = True
    mask = torch.cat([seen, seen], dim=1)[:, None].expand(2, 3, 10, 40)
    wanted = (scores * 0.7).masked_fill(~mask, -torch.inf).softmax(-1).nan_to_num(0.0)
    dp = randn(2, 3, 10, 40)
    real = mask.any(-1, keepdim=True)
    torch.where(real, wanted, 0.0).backward(dp)
    ours = scores.detach().clone()
    lse = passes.softmax_(ours, first, last, 0.7)
    torch.testing.assert_close(ours, wanted.detach())
    again, grad = scores.detach().clone(), dp.clone()
    passes.softmax_backward_(again, grad, first, last, lse, 0.7)
    torch.testing.assert_close(again, wanted.detach())
    torch.testing.assert_close(grad, scores.grad.nan_to_num(0.0), rtol=1e-4, atol=1e-5)


def test_rotation_is_that_of_transformers() -> None:
    from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm, apply_rotary_pos_emb

    x = randn(7, 4, 8).requires_grad_()
    norm = Qwen3RMSNorm(8, eps=1e-6)
    norm.weight.data = randn(8) + 2
    angles = randn(7, 4).repeat(1, 2)
    cos, sin = angles.cos(), angles.sin()
    wanted, _ = apply_rotary_pos_emb(norm(x)[None].transpose(1, 2), norm(x)[None].transpose(1, 2), cos[None], sin[None])
    wanted = wanted[0].transpose(0, 1)
    ours, scale = passes.rotate(x.detach(), norm.weight.detach(), 1e-6, cos, sin)
    torch.testing.assert_close(ours, wanted.detach())
    wanted.backward(dy := randn(7, 4, 8))
    out = torch.empty(7, 4, 8)
    dw = passes.rotate_backward(dy, x.detach(), norm.weight.detach(), scale, cos, sin, out, True)
    torch.testing.assert_close(out, x.grad)
    torch.testing.assert_close(dw, norm.weight.grad)


@pytest.mark.skipif(native.library() is None, reason="no C compiler here")
@pytest.mark.parametrize("dtype", [FP32, BF16])
def test_compiled_passes_hand_nan_on(dtype: torch.dtype) -> None:
    """A run that has gone wrong must look so."""
    gates = torch.full((1, 64), torch.nan, dtype=dtype)
    assert passes.swiglu(gates).isnan().all()
    passes.norm(gates, torch.ones(64), 1e-6, out := torch.zeros_like(gates))
    assert out.isnan().all()
    passes.exponentials_(gates.clone(), torch.full((1,), -torch.inf), sums := torch.zeros(1))
    assert sums.isnan().all()
