"""Trees against the models' own forward passes, one row at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, BloomConfig, MambaConfig, Phi3Config, PreTrainedModel

from tailor.errors import ModelError
from tailor.kernels import check_model, hidden_states, logprobs, why_not_share
from tailor.methods import sft
from tailor.records import Datum, Tree

from .conftest import SIZES, VOCABULARY, build, datum, plant, rows

WINDOWS = 6  # the largest window or chunk of the families under test


def gradients(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def one_by_one(model: PreTrainedModel, datums: Sequence[Datum]) -> tuple[float, dict[str, torch.Tensor]]:
    """Summed loss and its gradient by transformers alone: eager attention, labels, a row at a time."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    model.zero_grad()
    total = 0.0
    for row in datums:
        ids = torch.tensor(row.ids, dtype=torch.int64)[None]
        labels = torch.where(torch.tensor(row.weights)[None] > 0, ids, -100)
        loss = model(input_ids=ids, labels=labels).loss * row.trained
        loss.backward()
        total += loss.item()
    model.set_attn_implementation(before)
    return total, gradients(model)


def as_trees(
    model: PreTrainedModel, trees: Sequence[Tree], reference: bool = False, again: int = 0
) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    total = 0.0
    for tree in trees:
        loss = sft.loss(logprobs(model, tree, reference=reference, again=again), tree, sft.Settings())["nll"]
        loss.backward()
        total += loss.item()
    return total, gradients(model)


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    """Relative to its norm, the whole gradient agrees to 3e-6 and that of each tensor to 1e-5."""
    assert ours.keys() == theirs.keys()
    whole = torch.cat([value.flatten() for value in theirs.values()]).norm()
    distance = torch.cat([(ours[name] - theirs[name]).flatten() for name in theirs]).norm() / whole
    assert distance < 3e-6
    for name, value in theirs.items():
        assert (ours[name] - value).norm() <= 1e-5 * max(value.norm(), 1e-2 * whole), name


@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("share", [True, False])
def test_a_tree_gives_the_loss_and_gradient_of_its_rows_one_by_one(
    family: PreTrainedModel, share: bool, reference: bool
) -> None:
    datums = rows()
    tree = plant(datums, share)
    assert max(map(len, datums)) > 3 * WINDOWS
    assert (len(tree) < 0.6 * sum(map(len, datums))) == share
    loss, gradient = as_trees(family, [tree], reference)
    expected, expected_gradient = one_by_one(family, datums)
    assert loss == pytest.approx(expected, rel=2e-6)
    assert_equal(gradient, expected_gradient)


@pytest.mark.parametrize("reference", [True, False])
def test_a_token_of_one_row_never_moves_another_row(family: PreTrainedModel, reference: bool) -> None:
    datums = rows()
    tree = plant(datums)
    with torch.no_grad():
        before = logprobs(family, tree, reference=reference)
        for changed in range(len(datums)):
            own = [row for row in np.flatnonzero(tree.targets.datums == changed) if _private(tree, row)]
            if not own:
                continue
            ids = tree.ids.copy()
            ids[tree.targets.rows[own[0]]] = (ids[tree.targets.rows[own[0]]] + 7) % VOCABULARY
            other = Tree(ids, tree.positions, tree.segments, tree.targets, tree.datums)
            after = logprobs(family, other, reference=reference)
            moved = (after - before).abs() > 1e-5
            assert moved[own].any()
            assert not moved[torch.as_tensor(tree.targets.datums != changed)].any()


def _private(tree: Tree, target: int) -> bool:
    """Whether the row that predicts a target belongs to its Datum alone: no other predicts from it or below it."""
    row = tree.targets.rows[target]
    segment = max(index for index, s in enumerate(tree.segments) if s.start <= row)
    if any(s.parent == segment for s in tree.segments):
        return False
    sharing = tree.targets.datums[tree.targets.rows == row]
    return bool((sharing == tree.targets.datums[target]).all())


