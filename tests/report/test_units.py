from types import SimpleNamespace

import pytest

from tailor import plugins
from tailor.report.units import Units, units


def test_yes_no_scores_are_per_cent_and_points() -> None:
    exact = units("exact")
    assert exact == Units(percent=True)
    assert exact.score(0.9021) == "90.2%"
    assert exact.range((0.8912, 0.912)) == "89.1% to 91.2%"
    assert exact.gain(-0.0123) == "−1.2"
    assert exact.gains((0.0, 0.573)) == "0.0 to +57.3"
    assert exact.gain(-0.0001) == "0.0"


def test_graded_scores_are_plain_numbers() -> None:
    graded = units("rouge-l")
    assert graded == Units()
    assert (graded.score(0.4307), graded.gain(0.022)) == ("0.431", "+0.022")


def test_a_metric_that_is_not_installed_here_is_a_plain_number() -> None:
    assert units("made-elsewhere") == Units()


def test_a_metric_says_when_less_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "load", lambda kind, name: SimpleNamespace(AGGREGATE="mean", LOWER_IS_BETTER=True))
    assert units("answer-nll") == Units(sign=-1)
