"""The verdict follows from the intervals, and its sentence is true."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tailor.advise.verdict import best_baseline, decide
from tailor.errors import DataError
from tailor.evaluate import stats
from tailor.records import ArmResult, Difference, RowsNeeded


def arm(name: str, score: float, n: int = 400, *, metric: str = "exact", tokens: int = 20) -> ArmResult:
    return ArmResult(
        name=name,
        metric=metric,
        n=n,
        score=score,
        ci=(max(0.0, score - 0.05), min(1.0, score + 0.05)),
        prompt_tokens=tokens * n,
        completion_tokens=n,
        seconds=1.0,
    )


def gap(mean: float, low: float, high: float, *, of: str = "tuned", against: str = "few-shot") -> Difference:
    return Difference(arm=of, against=against, mean=mean, ci=(low, high), p=0.04)


def test_tune() -> None:
    arms = [arm("zero-shot", 0.021, 3080), arm("few-shot", 0.345, 3080), arm("tuned", 0.912, 3080)]
    verdict = decide(arms, gap(0.567, 0.549, 0.584))
    assert verdict.decision == "tune" and verdict.rows_needed == RowsNeeded()
    assert verdict.sentence == (
        "Tune: 91.2% right against 34.5% for few-shot on the same 3,080 held-out rows, "
        "a gain of 56.7 points (95% interval 54.9 to 58.4)."
    )


def test_tokens_saved_are_said_where_they_are_many() -> None:
    verdict = decide([arm("few-shot", 0.5, tokens=412), arm("tuned", 0.9, tokens=38)], gap(0.4, 0.3, 0.5))
    assert verdict.sentence.endswith(", with 38 prompt tokens a request instead of 412.")


@pytest.mark.parametrize(("prompted", "tuned"), [(100, 75), (30, 12)])  # not half as many again; fewer than 20
def test_few_tokens_saved_are_not_worth_a_word(prompted: int, tuned: int) -> None:
    verdict = decide([arm("few-shot", 0.5, tokens=prompted), arm("tuned", 0.9, tokens=tuned)], gap(0.4, 0.3, 0.5))
    assert verdict.decision == "tune" and "prompt tokens" not in verdict.sentence


@pytest.mark.parametrize(
    ("against", "decision", "advice"), [("zero-shot", "prompt", "prompt"), ("few-shot", "few-shot", "prompt with ex")]
)
def test_a_loss_is_the_baselines_verdict(against: str, decision: str, advice: str) -> None:
    arms = [arm("zero-shot", 0.9), arm("few-shot", 0.9), arm("tuned", 0.7)]
    verdict = decide(arms, gap(-0.2, -0.25, -0.15, against=against))
    assert verdict.decision == decision
    assert verdict.sentence.startswith(f"Do not tune, {advice}")
    assert "a loss of 20.0 points (95% interval 15.0 to 25.0)" in verdict.sentence


def test_inconclusive_says_how_many_rows() -> None:
    low, high = stats.bonett_price(48, 32, 400)
    verdict = decide([arm("few-shot", 0.5), arm("tuned", 0.54)], gap(0.04, low, high))
    assert verdict.decision == "inconclusive"
    assert verdict.rows_needed.held_out == pytest.approx(973, rel=0.02)
    assert verdict.rows_needed.training is None
    assert f"About {verdict.rows_needed.held_out:,} held-out rows" in verdict.sentence
    assert "a difference of +4.0 points (95% interval -0.4 to +8.4); the interval holds zero." in verdict.sentence


def test_a_least_gain_moves_the_line() -> None:
    arms = [arm("few-shot", 0.5), arm("tuned", 0.55)]
    assert decide(arms, gap(0.05, 0.03, 0.07)).decision == "tune"
    unsure = decide(arms, gap(0.05, 0.03, 0.07), minimum_gain=0.04)
    assert unsure.decision == "inconclusive" and "the interval holds the 4.0 points asked for" in unsure.sentence
    too_little = decide(arms, gap(0.05, 0.03, 0.07), minimum_gain=0.08)
    assert too_little.decision == "few-shot" and "tuning gains less than the 8.0 points" in too_little.sentence
    around_zero = decide(arms, gap(0.0, -0.02, 0.02), minimum_gain=0.05)
    assert around_zero.decision == "few-shot"


@pytest.mark.parametrize(("low", "decision"), [(0.0, "inconclusive"), (1e-9, "tune")])
def test_an_interval_that_touches_zero_does_not_lie_above_it(low: float, decision: str) -> None:
    assert decide([arm("few-shot", 0.5), arm("tuned", 0.55)], gap(0.05, low, 0.1)).decision == decision


def test_equal_arms_have_no_number_of_rows() -> None:
    verdict = decide([arm("few-shot", 0.5), arm("tuned", 0.5)], gap(0.0, -0.03, 0.03))
    assert verdict.decision == "inconclusive" and verdict.rows_needed.held_out is None
    assert "no practical number of held-out rows" in verdict.sentence


def test_a_learning_curve_says_how_many_training_rows() -> None:
    curve = [(100, 0.40), (200, 0.44), (400, 0.481), (800, 0.52)]
    arms = [arm("few-shot", 0.53), arm("tuned", 0.52)]
    verdict = decide(arms, gap(-0.01, -0.05, 0.03), curve=curve)
    assert verdict.decision == "inconclusive"
    assert verdict.rows_needed.training is not None and 800 < verdict.rows_needed.training < 1200
    assert f"about {verdict.rows_needed.training:,} training rows" in verdict.sentence
    behind = decide(arms, gap(-0.03, -0.05, -0.01), curve=curve)
    assert behind.decision == "few-shot" and behind.rows_needed == RowsNeeded(training=verdict.rows_needed.training)


def test_graded_scores_are_no_percentages() -> None:
    arms = [arm("few-shot", 0.312, metric="rouge-l"), arm("tuned", 0.4312, metric="rouge-l")]
    verdict = decide(arms, gap(0.1192, 0.1, 0.14))
    assert verdict.sentence == (
        "Tune: rouge-l 0.431 against 0.312 for few-shot on the same 400 held-out rows, "
        "a gain of 0.119 (95% interval 0.100 to 0.140)."
    )
    other = decide(
        [arm("few-shot", 0.8, metric="json-valid"), arm("tuned", 0.99, metric="json-valid")], gap(0.19, 0.1, 0.2)
    )
    assert "99.0% by json-valid against 80.0% for few-shot" in other.sentence


def test_fewer_than_ten_rows_tell_nothing() -> None:
    verdict = decide([arm("few-shot", 0.0, 6), arm("tuned", 1.0, 6)], gap(1.0, -1.0, 1.0))
    assert verdict.decision == "inconclusive"
    assert "too little data to tell" in verdict.sentence and "6 held-out rows can show nothing" in verdict.sentence
    groups = decide([arm("few-shot", 0.2, 600), arm("tuned", 0.9, 600)], gap(0.7, -1.0, 1.0))
    assert groups.decision == "inconclusive" and "600 held-out rows of fewer than 10 groups" in groups.sentence


def test_where_lower_is_better_a_smaller_score_is_a_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = SimpleNamespace(AGGREGATE="mean", LOWER_IS_BETTER=True)
    monkeypatch.setattr("tailor.plugins.load", lambda kind, name: loss)
    arms = [arm("zero-shot", 1.5, metric="nll", tokens=9), arm("few-shot", 1.4, metric="nll", tokens=90)]
    assert best_baseline(arms) == "few-shot"
    better = decide([*arms, arm("tuned", 0.812, metric="nll", tokens=90)], gap(-0.588, -0.65, -0.53))
    assert better.decision == "tune"
    assert better.sentence == (
        "Tune: nll 0.812 against 1.400 for few-shot (lower is better) on the same 400 held-out rows, "
        "a gain of 0.588 (95% interval 0.530 to 0.650)."
    )
    worse = decide([*arms, arm("tuned", 1.9, metric="nll")], gap(0.5, 0.4, 0.6))
    assert worse.decision == "few-shot" and "a loss of 0.500 (95% interval 0.400 to 0.600)" in worse.sentence


def test_nothing_works() -> None:
    arms = [arm("zero-shot", 0.0), arm("few-shot", 0.0), arm("tuned", 0.0)]
    verdict = decide(arms, gap(0.0, -0.01, 0.01), minimum_gain=0.05)
    assert verdict.decision == "inconclusive" and verdict.rows_needed == RowsNeeded()
    assert "nothing works yet: every arm (zero-shot, few-shot, tuned) scores 0.0%" in verdict.sentence


def test_without_a_tuned_arm_the_better_prompt_wins_and_ties_go_to_the_cheaper() -> None:
    arms = [arm("zero-shot", 0.5, tokens=30), arm("few-shot", 0.6, tokens=200)]
    better = decide(arms, gap(0.1, 0.05, 0.15, of="few-shot", against="zero-shot"))
    assert better.decision == "few-shot"
    assert "with 200 prompt tokens a request instead of 30. Tuning was not tried." in better.sentence
    tie = decide(arms, gap(0.02, -0.02, 0.06, of="few-shot", against="zero-shot"))
    assert tie.decision == "prompt" and "the cheaper of two" in tie.sentence
    touching = decide(arms, gap(0.05, 0.0, 0.1, of="few-shot", against="zero-shot"))
    assert touching.decision == "prompt" and "the cheaper of two" in touching.sentence
    worse = decide(arms, gap(-0.1, -0.15, -0.05, of="few-shot", against="zero-shot"))
    assert worse.decision == "prompt"


def test_one_arm_alone_decides_nothing() -> None:
    verdict = decide([arm("tuned", 0.9)])
    assert verdict.decision == "inconclusive" and "no prompted arm was measured" in verdict.sentence
    assert "90.0% right" in verdict.sentence
    with pytest.raises(DataError, match="nothing to decide"):
        decide([])
    with pytest.raises(DataError, match="few-shot"):
        decide([arm("tuned", 0.9)], gap(0.1, 0.0, 0.2))


def test_best_baseline() -> None:
    zero, few, tuned = arm("zero-shot", 0.5, tokens=30), arm("few-shot", 0.6, tokens=200), arm("tuned", 0.9)
    assert best_baseline([zero, few, tuned]) == "few-shot"
    assert best_baseline([arm("few-shot", 0.5, tokens=200), zero]) == "zero-shot"
    assert best_baseline([tuned]) is None and best_baseline([]) is None
