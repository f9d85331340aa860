"""What a number of held-out rows can show, and how many rows would settle a comparison.

Paired yes/no scores that differ on a share `d` of the rows have a difference of variance `(d - gain**2) / n`. With a
two-sided level of 5% and 80% power, `n = (1.96 + 0.84)**2 * (d - gain**2) / gain**2` (Connor 1987, without his variance
under the null): 5 points at 20% discordance take 621 rows, 2 points 3,917.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from tailor.evaluate.stats import MIN_UNITS, Z, claims_nothing
from tailor.records import Difference

DISCORDANCE = 0.2  # of the rows two arms differ on a fifth, before anything is known
_REACH = float((Z + stats.norm.ppf(0.8)) ** 2)  # 7.85
_TOO_MANY = 1_000_000  # a number of rows past this says that the arms are alike, not how many rows to label
_FURTHEST = 4  # a learning curve is not carried on past this many times its longest stretch


def rows_for(gain: float, discordance: float = DISCORDANCE) -> int:
    """Held-out rows that show a true difference of `gain` with 80% power (0 < gain <= discordance)."""
    return math.ceil(_REACH * (discordance - gain**2) / gain**2)


def detectable(n: int, discordance: float = DISCORDANCE) -> float:
    """The least true difference that `n` held-out rows show with 80% power."""
    gain = math.sqrt(_REACH * discordance / (n + _REACH))
    return gain if gain <= discordance else _REACH / (n + _REACH)  # no difference exceeds the share that differs


def foresight(n: int) -> str:
    """In words, before anything is measured, what `n` held-out rows can show."""
    if n < MIN_UNITS:
        return f"{n} held-out rows can show nothing; {rows_for(0.1)} show a difference of 10 points"
    return f"{n:,} held-out rows can show differences of about {100 * detectable(n):.0f} points and more"


def held_out_needed(difference: Difference, n: int, minimum_gain: float = 0.0) -> int | None:
    """Held-out rows in all that would settle with 80% power whether the gain exceeds `minimum_gain`.

    Taken from the variance of the `n` rows measured (groups included: their interval is the wider for it) and from the
    difference they show, as if it were the true one. None where that says nothing: too few units to have measured
    a variance, or a difference so close to `minimum_gain` that a million rows would not do. A difference for which less
    is better is negated before.
    """
    away = difference.mean - minimum_gain
    if claims_nothing(difference.ci) or away == 0:
        return None
    low, high = difference.ci
    variance = n * ((high - low) / (2 * Z)) ** 2
    needed = _REACH * variance / away**2
    return max(n + 1, math.ceil(needed)) if needed <= _TOO_MANY else None


def training_needed(curve: Sequence[tuple[int, float]], target: float) -> int | None:
    """Training rows at which the score would reach `target`, carried on from `curve` = (training rows, score).

    One run says nothing about more rows, so this takes three lengths at least; scores are fitted as a line over the
    logarithm of the rows (Hestness 2017 and others find scores steep in it until they level off). None where the slope
    is not clearly above zero (one-sided 95%) or the target lies past four times the rows there were: a line that far
    out is a guess.
    """
    if len({rows for rows, _ in curve}) < 3:
        return None
    x = np.log([rows for rows, _ in curve])
    fit = stats.linregress(x, [score for _, score in curve])
    least = fit.slope - stats.t.ppf(0.95, len(curve) - 2) * fit.stderr
    if not least > 0:
        return None
    rows = math.exp((target - fit.intercept) / fit.slope) if target - fit.intercept < 50 * fit.slope else math.inf
    most = max(rows for rows, _ in curve)
    return max(most + 1, math.ceil(rows)) if rows <= _FURTHEST * most else None
