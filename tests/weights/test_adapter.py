"""What is trained: LoRA as PEFT makes it, or everything."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tailor.config import AdapterConfig, ModelConfig
from tailor.errors import ConfigError
from tailor.weights import adapter as room
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, hushed, load
from tailor.weights.save import restore, save

from .conftest import IDS, disturb, fresh, logits, stock, with_adapter, write

LORA = AdapterConfig(type="lora", r=4, lora_alpha=8)


@pytest.mark.parametrize(("limit", "choice"), [(10**9, "full"), (10, "lora")])
def test_auto_takes_full_tuning_for_small_models_and_says_so(
    saved: str, monkeypatch: pytest.MonkeyPatch, limit: int, choice: str
) -> None:
    monkeypatch.setattr(room, "FULL_BELOW", limit)
    loaded = fresh(saved)
    assert attach(loaded, AdapterConfig(r=4), seed=0) == choice == loaded.adapter
    assert any(note.startswith(f"adapter: {choice}, because the model has") for note in loaded.notes)
    assert loaded.adapted


def test_an_adapter_starts_as_pefts_own_and_changes_nothing(saved: str) -> None:
    loaded = fresh(saved)
    before = logits(loaded.model)
    attach(loaded, LORA, seed=11)
    assert torch.equal(logits(loaded.model), before)
    torch.manual_seed(11)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    with hushed():
        theirs = dict(get_peft_model(fresh(saved).model, config).named_parameters())
    ours = loaded.trainable()
    assert ours.keys() == {name for name, parameter in theirs.items() if parameter.requires_grad}
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_the_seed_draws_the_adapter_and_leaves_the_world_alone(saved: str) -> None:
    state = torch.random.get_rng_state()
    first, same, other = (fresh(saved) for _ in range(3))
    for loaded, seed in ((first, 1), (same, 1), (other, 2)):
        attach(loaded, LORA, seed=seed)
    assert torch.equal(torch.random.get_rng_state(), state)
    pairs = zip(first.trainable().values(), same.trainable().values())
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(first.trainable().values(), other.trainable().values()))


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_what_is_trained_is_fp32_and_the_arithmetic_is_not(saved: str, kind: str) -> None:
    loaded = fresh(saved, dtype="bf16")
    attach(loaded, AdapterConfig(type=kind, r=4), seed=0)  # type: ignore[arg-type]
    assert {parameter.dtype for parameter in loaded.trainable().values()} == {torch.float32}
    seen: list[torch.dtype] = []
    layer = loaded.model.get_decoder().layers[0].mlp.down_proj
    layer.register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    with loaded.autocast():
        logits(loaded.model)
    assert seen == [torch.bfloat16]


def test_an_update_below_the_eighth_bit_is_kept(saved: str) -> None:
    loaded = fresh(saved, dtype="bf16")
    attach(loaded, AdapterConfig(type="full"), seed=0)
    weight = loaded.trainable()["model.layers.0.mlp.up_proj.weight"]
    start = weight.detach().clone()
    with torch.no_grad():
        for _ in range(100):
            weight.mul_(1 + 1e-4)  # in bf16 every single one of these would be rounded away
    torch.testing.assert_close(weight, start * 1.01, rtol=1e-3, atol=0)


def test_full_tuning_trains_every_weight(saved: str) -> None:
    loaded = fresh(saved)
    attach(loaded, AdapterConfig(type="full"), seed=0)
    assert loaded.trainable().keys() == dict(loaded.model.named_parameters()).keys()


@pytest.mark.parametrize("kind", ["lora", "full"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_base_can_be_asked_through_the_trained_model(saved: str, kind: str, dtype: str) -> None:
    loaded = fresh(saved, dtype=dtype)
    with loaded.base():
        before = logits(loaded.model)
    attach(loaded, AdapterConfig(type=kind, r=4), seed=0)  # type: ignore[arg-type]
    disturb(loaded)
    trained = logits(loaded.model)
    with pytest.raises(KeyError), loaded.base():  # also when something fails inside
        tolerance = 1e-6 if dtype == "fp32" or kind == "lora" else 0.1  # full tuning computes in fp32 from here on
        torch.testing.assert_close(logits(loaded.model), before, rtol=0, atol=tolerance, check_dtype=False)
        raise KeyError
    assert not torch.allclose(trained.float(), before.float(), atol=1e-2)
    assert torch.equal(logits(loaded.model), trained)


def test_the_table_counts_what_is_covered(saved: str) -> None:
    loaded = fresh(saved)
    attach(loaded, LORA.model_copy(update={"target_modules": ("q_proj", "v_proj")}), seed=0)
    table = {row.module: (row.kind, row.adapted, row.total) for row in loaded.coverage}
    assert table["q_proj"] == ("Linear", 2, 2)
    assert table["k_proj"] == ("Linear", 0, 2)
    assert table["embed_tokens"] == ("Embedding", 0, 1)
    assert sum(row.parameters for row in loaded.coverage) >= loaded.parameters  # a tied head is listed beside its twin
    assert any(note.startswith("q_proj (Linear): 2 of 2 adapted") for note in loaded.notes)


def test_experts_are_in_the_table(tmp_path: Path) -> None:
    loaded = fresh(write(tmp_path / "base", "moe"))
    attach(loaded, LORA.model_copy(update={"target_modules": ("q_proj",)}), seed=0)
    table = {row.module: (row.adapted, row.total) for row in loaded.coverage}
    assert table["experts.gate_up_proj"] == table["experts.down_proj"] == (0, 2)


@pytest.mark.parametrize(
    ("targets", "what", "fix"),
    [
        (("q_proj", "v_prj"), "no module of this model is called 'v_prj'", "did you mean 'v_proj'"),
        ((".*proj",), "no module of this model is called '.*proj'", "did you mean"),
        ("nothing.*", "no module of this model is called 'nothing.*'", "known:"),
        ("(", "no regular expression", ""),
    ],
)
def test_a_target_that_matches_nothing_is_an_error(saved: str, targets: object, what: str, fix: str) -> None:
    loaded = fresh(saved)
    with pytest.raises(ConfigError) as caught:
        attach(loaded, AdapterConfig(type="lora", target_modules=targets), seed=0)  # type: ignore[arg-type]
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_targets_as_an_expression(saved: str) -> None:
    loaded = fresh(saved)
    attach(loaded, LORA.model_copy(update={"target_modules": r".*layers\.1\..*(q|k)_proj"}), seed=0)
    table = {row.module: (row.adapted, row.total) for row in loaded.coverage}
    assert (table["q_proj"], table["k_proj"], table["v_proj"]) == ((1, 2), (1, 2), (0, 2))


FAMILIES = ["moe", "deepseek", "llama4", "gpt-oss"]


def rows(loaded: Loaded) -> dict[str, tuple[int, int]]:
    return {row.module: (row.adapted, row.total) for row in loaded.coverage}


def lora(loaded: Loaded, seed: int = 1, **settings: object) -> Loaded:
    attach(loaded, AdapterConfig.model_validate({"type": "lora", "r": 4} | settings), seed=seed)
    return loaded


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_experts_learn_and_stock_peft_reads_them(tmp_path: Path, family: str, dtype: str) -> None:
    name = write(tmp_path / "base", family)
    loaded = fresh(name, dtype=dtype)
    before = logits(loaded.model)
    lora(loaded)
    assert torch.equal(logits(loaded.model), before)
    disturb(loaded)
    with loaded.autocast():
        loaded.model(IDS, labels=IDS).loss.backward()
    still = [name for name, p in loaded.trainable().items() if p.grad is None or not p.grad.abs().max() > 0]
    assert not still
    assert {p.dtype for p in loaded.trainable().values()} == {torch.float32}
    after = logits(loaded.model)
    with loaded.base():
        assert torch.equal(logits(loaded.model), before)
    save(loaded, tmp_path / "adapter")
    model = with_adapter(stock(name, loaded.dtype), tmp_path / "adapter")
    torch.testing.assert_close(logits(model), after, rtol=1e-6, atol=1e-6)
    again = lora(fresh(name, dtype=dtype), seed=2)
    restore(again, tmp_path / "adapter")
    assert torch.equal(logits(again.model), after)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_linear_reaches_experts_and_the_layers_beside_them_but_no_router(tmp_path: Path, family: str) -> None:
    loaded = lora(fresh(write(tmp_path / "base", family)))
    table = rows(loaded)
    layers = 1 if family in ("deepseek", "llama4") else 2
    assert table["experts.gate_up_proj"] == table["experts.down_proj"] == (layers, layers)
    assert table["router" if family in ("llama4", "gpt-oss") else "gate"] == (0, layers)
    assert table["o_proj"] == (2, 2)
    if layers == 1:  # a dense layer and a shared expert, whose names PEFT would take for those of the routed ones
        assert table["gate_proj"] == table["up_proj"] == table["down_proj"] == (2, 2)
    assert table["lm_head"] == (0, 1)
    assert any("the router is not adapted" in note for note in loaded.notes)


def test_the_rank_of_an_expert_is_a_share_of_the_whole(tmp_path: Path) -> None:
    name = write(tmp_path / "base", "moe")  # a token meets 2 of 4 experts
    for asked, rank in ((None, 2), (3, 3)):
        loaded = lora(fresh(name), expert_r=asked)
        ranks = {key: value.shape[0] for key, value in loaded.trainable().items() if "experts" in key and "_A" in key}
        assert set(ranks.values()) == {4 * rank}
        assert any(f"experts: rank {rank} for each" in note for note in loaded.notes)


def test_experts_can_be_left_out_or_taken_alone(tmp_path: Path) -> None:
    name = write(tmp_path / "base", "moe")
    assert rows(lora(fresh(name), target_parameters=()))["experts.down_proj"] == (0, 2)
    picked = rows(lora(fresh(name), target_modules=("q_proj",), target_parameters=("experts.down_proj",)))
    assert (picked["experts.down_proj"], picked["experts.gate_up_proj"], picked["q_proj"]) == ((2, 2), (0, 2), (2, 2))
    assert picked["k_proj"] == (0, 2)
    one = rows(lora(fresh(name), target_modules=r".*layers\.1\..*(q|k)_proj"))
    assert (one["q_proj"], one["experts.down_proj"]) == ((1, 2), (0, 2))


@pytest.mark.parametrize(
    ("settings", "what", "fix"),
    [
        ({"target_parameters": ("experts.down_prj",)}, "no parameter of this model is called", "'experts.down_proj'"),
        ({"target_modules": ("gate_proj",)}, "no module of this model is called 'gate_proj'", "experts.gate_up_proj"),
        ({"lora_dropout": 0.1}, "cannot have adapter.lora_dropout", "target_parameters = []"),
        ({"use_dora": True}, "cannot have adapter.use_dora", "target_parameters = []"),
        ({"init_lora_weights": "pissa"}, "cannot have adapter.init_lora_weights = 'pissa'", "target_parameters = []"),
        ({"modules_to_save": ("lm_hed",)}, "adapter.modules_to_save: no module of this model", "'lm_head'"),
    ],
)
def test_what_experts_cannot_have_is_refused(tmp_path: Path, settings: dict[str, object], what: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lora(fresh(write(tmp_path / "base", "moe")), **settings)
    assert what in caught.value.what
    assert fix in caught.value.fix


def theirs(name: str, init: str, **settings: object) -> torch.nn.Module:
    """PEFT's own adapter from the same seed; it changes the weights where `init` decomposes them."""
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=32, target_modules="all-linear", init_lora_weights=init, **settings)
    with hushed():
        model: torch.nn.Module = get_peft_model(stock(name), config)
    return model.eval()