@pytest.mark.parametrize("reference", [True, False])
def test_layers_that_run_again_leave_the_gradient(family: PreTrainedModel, reference: bool) -> None:
    tree = plant(rows())
    loss, gradient = as_trees(family, [tree], reference)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: (kept.append(x.numel()), x)[1], lambda x: x):
        logprobs(family, tree, reference=reference)
        all_of_it = sum(kept)
        kept.clear()
        logprobs(family, tree, reference=reference, again=3)
    if hasattr(family.base_model, "layers"):
        assert sum(kept) < 0.6 * all_of_it
    again, gradient_again = as_trees(family, [tree], reference, again=3)
    assert again == pytest.approx(loss, rel=1e-6)
    assert_equal(gradient_again, gradient)


@pytest.mark.parametrize("seed", range(3))
def test_any_split_into_micro_batches_leaves_the_gradient(llama: PreTrainedModel, seed: int) -> None:
    datums = rows()
    whole, gradient = as_trees(llama, [plant(datums)])
    draw = np.random.default_rng(seed)
    order, cuts = draw.permutation(len(datums)), np.sort(draw.choice(np.arange(1, len(datums)), 3, replace=False))
    parts = [[datums[index] for index in part] for part in np.split(order, cuts)]
    loss, split_gradient = as_trees(llama, [plant(part, share=bool(n % 2)) for n, part in enumerate(parts)])
    assert loss == pytest.approx(whole, rel=2e-6)
    assert_equal(split_gradient, gradient)


def test_check_model_accepts_every_family(family: PreTrainedModel) -> None:
    check_model(family)


def test_check_model_notices_a_head_it_does_not_know() -> None:
    model = build("granite")
    model.lm_head.register_forward_hook(lambda module, args, out: out if out.ndim == 2 else out * 0.5)
    with pytest.raises(ModelError, match="differ from its own forward pass by"):
        check_model(model)


def test_the_model_keeps_its_own_attention_afterwards(llama: PreTrainedModel) -> None:
    ids = torch.arange(3, 20)[None]
    before = llama(ids).logits
    hidden_states(llama, plant(rows()))
    assert llama.config._attn_implementation == "sdpa"
    assert torch.equal(llama(ids).logits, before)


@pytest.mark.parametrize(
    "config",
    [
        MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, pad_token_id=0, eos_token_id=2),
        BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, hidden_dropout=0.0),
    ],
)
def test_models_that_cannot_take_a_tree_run_root_by_root(config: object) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    assert why_not_share(model, 20)
    datums = rows()[-3:]
    loss, gradient = as_trees(model, [plant(datums, share=False)])
    model.zero_grad()
    expected = 0.0
    for row in datums:
        ids = torch.tensor(row.ids, dtype=torch.int64)[None]
        labels = torch.where(torch.tensor(row.weights)[None] > 0, ids, -100)
        part = model(input_ids=ids, labels=labels).loss * row.trained
        part.backward()
        expected += part.item()
    assert loss == pytest.approx(expected, rel=2e-6)
    assert_equal(gradient, gradients(model))
    with pytest.raises(ModelError, match="prefixes cannot be shared"):
        hidden_states(model, plant(rows()))


def test_angles_that_depend_on_the_longest_row_forbid_sharing_beyond_their_limit() -> None:
    factors = [1.0 + 0.5 * i for i in range(4)]
    config = Phi3Config(
        **{name: value for name, value in SIZES.items() if name != "head_dim"},
        original_max_position_embeddings=16,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "short_factor": [1.0] * 4,
            "long_factor": factors,
            "original_max_position_embeddings": 16,
            "partial_rotary_factor": 1.0,
        },
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    assert why_not_share(model, 16) == ""
    assert "longest row" in why_not_share(model, 17)
    datums = [datum(range(3, 33)), datum(range(20, 30))]
    loss, _ = as_trees(model, [plant(datums, share=False)])
    expected, _ = one_by_one(model, datums)
    assert loss == pytest.approx(expected, rel=2e-6)


def test_dropout_forbids_sharing(llama: PreTrainedModel) -> None:
    assert why_not_share(llama, 100) == ""
    llama.config.attention_dropout = 0.1
    assert "dropout of 0.1" in why_not_share(llama, 100)
