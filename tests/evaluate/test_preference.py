"""Ranking the answers of pairs, from log-probs made up by hand."""

from __future__ import annotations

import pytest

from tailor.errors import DataError
from tailor.evaluate import arms, preference
from tailor.evaluate.compare import difference
from tailor.evaluate.preference import Likelihood
from tailor.evaluate.stats import score_interval, wilson
from tailor.records import Example, Request, Scored, Source, message

PAIRS = [
    Example(
        kind="pair",
        source=Source("rows.jsonl", row + 1),
        messages=(message("user", f"question {row}"),),
        chosen=(message("assistant", f"good {row}"),),
        rejected=(message("assistant", f"bad {row}"),),
    )
    for row in range(12)
]


def likelihoods(request: Request, example: Example) -> tuple[Likelihood, Likelihood] | None:
    """Rows 0 to 7: chosen -1.5 and rejected -2 nats a token; 8 to 10 the reverse; 11 is too long.

    The chosen answer is the longer one, so its sum is the smaller everywhere. Over the base model it rose by 2 nats and
    the rejected one by 1, but for row 0, where it fell.
    """
    row = example.source.line - 1
    if row == 11:
        return None
    means = (-1.5, -2.0) if row < 8 else (-2.0, -1.5)
    chosen, rejected = means[0] * 6, means[1] * 2
    return (
        Likelihood(chosen, 6, 10, base=chosen - 2 if row else chosen + 2),
        Likelihood(rejected, 2, 10, base=rejected - 1),
    )


def measured(**settings: object) -> tuple[list[Scored], list[Scored], object]:
    asked, sunk = [], []

    def rank(rows: list[tuple[Request, Example]]) -> list[tuple[Likelihood, Likelihood] | None]:
        asked.extend(rows)
        return [likelihoods(*row) for row in rows]

    result, lines = preference.measure("tuned", rank, PAIRS, request=arms.plain, sink=sunk.append, **settings)
    assert len(asked) == len(sunk)
    return lines, sunk, result


def test_an_arm_prefers_the_answer_that_is_likelier_a_token() -> None:
    lines, _, result = measured()
    assert [line.score for line in lines] == [1.0] * 8 + [0.0] * 4
    assert (lines[0].given, lines[8].given, lines[8].wanted) == ("good 0", "bad 8", "good 8")
    assert (lines[0].others["margin"], lines[8].others["margin"]) == pytest.approx((0.5, -0.5))
    assert lines[0].detail == "nats a token: chosen -1.500, rejected -2.000"
    assert (result.metric, result.n, result.score, result.ci) == ("preference", 12, 8 / 12, wilson(8, 12))
    assert result.others == pytest.approx({"margin": 2.5 / 12, "reward-accuracy": 10 / 12})


def test_a_tie_prefers_nothing() -> None:
    same = Likelihood(-3.0, 2, 10, base=-4.0)
    result, _ = preference.measure(
        "tuned", lambda rows: [(same, same)] * len(rows), PAIRS, request=arms.plain, sink=lambda line: None
    )
    assert (result.score, result.others) == (0, {"margin": 0, "reward-accuracy": 0})


def test_a_pair_longer_than_the_context_is_a_wrong_row_and_says_so() -> None:
    lines, _, _ = measured()
    assert (lines[11].score, lines[11].finish_reason, lines[11].given) == (0.0, "refused", "")
    assert "context" in lines[11].detail


def test_the_margins_interval_is_bootstrapped() -> None:
    lines, _, result = measured()
    assert result.others_ci["margin"] == score_interval([line.others["margin"] for line in lines])
    assert result.others_ci["reward-accuracy"] == wilson(10, 12)


def test_rows_that_are_done_are_not_ranked_again() -> None:
    lines, _, result = measured()
    _, sunk, again = measured(done={line.row: line for line in lines[:7]})
    assert [line.row for line in sunk] == [7, 8, 9, 10, 11]
    assert (again.score, again.others) == (result.score, result.others)


def test_answers_an_arm_wrote_itself_stand_beside() -> None:
    own = [
        Scored(row=row, source=pair.source, prompt="", wanted="", given="", score=0.25, completion_tokens=7, seconds=1)
        for row, pair in enumerate(PAIRS)
    ]
    lines, _, result = measured(written=dict(enumerate(own)), written_metric="rouge-l")
    assert lines[3].others["rouge-l"] == 0.25
    assert result.others["rouge-l"] == 0.25
    assert (result.completion_tokens, lines[3].given) == (84, "good 3")
    assert result.seconds >= 12  # a second each to write, and what ranking took


def test_two_arms_are_compared_on_the_same_pairs() -> None:
    ours, _, _ = measured()

    def the_other_way(rows: list[tuple[Request, Example]]) -> list[tuple[Likelihood, Likelihood] | None]:
        return [found and (found[1], found[0]) for found in (likelihoods(*row) for row in rows)]

    _, theirs = preference.measure("base", the_other_way, PAIRS, request=arms.plain, sink=lambda line: None)
    gain = difference(ours, theirs, "preference")
    assert gain.mean == pytest.approx((8 - 3) / 12)  # 8 pairs won, 3 lost, the pair that is too long counts for nobody
    assert gain.p == pytest.approx(2 * (1 + 11 + 55 + 165 / 2) / 2**11)  # mid-p of 3 in 11


def test_rows_that_are_no_pairs_are_all_named() -> None:
    chats = [preference.as_chat(pair) for pair in PAIRS[:2]]
    assert [chat.messages[-1].text for chat in chats] == ["good 0", "good 1"]
    with pytest.raises(DataError, match=r"rows\.jsonl:1: is of kind 'chat'\n.*rows\.jsonl:2"):
        preference.measure("tuned", lambda rows: [], chats, request=arms.plain, sink=lambda line: None)