@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("init", ["gaussian", "pissa", "olora"])
def test_starting_points_are_pefts(saved: str, init: str, rslora: bool) -> None:
    loaded = lora(fresh(saved), init_lora_weights=init, use_rslora=rslora)
    peft = theirs(saved, init, use_rslora=rslora)
    wanted = {key: value for key, value in peft.named_parameters() if "lora_" in key}
    assert loaded.trainable().keys() == wanted.keys()
    for key, value in loaded.trainable().items():
        torch.testing.assert_close(value, wanted[key], rtol=1e-5, atol=1e-6)
    for model in (loaded.model, peft):
        torch.manual_seed(2)
        with torch.no_grad():
            for value in (value for value in model.parameters() if value.requires_grad):
                value.add_(torch.randn_like(value) * 0.05)
    torch.testing.assert_close(logits(loaded.model), logits(peft), rtol=0, atol=1e-4)


def test_the_fast_start_is_near_the_exact_one(saved: str) -> None:
    exact, fast = (lora(fresh(saved), init_lora_weights=init) for init in ("pissa", "pissa_niter_16"))
    first, second = (
        next(m for n, m in loaded.model.named_modules() if n.endswith("0.mlp.up_proj")).get_delta_weight("default")
        for loaded in (exact, fast)
    )
    assert (first - second).norm() < 0.1 * first.norm()  # the values of a random matrix lie close together


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_a_decomposed_start_is_saved_for_the_original_weights(
    saved: str, tmp_path: Path, init: str, dtype: str
) -> None:
    settings = {"init_lora_weights": init, "use_rslora": init == "pissa"}
    loaded = fresh(saved, dtype=dtype)
    before = logits(loaded.model)
    lora(loaded, **settings)
    torch.testing.assert_close(logits(loaded.model), before, rtol=0, atol=1e-4 if dtype == "fp32" else 0.05)
    disturb(loaded)
    trained = loaded.trainable().keys()
    with loaded.base():
        assert torch.equal(logits(loaded.model), before)
    assert loaded.trainable().keys() == trained  # the frozen part stays frozen
    after = logits(loaded.model)
    save(loaded, tmp_path / "adapter")
    peft = with_adapter(stock(saved, loaded.dtype), tmp_path / "adapter")
    assert peft.peft_config["default"].r == 8
    assert peft.peft_config["default"].init_lora_weights is True
    torch.testing.assert_close(logits(peft), after, rtol=0, atol=1e-5 if dtype == "fp32" else 0.05)
    assert not torch.allclose(after.float(), before.float(), atol=0.1)
    again = lora(fresh(saved, dtype=dtype), **settings)
    restore(again, tmp_path / "adapter")
    assert torch.equal(logits(again.model), after)


