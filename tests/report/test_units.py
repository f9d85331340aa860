"""How scores are written on the page."""

from tailor.report.units import units


def test_yes_no_scores_are_per_cent_and_points() -> None:
    exact = units("exact")
    assert (exact.percent, exact.sign, exact.written, exact.scale) == (True, 1, True, 100)
    assert exact.score(0.9021) == "90.2%"
    assert exact.range((0.8912, 0.912)) == "89.1% to 91.2%"
    assert exact.gain(-0.0123) == "−1.2"
    assert exact.gains((0.0, 0.573)) == "0.0 to +57.3"
    assert exact.gain(-0.0001) == "0.0"


def test_graded_scores_are_plain_numbers() -> None:
    graded = units("rouge-l")
    assert (graded.percent, graded.sign, graded.scale) == (False, 1, 1)
    assert (graded.score(0.4307), graded.gain(0.022)) == ("0.431", "+0.022")


def test_a_metric_that_is_not_installed_here_is_a_plain_number() -> None:
    unknown = units("made-elsewhere")
    assert (unknown.percent, unknown.sign, unknown.written, unknown.counts) == (False, 1, True, "")
    assert unknown.score(0.4307) == "0.431"


def test_a_metric_says_when_less_is_better_and_what_it_counts() -> None:
    reading = units("answer-nll")
    assert (reading.sign, reading.written, reading.counts) == (-1, False, "nats a token")
    assert reading.best(0.0) and not reading.best(1.0)


def test_what_is_taken_from_log_probs_beside_a_metric_is_written_as_the_terminal_does() -> None:
    assert units("reward-accuracy").score(0.8333) == "83.3%"
    assert units("margin").score(0.2083) == "0.208"
