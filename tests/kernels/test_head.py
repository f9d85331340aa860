"""The head in chunks against log_softmax of all logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from tailor.kernels import head, target_logprobs
from tailor.records import Targets

from .conftest import VOCABULARY


def some_targets(rows: int, count: int) -> Targets:
    draw = np.random.default_rng(0)
    at = draw.choice(rows // 2, count).astype(np.int32)  # rows repeat, and half of them are never asked for
    return Targets(
        at, draw.integers(0, VOCABULARY, count).astype(np.int32), np.ones(count, np.float32), np.zeros(count, np.int32)
    )


@pytest.mark.parametrize("rows_a_chunk", [1, 7, 10_000])
def test_values_and_gradients(llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, rows_a_chunk: int) -> None:
    monkeypatch.setattr(head, "CHUNK_BYTES", 4 * VOCABULARY * rows_a_chunk)
    targets = some_targets(60, 90)
    hidden = torch.randn(60, 32, requires_grad=True)
    scale = torch.randn(90)
    ours = target_logprobs(llama, hidden, targets)
    assert ours.dtype == torch.float32
    got = torch.autograd.grad((ours * scale).sum(), [hidden, llama.lm_head.weight])

    table = torch.log_softmax(hidden.double() @ llama.lm_head.weight.double().T, -1)
    theirs = table[torch.as_tensor(targets.rows).long(), torch.as_tensor(targets.tokens).long()]
    wanted = torch.autograd.grad((theirs * scale).sum(), [hidden, llama.lm_head.weight])
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
    for ours_, theirs_ in zip(got, wanted):
        torch.testing.assert_close(ours_, theirs_, rtol=1e-4, atol=1e-5)


def test_no_more_than_the_rows_are_kept_for_the_backward_pass(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = 2000
    llama.lm_head = torch.nn.Linear(32, wide, bias=False)
    monkeypatch.setattr(head, "CHUNK_BYTES", 4 * wide * 50)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    hidden = torch.randn(2000, 32, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        target_logprobs(llama, hidden, some_targets(2000, 3000))
    assert sum(kept.values()) < 4 * wide * 100  # the logits of the 950 rows would be more than nine times this


def test_no_targets_are_no_logprobs(llama: PreTrainedModel) -> None:
    hidden = torch.randn(5, 32, requires_grad=True)
    out = target_logprobs(llama, hidden, some_targets(10, 0))
    assert out.shape == (0,)
    out.sum().backward()