def test_what_peft_refuses_is_a_setting_that_cannot_be_used(saved: str) -> None:
    with pytest.raises(ConfigError, match=r"PEFT cannot make this adapter: .*RMSNorm"):
        lora(fresh(saved), target_modules=("input_layernorm",))


def test_only_linear_layers_have_a_principal_part(saved: str) -> None:
    with pytest.raises(ConfigError, match=r"is for linear layers, and base_model\.model\.model\.embed_tokens is none"):
        lora(fresh(saved), target_modules=("q_proj", "embed_tokens"), init_lora_weights="olora")


@pytest.mark.parametrize(("kind", "module"), [("untied", "lm_head"), ("tied", "embed_tokens"), ("tied", "lm_head")])
def test_modules_trained_whole_beside_the_adapter(tmp_path: Path, kind: str, module: str) -> None:
    name = write(tmp_path / "base", kind)
    loaded = fresh(name, dtype="bf16")
    before = logits(loaded.model)
    lora(loaded, modules_to_save=(module,))
    whole = {key: value for key, value in loaded.trainable().items() if "modules_to_save" in key}
    assert len(whole) == 1  # a tied table is one
    assert {value.dtype for value in loaded.trainable().values()} == {torch.float32}
    assert rows(loaded)[module] == (1, 1)
    disturb(loaded)
    with loaded.base():
        assert torch.equal(logits(loaded.model), before)
    with loaded.autocast():
        after = logits(loaded.model)
    save(loaded, tmp_path / "adapter")
    peft = with_adapter(stock(name), tmp_path / "adapter")
    torch.testing.assert_close(logits(peft), after.float(), rtol=0, atol=0.1)


