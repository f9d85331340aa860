"""Memory of passes: cut without overlap, never shared by two that live, used again when they are gone."""

from __future__ import annotations

import gc

import pytest
import torch

from tailor.kernels import arena, logprobs
from tailor.kernels.arena import Arena

from .conftest import build, plant, rows


@pytest.fixture(autouse=True)
def empty() -> None:
    gc.collect()
    arena.clear()


def place(piece: torch.Tensor) -> range:
    return range(piece.data_ptr(), piece.data_ptr() + piece.nbytes)


def test_pieces_are_aligned_and_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "BLOCK", 4096)
    mine = Arena()
    shapes = [(3, 7), (1000,), (5, 2, 100), (0, 4), (9000,), (1,)]
    pieces = [mine.take(dtype, *shape) for dtype in (torch.float32, torch.bfloat16) for shape in shapes]
    for number, piece in enumerate(pieces):
        assert piece.is_contiguous()
        assert piece.shape == shapes[number % len(shapes)]
        assert not piece.numel() or piece.data_ptr() % arena.LINE == 0
        piece.fill_(number)
    assert all((piece == number).all() for number, piece in enumerate(pieces))


def test_memory_is_used_again_when_its_arena_is_gone_and_not_before() -> None:
    first, second = Arena(), Arena()
    pieces = [first.take(torch.float32, 100), second.take(torch.float32, 100)]
    assert not set(place(pieces[0])) & set(place(pieces[1]))
    before = place(pieces[0])
    del first, pieces
    assert place(Arena().take(torch.float32, 100)) == before


def gradients(model: torch.nn.Module, loss: torch.Tensor) -> list[torch.Tensor]:
    return [grad.clone() for grad in torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)]


def test_passes_that_live_at_once_leave_each_other_alone() -> None:
    model = build("llama")
    data = rows()
    alone = [gradients(model, logprobs(model, plant(part)).sum()) for part in (data[:2], data[2:])]
    losses = [logprobs(model, plant(part)).sum() for part in (data[:2], data[2:])]
    for loss, wanted in zip(reversed(losses), reversed(alone)):
        for _ in range(2):  # a graph that is kept can be walked again
            assert all(map(torch.equal, gradients(model, loss), wanted))


def test_a_pass_without_gradients_holds_nothing() -> None:
    model = build("llama")
    logprobs(model, plant(rows())).sum().backward()
    assert arena._free
    with torch.no_grad():
        logprobs(model, plant(rows()))
    assert not arena._free
