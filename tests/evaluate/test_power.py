"""Sizes against the published formula's table and against simulation."""

from __future__ import annotations

import numpy as np
import pytest

from tailor.evaluate import power, stats
from tailor.records import Difference


@pytest.mark.parametrize(
    ("gain", "discordance", "rows"),
    [
        (0.02, 0.1, 1955),
        (0.02, 0.2, 3917),
        (0.03, 0.3, 2609),
        (0.05, 0.1, 307),
        (0.05, 0.2, 621),
        (0.1, 0.2, 150),
        (0.15, 0.1, 28),
    ],
)
def test_rows_for_a_gain(gain: float, discordance: float, rows: int) -> None:
    assert power.rows_for(gain, discordance) == rows


@pytest.mark.parametrize(("n", "points"), [(50, 16.5), (100, 12.1), (200, 8.7), (400, 6.2), (1000, 3.9), (2000, 2.8)])
def test_detectable_gain(n: int, points: float) -> None:
    assert 100 * power.detectable(n) == pytest.approx(points, abs=0.06)


def test_detectable_gain_is_shown_four_times_in_five() -> None:
    gain, n = power.detectable(300), 300
    rng = np.random.default_rng(1)
    up, down = (0.2 + gain) / 2, (0.2 - gain) / 2
    draws = rng.multinomial(n, [up, down, 0.8], size=2000)
    shown = sum(stats.bonett_price(int(gains), int(losses), n)[0] > 0 for gains, losses, _ in draws)
    assert shown / 2000 == pytest.approx(0.8, abs=0.04)


def test_detectable_gain_of_few_rows_stays_possible() -> None:
    assert 0.2 < power.detectable(12) < 1  # a fifth of the rows cannot show it: more of them have to differ


def test_foresight() -> None:
    assert power.foresight(200) == "200 held-out rows can show differences of about 9 points and more"
    assert power.foresight(5) == "5 held-out rows can show nothing; 150 show a difference of 10 points"


def _measured(gains: int, losses: int, n: int) -> Difference:
    interval = stats.bonett_price(gains, losses, n)
    p = stats.mcnemar_midp(gains, losses)
    return Difference(arm="tuned", against="few-shot", mean=(gains - losses) / n, ci=interval, p=p)


def test_four_points_on_400_rows_need_about_a_thousand() -> None:
    found = _measured(48, 32, 400)
    assert found.ci[0] < 0 < found.ci[1]
    assert power.held_out_needed(found, 400) == pytest.approx(973, rel=0.02)
    settled = _measured(240, 160, 2000)
    assert settled.ci[0] > 0


def test_rows_needed_rise_towards_the_least_gain_and_end_there() -> None:
    found = _measured(48, 32, 400)
    further = power.held_out_needed(found, 400, 0.02)
    assert further == pytest.approx(4 * 973, rel=0.02)
    assert power.held_out_needed(found, 400, found.mean) is None
    assert power.held_out_needed(_measured(40, 40, 400), 400) is None
    assert power.held_out_needed(_measured(201, 200, 4000), 4000) is None  # millions
    few = Difference(arm="tuned", against="few-shot", mean=0.5, ci=(-1.0, 1.0), p=0.1)
    assert power.held_out_needed(few, 9) is None


def test_training_rows_follow_a_clear_slope_only() -> None:
    curve = [(100, 0.50), (200, 0.56), (400, 0.61), (800, 0.67)]
    needed = power.training_needed(curve, 0.72)
    assert needed is not None and 1300 < needed < 1700  # one more doubling, at 5.6 points each
    assert power.training_needed(curve, 0.9) is None  # four doublings away
    assert power.training_needed(curve[:2], 0.72) is None
    assert power.training_needed([(100, 0.5), (200, 0.45), (400, 0.55), (800, 0.5)], 0.52) is None
    assert power.training_needed([], 0.5) is None