@pytest.mark.parametrize(("kind", "said"), [("tied", True), ("untied", False)])
def test_half_of_a_tied_pair_is_adapted_aloud(tmp_path: Path, kind: str, said: bool) -> None:
    loaded = lora(fresh(write(tmp_path / "base", kind)), target_modules=("q_proj", "lm_head"))
    assert any("tied, and only lm_head is adapted" in note for note in loaded.notes) == said
    whole = lora(fresh(write(tmp_path / "again", kind)), modules_to_save=("lm_head",))
    assert not any("tied, and only" in note for note in whole.notes)


@pytest.mark.parametrize("kind", ["tied", "untied"])
def test_new_tokens_are_trained_and_old_ones_are_not(tmp_path: Path, kind: str) -> None:
    name = write(tmp_path / "base", kind)
    loaded = load(ModelConfig(name=name, dtype="bf16"), device="cpu", vocabulary=64)
    lora(loaded)
    deltas = {key: value for key, value in loaded.trainable().items() if "trainable_tokens" in key}
    assert [tuple(value.shape) for value in deltas.values()] == [(3, 32)] * (1 if kind == "tied" else 2)
    assert any("3 new rows of embed_tokens" in note and "are trained" in note for note in loaded.notes)
    ids = torch.tensor([[5, 61, 7, 62, 63, 9]])
    with loaded.autocast():
        loaded.model(ids, labels=ids).loss.backward()
    assert all(value.grad is not None and (value.grad.abs().sum(-1) > 0).all() for value in deltas.values())
    assert {value.dtype for value in deltas.values()} == {torch.float32}
    disturb(loaded)
    tables = [loaded.model.get_input_embeddings().weight, loaded.model.get_output_embeddings().weight]
    old = stock(name, torch.bfloat16)
    for table, was in zip(tables, (old.get_input_embeddings(), old.get_output_embeddings())):
        assert torch.equal(table[:61], was.weight)
        assert not torch.equal(table[61:], was.weight.float().mean(0).to(torch.bfloat16).expand(3, -1))
    with pytest.raises(ConfigError, match="new rows are trained anyway"):
        lora(load(ModelConfig(name=name), device="cpu", vocabulary=64), modules_to_save=("embed_tokens",))


def test_new_tokens_beside_a_head_with_a_bias_stay_aloud(saved: str) -> None:
    loaded = load(ModelConfig(name=saved, dtype="fp32"), device="cpu", vocabulary=64)
    loaded.model.lm_head.bias = torch.nn.Parameter(torch.ones(64), requires_grad=False)
    before = logits(loaded.model)
    lora(loaded)
    assert torch.equal(logits(loaded.model), before)
    assert not any("trainable_tokens" in key for key in loaded.trainable())
    assert any("new tokens stay at the mean" in note for note in loaded.notes)
