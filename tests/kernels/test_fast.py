"""The fast path against the general one, which `test_trunk.py` holds against transformers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from tailor.kernels import fused_head, layout, linear, logprobs, native, why_not_fast
from tailor.kernels.arena import Arena
from tailor.weights.load import hushed

from .conftest import FAMILIES, build, plant, rows

DENSE = ["llama", "mistral", "qwen2", "qwen3"]


@pytest.fixture(params=["compiled", "torch"])
def passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Elementwise passes in C, and as PyTorch's."""
    if request.param == "torch":
        monkeypatch.setattr(native, "library", lambda: None)
    elif native.library() is None:
        pytest.skip("no C compiler here")
    yield


def adapted(model: nn.Module, r: int = 3, **settings: object) -> nn.Module:
    """With a LoRA adapter that already does something, on weights that stand still."""
    torch.manual_seed(5)
    with hushed():
        model = get_peft_model(model, LoraConfig(r=r, lora_alpha=5, target_modules="all-linear", **settings))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, 0, 0.1)
    return model


def values_and_gradients(model: nn.Module, *, reference: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Of a loss that is not linear in the log-probs."""
    model.zero_grad()
    tree = plant(rows())
    values = logprobs(model, tree, reference=reference)
    weights = torch.linspace(-1, 1, len(values))
    (values * weights + 0.05 * values**2).sum().backward()
    return values.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def distances(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> dict[str, float]:
    assert ours.keys() == theirs.keys()
    return {name: float((ours[name] - theirs[name]).norm() / theirs[name].norm()) for name in theirs}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_plain_dense_families_take_it_and_the_others_say_why_not(name: str) -> None:
    assert (why_not_fast(build(name)) == "") == (name in DENSE)


@pytest.mark.usefixtures("passes")
@pytest.mark.parametrize("rows_a_block, chunk", [(2, 1), (10**9, 10**9)])
@pytest.mark.parametrize("tuned", ["full", "lora"])
@pytest.mark.parametrize("name", DENSE)
def test_values_and_gradients_in_fp32(
    name: str, tuned: str, rows_a_block: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused_head, "ROWS", rows_a_block)  # two rows and half the vocabulary at a time, and all at once
    monkeypatch.setattr(fused_head, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(fused_head, "KEPT_BYTES", chunk)
    model = adapted(build(name)) if tuned == "lora" else build(name)
    assert not why_not_fast(model)
    theirs, wanted = values_and_gradients(model, reference=True)
    ours, got = values_and_gradients(model, reference=False)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert max(distances(got, wanted).values()) < 2e-5


def test_an_adapted_head_takes_the_general_path() -> None:
    with hushed():
        model = get_peft_model(build("llama"), LoraConfig(r=3, target_modules=["q_proj", "lm_head"]))
    assert "head" in why_not_fast(model)
    _, grads = values_and_gradients(model, reference=False)
    assert grads["base_model.model.lm_head.lora_B.default.weight"].any()


@pytest.mark.usefixtures("passes")
@pytest.mark.parametrize("tuned", ["full", "lora"])
@pytest.mark.parametrize("name", DENSE)
def test_bf16_is_as_near_to_fp32_as_the_general_path(name: str, tuned: str) -> None:
    model = adapted(build(name)) if tuned == "lora" else build(name)
    exact, wanted = values_and_gradients(model, reference=True)
    errors = {}
    for reference in (True, False):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values, got = values_and_gradients(model, reference=reference)
        whole = torch.cat([value.flatten() for value in wanted.values()])
        off = torch.cat([got[n].flatten() for n in wanted]) - whole
        errors[reference] = (float((values - exact).norm() / exact.norm()), float(off.norm() / whole.norm()))
    assert errors[False][0] < min(0.02, 1.5 * errors[True][0] + 1e-4)
    assert errors[False][1] < min(0.1, 1.5 * errors[True][1] + 1e-4)


def test_long_rows_are_cut_into_pieces_that_see_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("mistral")
    theirs, wanted = values_and_gradients(model, reference=False)
    monkeypatch.setattr("tailor.kernels.fast.BLOCK", 3)
    monkeypatch.setattr(layout, "SLACK", 0)
    ours, got = values_and_gradients(model, reference=False)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert max(distances(got, wanted).values()) < 1e-5


def test_frozen_weights_move_into_one_storage_under_their_own_names() -> None:
    model = adapted(build("qwen3"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    values_and_gradients(model, reference=False)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    layer = model.get_base_model().model.layers[0].self_attn
    parts = [getattr(layer, f"{name}_proj").base_layer.weight for name in "qkv"]
    assert len({part.untyped_storage().data_ptr() for part in parts}) == 1


def test_weights_are_cast_again_after_every_change() -> None:
    model = build("llama")
    tree = plant(rows())
    logprobs(model, tree)  # in fp32
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        first = logprobs(model, tree)
        layer = model.model.layers[0].mlp
        layer.up_proj.weight.mul_(1.5)  # as an optimiser changes it
        second = logprobs(model, tree)
        layer.up_proj.weight.data.div_(1.5)  # as code does that leaves no trace in the version counter
        third = logprobs(model, tree)
    assert (second - first).abs().max() > 1e-3
    torch.testing.assert_close(third, first, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"lora_dropout": 0.1}])
def test_adapters_that_do_more_run_their_own_modules(settings: dict[str, object]) -> None:
    model = adapted(build("llama"), **settings)
    assert "changed" in why_not_fast(model)
    assert torch.equal(*(values_and_gradients(model.eval(), reference=flag)[0] for flag in (True, False)))


def test_an_adapter_switched_off_is_not_there() -> None:
    torch.manual_seed(0)
    plain, model = build("llama"), adapted(build("llama"))
    with torch.no_grad(), model.disable_adapter():
        torch.testing.assert_close(logprobs(model, plant(rows())), logprobs(plain, plant(rows())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [32, 80])  # 80 is no multiple of what a matrix unit takes at once
@pytest.mark.parametrize("rank", [3, 40])
def test_memory_that_nobody_wrote_is_never_read(
    rank: int, width: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """oneDNN reads past the end of rows whose length is no multiple of 32, and 0 times what is no number is none."""

    def found() -> list[torch.Tensor]:
        model = adapted(build("qwen3", hidden_size=width), r=rank).to(dtype)
        values, gradients = values_and_gradients(model, reference=False)
        return [values, *gradients.values()]

    wanted = found()
    take, empty = Arena.take, torch.Tensor.new_empty

    def nothing(piece: torch.Tensor) -> torch.Tensor:
        return piece.fill_(torch.nan) if piece.is_floating_point() else piece

    monkeypatch.setattr(Arena, "take", lambda self, *how: nothing(take(self, *how)))
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda self, *how, **more: nothing(empty(self, *how, **more)))
    assert all(map(torch.equal, found(), wanted))


def test_an_adapter_of_one_weight_of_a_stack_leaves_its_neighbours_alone() -> None:
    """Asked for alone, the first weight of a stack has no free rows behind it."""
    weights = [torch.nn.Parameter(torch.randn(32, 32), requires_grad=False) for _ in range(2)]
    low = linear.Low(torch.randn(4, 32), torch.randn(32, 4), 1.0)
    first, second = linear.Dense(weights[0], None, low), linear.Dense(weights[1], None, None)
    before = weights[1].clone()
    x = torch.randn(5, 36)[:, :32]
    for members in ((first, second), (first,), (first, second)):
        bundle = linear.Bundle(members, torch.float32)
        linear.begin()
        _, inner = bundle.forward(x)
        bundle.by_input(torch.randn(5, 32 * len(members) + 4)[:, : 32 * len(members)], inner, torch.empty(5, 32))
        assert torch.equal(weights[1], before)
