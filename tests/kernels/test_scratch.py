"""Memory of a layer's pass: nothing that outlives its frame may lie in it."""

from __future__ import annotations

import gc

import pytest
import torch

from tailor.kernels import arena, logprobs
from tailor.kernels.arena import Arena
from tailor.kernels.scratch import frame, scratch

from .conftest import build, plant, rows

LIKE = torch.empty(0)


@pytest.fixture
def spoilt(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """All memory that a frame gives back becomes NaN at once; holds the bytes of each time."""
    release, spoils = Arena.release, []

    def spoil(self: Arena, mark: tuple[int, ...]) -> None:
        before = [*mark, *[0] * (len(self._used) - len(mark))]
        for block, start, end in zip(self._blocks, before, self._used):
            block[start:end] = 255
            spoils.append(end - start)
        release(self, mark)

    monkeypatch.setattr(Arena, "release", spoil)
    return spoils


def gradients(name: str, dtype: torch.dtype, again: int) -> list[torch.Tensor]:
    model = build(name).to(dtype)
    values = logprobs(model, plant(rows()), again=again)
    (values**2).sum().backward()
    return [values.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("again", [0, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["qwen3", "gemma2", "gpt-oss"])  # layers by hand; attention of the model's own modules
def test_nothing_is_read_after_its_frame(
    name: str, dtype: torch.dtype, again: int, request: pytest.FixtureRequest
) -> None:
    wanted = gradients(name, dtype, again)
    spoils = request.getfixturevalue("spoilt")
    found = gradients(name, dtype, again)
    assert sum(spoils)
    assert all(bool(part.isfinite().all()) for part in found)
    assert all(map(torch.equal, found, wanted))


def test_frames_lie_within_each_other() -> None:
    with frame():
        outer = scratch(5, 7, like=LIKE).fill_(1)
        with frame():
            first = scratch(100, like=LIKE).fill_(2)
        with frame():
            second = scratch(3, 100, like=LIKE, dtype=torch.float64).fill_(3)
            assert second.data_ptr() == first.data_ptr()
        later = scratch(5, like=LIKE)
        assert later.data_ptr() == first.data_ptr()
        assert bool((outer == 1).all())


def test_outside_of_frames_it_is_a_tensor_of_its_own() -> None:
    with frame():
        inner = scratch(100, like=LIKE)
    alone = scratch(100, like=LIKE).fill_(1)
    with frame():
        scratch(100, like=LIKE).fill_(2)
    assert alone.data_ptr() != inner.data_ptr()
    assert bool((alone == 1).all())


def test_a_frame_that_fails_gives_its_memory_back_too() -> None:
    with frame():
        place = scratch(100, like=LIKE).data_ptr()
    with pytest.raises(ValueError), frame():
        scratch(100, like=LIKE)
        raise ValueError
    with frame():
        assert scratch(100, like=LIKE).data_ptr() == place


def test_what_is_taken_is_counted_until_the_frame_ends_where_arenas_are_bypassed() -> None:
    gc.collect()
    with arena.bypassed(), frame():
        pieces = {scratch(100, like=LIKE).data_ptr() for _ in range(3)}
    assert len(pieces) == 3
