"""Paired differences: the same rows, the right interval for the kind of score."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from scipy import stats as scipy_stats

from tailor.errors import DataError
from tailor.evaluate import stats
from tailor.evaluate.compare import difference
from tailor.records import Scored, Source


def lines(
    scores: Sequence[float], *, groups: Sequence[str | None] | None = None, given: Sequence[str] | None = None
) -> list[Scored]:
    return [
        Scored(
            row=row,
            source=Source("test.csv", row + 2),
            prompt=f"q{row}",
            wanted=f"label {row % 3}",
            given=given[row] if given else "",
            score=float(score),
            group=groups[row] if groups else None,
        )
        for row, score in enumerate(scores)
    ]


def test_yes_no_scores() -> None:
    ours = [1.0] * 60 + [0.0] * 40
    theirs = [1.0] * 40 + [0.0] * 50 + [1.0] * 10
    found = difference(lines(ours), lines(theirs), "exact", arm="tuned", against="few-shot")
    assert (found.arm, found.against, found.mean) == ("tuned", "few-shot", pytest.approx(0.1))
    assert found.ci == stats.bonett_price(20, 10, 100)
    exact = scipy_stats.binomtest(10, 30).pvalue
    assert found.p == pytest.approx(exact - scipy_stats.binom.pmf(10, 30, 0.5), abs=1e-12)


def test_order_of_the_lines_does_not_matter_and_swapping_turns_the_sign() -> None:
    rng = np.random.default_rng(0)
    for metric, a, b in [
        ("exact", rng.integers(0, 2, 80), rng.integers(0, 2, 80)),
        ("rouge-l", rng.random(80), rng.random(80)),
    ]:
        ours, theirs = lines(a.tolist()), lines(b.tolist())
        found = difference(ours, theirs, metric)
        assert difference(ours[::-1], theirs[40:] + theirs[:40], metric) == found
        other = difference(theirs, ours, metric)
        assert other.mean == pytest.approx(-found.mean)
        assert other.ci == pytest.approx((-found.ci[1], -found.ci[0]), abs=0.004)
        assert other.p == pytest.approx(found.p, abs=0.01)


def test_graded_scores() -> None:
    rng = np.random.default_rng(1)
    theirs = rng.random(200) * 0.8
    ours = theirs + rng.normal(0.05, 0.1, 200)
    found = difference(lines(ours.tolist()), lines(theirs.tolist()), "rouge-l")
    t = scipy_stats.ttest_rel(ours, theirs)
    low, high = t.confidence_interval(0.95)
    assert found.ci == pytest.approx((low, high), abs=0.002)
    assert found.p < 1e-3 and t.pvalue < 1e-3


def test_corpus_metric_is_drawn_and_recomputed() -> None:
    """With three labels equally frequent and errors spread alike, macro-F1 behaves as accuracy does."""
    rng = np.random.default_rng(2)
    wanted = [f"label {row % 3}" for row in range(150)]
    ours = [w if rng.random() < 0.85 else "label 0" for w in wanted]
    theirs = [w if rng.random() < 0.6 else "label 1" for w in wanted]
    right = [[float(g == w) for g, w in zip(given, wanted)] for given in (ours, theirs)]
    found = difference(lines(right[0], given=ours), lines(right[1], given=theirs), "macro-f1")
    accuracy = difference(lines(right[0]), lines(right[1]), "exact")
    assert found.mean == pytest.approx(accuracy.mean, abs=0.04)
    assert found.ci == pytest.approx(accuracy.ci, abs=0.06)
    assert found.ci[0] > 0 and found.p < 0.01
    same = difference(lines(right[0], given=ours), lines(right[0], given=ours), "macro-f1")
    assert same.mean == 0 and same.ci[0] < 0 < same.ci[1] and same.p == 1


def test_rows_of_a_group_count_once() -> None:
    ours, theirs = [1.0] * 30 + [0.0] * 30, [0.0] * 20 + [1.0] * 10 + [0.0] * 30
    groups = [str(row // 5) for row in range(60)]
    alone = difference(lines(ours), lines(theirs), "exact")
    grouped = difference(lines(ours, groups=groups), lines(theirs, groups=groups), "exact")
    assert alone.ci[0] > 0 and grouped.mean == alone.mean
    assert grouped.ci[0] < 0 and grouped.p > alone.p


def test_rows_that_differ_are_named() -> None:
    a, b = lines([1, 0, 1, 0]), lines([1, 0, 1])
    with pytest.raises(DataError, match=r"test\.csv:5: is scored by tuned alone"):
        difference(a, b, "exact", arm="tuned", against="few-shot")
    moved = [msgspec.structs.replace(line, source=Source("other.csv", 9)) for line in a]
    with pytest.raises(DataError, match=r"is another row for few-shot: other\.csv:9"):
        difference(a, moved, "exact", arm="tuned", against="few-shot")
    with pytest.raises(DataError, match="once each"):
        difference([*a, a[0]], a, "exact")
    with pytest.raises(DataError, match="no scored rows"):
        difference([], [], "exact")


# ------------------------------------------------------------------------------------------------- over tokens


def read(nats: Sequence[float], tokens: Sequence[int]) -> list[Scored]:
    """Lines of answers that cost `nats` in all over so many tokens."""
    return [
        msgspec.structs.replace(line, weights={"answer-nll": count, "perplexity": count}, completion_tokens=count)
        for line, count in zip(lines([total / count for total, count in zip(nats, tokens)]), tokens)
    ]


def test_means_over_tokens() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 60, 120)
    ours, theirs = rng.random(120) * tokens, (0.2 + rng.random(120)) * tokens
    found = difference(read(ours, tokens), read(theirs, tokens), "answer-nll")
    assert found.mean == pytest.approx((ours.sum() - theirs.sum()) / tokens.sum())
    golden = scipy_stats.bootstrap(
        (ours - theirs, tokens),
        lambda gains, sizes, axis: gains.sum(axis=axis) / sizes.sum(axis=axis),
        paired=True,
        method="percentile",
        random_state=0,
    ).confidence_interval
    assert found.ci == pytest.approx((golden.low, golden.high), abs=0.015)
    assert found.ci[1] < 0 and found.p < 0.01


def test_perplexity_is_compared_as_perplexity() -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, 60, 60)
    ours, theirs = rng.random(60) * tokens, (0.5 + rng.random(60)) * tokens

    def perplexities(nats: np.ndarray) -> list[Scored]:
        return [msgspec.structs.replace(line, score=float(np.exp(line.score))) for line in read(nats, tokens)]

    found = difference(perplexities(ours), perplexities(theirs), "perplexity")
    golden = np.exp(ours.sum() / tokens.sum()) - np.exp(theirs.sum() / tokens.sum())
    assert found.mean == pytest.approx(golden)
    assert found.ci[0] < golden < found.ci[1] < 0


def test_other_tokens_cannot_be_compared() -> None:
    with pytest.raises(DataError, match=r"different tokens.*\n.*bits-per-byte"):
        difference(read([1.0] * 20, [4] * 20), read([1.0] * 20, [3] * 20), "answer-nll")
