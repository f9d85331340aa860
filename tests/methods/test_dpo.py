"""Direct preference optimisation: golden numbers by hand for every loss."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from tailor.errors import ConfigError, DataError
from tailor.methods import dpo
from tailor.methods.base import open_method
from tailor.records import Datum, Source, Tree, message
from tailor.render.pack import plant
from tailor.testing.methods import ByteRenderer, MethodContract, example


class TestSigmoid(MethodContract):
    name = "dpo"


class TestConservativeWithSftTerm(MethodContract):
    name = "dpo"
    settings = {"label_smoothing": 0.1, "rpo_alpha": 0.5}


class TestHinge(MethodContract):
    name = "dpo"
    settings = {"loss": "hinge", "beta": 0.02}


class TestIpo(MethodContract):
    name = "dpo"
    settings = {"loss": "ipo"}


class TestRobust(MethodContract):
    name = "dpo"
    settings = {"loss": "robust", "label_smoothing": 0.2}


class TestAverage(MethodContract):
    name = "dpo"
    settings = {"average": True, "beta": 2.0}


def pair(chosen: list[tuple[float, float]], rejected: list[tuple[float, float]]) -> tuple[Tree, torch.Tensor]:
    """A Tree of one pair whose tokens have these (log p, log p_ref), and its log-probs."""
    datums, values = [], {}
    for label, tokens in (("chosen", chosen), ("rejected", rejected)):
        ids = np.array([1, 2, *range(10 if label == "chosen" else 20, 10 + 10 * len(tokens))][: 2 + len(tokens)])
        reference = np.array([9.0, 9.0, *(ref for _, ref in tokens)], np.float32)  # 9: of no token that is predicted
        weights = np.array([0, 0, *(1 for _ in tokens)], np.float32)
        datums.append(Datum(ids.astype(np.int32), weights, 0, Source("a", 1), label, {"reference": reference}))
        values[label] = [p for p, _ in tokens]
    (tree,) = plant(datums, 100, whole=True)
    return tree, torch.tensor([p for datum in tree.datums for p in values[datum.label]])


# Chosen: log-ratios 0.5 and 0.3, sum 0.8, mean 0.4. Rejected: -0.4, 0.1 and -0.3, sum -0.6, mean -0.2. d = 1.4 or 0.6.
TREE, LOGPROBS = pair([(-1.0, -1.5), (-2.0, -2.3)], [(-0.9, -0.5), (-1.4, -1.5), (-2.3, -2.0)])


def s(x: float) -> float:
    return -math.log(1 + math.exp(-x))


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, 0.6255957),  # log(1 + exp(-0.14))
        ({"beta": 1.0}, 0.2204175),  # log(1 + exp(-1.4))
        ({"label_smoothing": 0.1}, -0.9 * s(0.14) - 0.1 * s(-0.14)),  # 0.6395957
        ({"loss": "hinge"}, 0.86),  # 1 - 0.14
        ({"loss": "hinge", "beta": 1.0}, 0.0),
        ({"loss": "ipo"}, 19.36),  # (0.6 - 5)^2
        ({"loss": "ipo", "average": False}, 12.96),  # (1.4 - 5)^2
        ({"loss": "robust", "label_smoothing": 0.2}, (-0.8 * s(0.14) + 0.2 * s(-0.14)) / 0.6),
        ({"average": True, "beta": 2.0}, 0.2632825),  # log(1 + exp(-1.2))
    ],
)
def test_golden_numbers(settings: dict[str, Any], wanted: float) -> None:
    terms = dpo.loss(LOGPROBS, TREE, dpo.Settings(**settings))
    assert terms.keys() == {"dpo"}
    assert float(terms["dpo"]) == pytest.approx(wanted, rel=2e-6, abs=1e-7)


def test_the_sft_term_is_the_chosen_answers_negative_log_likelihood() -> None:
    settings = dpo.Settings(rpo_alpha=0.5)
    terms = dpo.loss(LOGPROBS, TREE, settings)
    assert float(terms["nll"]) == pytest.approx(0.5 * (1.0 + 2.0))
    assert dpo.units(TREE.datums, settings)["nll"] == 2.0


def test_statistics_are_implicit_rewards() -> None:
    sums = dpo.statistics(LOGPROBS, TREE, dpo.Settings())
    assert {name: float(value) for name, value in sums.items()} == pytest.approx(
        {"reward_margin": 0.14, "reward_accuracy": 1.0, "reward_chosen": 0.08}
    )


def test_where_policy_and_reference_are_equal_the_margin_is_exactly_zero() -> None:
    datums = [
        replace(datum, streams={"reference": np.linspace(-7.7, -0.1, len(datum)).astype(np.float32)})
        for row in range(4)
        for datum in dpo.datums(example("pair", row), row, ByteRenderer(), dpo.Settings())
    ]
    (tree,) = plant(datums, 10_000, whole=True)
    logprobs = torch.as_tensor(tree.targets.streams["reference"])
    assert float(dpo.statistics(logprobs, tree, dpo.Settings())["reward_margin"]) == 0
    assert float(dpo.loss(logprobs, tree, dpo.Settings())["dpo"]) == pytest.approx(4 * math.log(2), rel=1e-7)


def test_weights_scale_tokens() -> None:
    half = replace(TREE, targets=replace(TREE.targets, weights=TREE.targets.weights / 2))
    summed, averaged = (dpo.loss(LOGPROBS, half, dpo.Settings(beta=1.0, average=average)) for average in (False, True))
    assert float(summed["dpo"]) == pytest.approx(math.log(1 + math.exp(-0.7)), rel=1e-6)
    assert float(averaged["dpo"]) == pytest.approx(math.log(1 + math.exp(-0.6)), rel=1e-6)


def test_both_answers_of_a_pair_share_a_tree_whatever_the_budget() -> None:
    datums = [d for n in range(5) for d in dpo.datums(example("pair", n), n, ByteRenderer(), dpo.Settings())]
    trees = plant(datums, 8, whole=True)
    assert [sorted(datum.label for datum in tree.datums) for tree in trees] == [["chosen", "rejected"]] * 5
    assert all(len({datum.group for datum in tree.datums}) == 1 for tree in trees)
    assert any(len(tree.datums) == 1 for tree in plant(datums, 8)), "else the budget would not have divided them"


def test_answers_of_the_same_tokens_are_nothing_to_train_on() -> None:
    row = example("pair", 0)
    same = msgspec.structs.replace(row, rejected=row.chosen)
    assert dpo.datums(same, 0, ByteRenderer(), dpo.Settings()) == []


def test_an_answer_without_weight_is_refused() -> None:
    row = msgspec.structs.replace(example("pair", 0), rejected=(message("assistant", "no", 0.0),))
    with pytest.raises(DataError, match=r"rows\.jsonl:1: the rejected answer has no token of weight"):
        dpo.datums(row, 0, ByteRenderer(), dpo.Settings())


@pytest.mark.parametrize(
    "settings", [{"loss": "hinge", "label_smoothing": 0.1}, {"loss": "robust"}, {"beta": 0}, {"label_smoothing": 0.5}]
)
def test_settings_that_would_change_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        open_method({"type": "dpo", **settings})
