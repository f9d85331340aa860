"""What every metric promises. Inherit and name it:

class TestMine(MetricContract):
    name = "mine"

One that reads (`ASKS = "read"`) inherits ReadingContract instead.
"""

from __future__ import annotations

import math
import time
from types import ModuleType
from typing import Any, ClassVar, get_args

import pytest

from tailor import plugins
from tailor.metrics.base import Aggregate
from tailor.records import Completion, Example, Score, Source, message

HOSTILE = {
    "nothing": "",
    "blanks": " \n\t ",
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "a million digits": "9" * 1_000_000,
    "digits with separators": "1,2." * 20_000,
    "a number too large": '{"a": 1e999999}',
    "no number": "NaN -Infinity Infinity",
    "lone surrogates": "\ud800 \udfff \ud83d",
    "escaped surrogate": '{"\\ud800": "\\udfff"}',
    "a key twice": '{"a": 1, "a": 2}',
    "control characters": "\x00\x1b[31m\x07",
    "right-to-left and joiners": "\u202e\u200d\u200b\ufeff",
    "many keys": "{" + ",".join(f'"{number}": [{{}}, []]' for number in range(5_000)) + "}",
    "many items": "[" + ",".join('{"a": [1, {"b": 2}]}' for _ in range(2_000)) + "]",
    "one long word": "a" * 50_000,
    "many words": "the cat " * 3_000,
}


def example(wanted: str) -> Example:
    """A row with this wanted answer."""
    turns = (message("user", "…"), message("assistant", wanted))
    return Example(kind="chat", source=Source("rows.jsonl", 1), messages=turns)


class MetricContract:
    """pytest collects the tests below in the class that inherits them."""

    name: ClassVar[str]
    wanted: ClassVar[tuple[str, ...]] = ("yes", "12", '{"a": [1, {"b": "x"}], "c": null}', "The cat sat.\nIt purred.")
    """Answers that the metric can score."""
    seconds: ClassVar[float] = 5.0
    """Longest CPU time that two hostile answers may take."""

    @property
    def metric(self) -> ModuleType | Any:
        """The module."""
        return plugins.load("metrics", self.name)

    def value(self, wanted: str, given: str) -> float:
        """The checked score of one answer."""
        score = self.metric.score(example(wanted), Completion(text=given))
        assert score.metric == self.name
        assert 0 <= score.value <= 1
        assert math.isfinite(score.value)
        assert score.value == 1 or score.detail or self.metric.AGGREGATE == "corpus", "says what was wrong"
        score.detail.encode()
        assert score.value in (0, 1) or self.metric.AGGREGATE != "proportion"
        return float(score.value)

    def test_it_says_what_it_is(self) -> None:
        assert self.metric.AGGREGATE in get_args(Aggregate)
        assert callable(getattr(self.metric, "aggregate", None)) == (self.metric.AGGREGATE == "corpus")
        assert self.metric.DESCRIPTION
        assert "\n" not in self.metric.DESCRIPTION

    def test_samples(self) -> None:
        for wanted, given, value in getattr(self.metric, "SAMPLES", ()):
            assert self.value(wanted, given) == pytest.approx(value, abs=1e-12), (wanted, given)

    def test_the_wanted_answer_is_best_with_blanks_around_it_too(self) -> None:
        for wanted in self.wanted:
            assert self.value(wanted, wanted) == 1
            assert self.value(wanted, f"  {wanted}\n") == 1

    def test_no_answer_is_worst(self) -> None:
        for wanted in self.wanted:
            assert self.value(wanted, "") == 0

    def test_a_refused_completion_is_wrong_even_where_nothing_was_wanted(self) -> None:
        for wanted in (*self.wanted, ""):
            refused = self.metric.score(example(wanted), Completion(text="", finish_reason="refused"))
            assert refused.value == 0
            assert refused.detail

    def test_a_score_repeats(self) -> None:
        for wanted in self.wanted:
            for given in (*self.wanted, "something else"):
                assert self.value(wanted, given) == self.value(wanted, given)

    @pytest.mark.parametrize("kind", HOSTILE)
    def test_hostile_answers_are_scored_in_bounded_time(self, kind: str) -> None:
        started = time.process_time()
        for wanted in (self.wanted[-1], ""):
            self.value(wanted, HOSTILE[kind])
        assert time.process_time() - started < self.seconds

    def test_aggregate_of_a_corpus(self) -> None:
        if self.metric.AGGREGATE != "corpus":
            return
        pairs = [(wanted, wanted) for wanted in self.wanted]
        assert self.metric.aggregate(pairs) == pytest.approx(1)
        assert self.metric.aggregate([(wanted, "") for wanted in self.wanted]) == 0
        assert self.metric.aggregate([]) == 0
        mixed = [*pairs, (self.wanted[0], "?"), ("\ud800", "\udfff")]
        assert 0 < self.metric.aggregate(mixed) < 1
        assert self.metric.aggregate(mixed) == pytest.approx(self.metric.aggregate(mixed[::-1]))


class ReadingContract:
    """For metrics of the likelihood that an arm gives to the wanted answer."""

    name: ClassVar[str]

    @property
    def metric(self) -> ModuleType | Any:
        """The module."""
        return plugins.load("metrics", self.name)

    def read(self, *logprobs: float, wanted: str = "The cat sat.") -> Score:
        """The checked score of an answer whose tokens have these log-probs."""
        given = Completion(text=wanted, ids=tuple(range(len(logprobs))), logprobs=logprobs)
        score: Score = self.metric.score(example(wanted), given)
        assert score.metric == self.name
        assert math.isfinite(score.value) and score.value >= 0
        assert score.weight > 0 and score.detail
        return score

    def test_it_says_what_it_is(self) -> None:
        assert self.metric.AGGREGATE in ("mean", "geometric")
        assert self.metric.ASKS == "read" and self.metric.LOWER_IS_BETTER is True
        assert self.metric.DESCRIPTION and "\n" not in self.metric.DESCRIPTION

    def test_the_likelier_answer_has_the_lower_score(self) -> None:
        scores = [self.read(-each, -2 * each).value for each in (0.0, 0.1, 2.0, 30.0, 2_000.0)]
        assert scores == sorted(scores) and scores[0] < scores[2] < scores[3]

    def test_what_counts_is_the_sum(self) -> None:
        assert self.read(-1.0, -3.0).value == pytest.approx(self.read(-2.0, -2.0).value)
        assert self.read(-1.0, -3.0).weight == self.read(-2.0, -2.0).weight

    def test_an_empty_answer_is_scored(self) -> None:
        assert self.read(-0.5, wanted="").value > self.read(-0.1, wanted="").value

    def test_a_refused_one_says_so(self) -> None:
        refused = Completion(text="x", ids=(1,), logprobs=(-8.3,), finish_reason="refused")
        assert "refused" in self.metric.score(example("x"), refused).detail
