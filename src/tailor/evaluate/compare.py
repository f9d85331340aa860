"""The paired difference of two arms on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tailor.errors import DataError, Problem
from tailor.evaluate.scale import scale
from tailor.evaluate.stats import corpus_bootstrap, difference_interval
from tailor.records import Difference, Scored


def difference(
    a: Sequence[Scored], b: Sequence[Scored], metric: str, *, arm: str = "tuned", against: str = "baseline"
) -> Difference:
    """Scores of `a` less scores of `b`, in the metric's own direction, whatever the order of the lines.

    Yes/no scores: Bonett-Price interval and mid-p McNemar. Graded scores: paired bootstrap. Corpus metrics: drawn rows,
    recomputed. Rows that share a group are counted as one unit. Raises DataError unless both hold the same rows, and
    where a mean is one over tokens, the same number of them.
    """
    left, right = sorted(a, key=_place), sorted(b, key=_place)
    _same_rows(left, right, arm, against)
    how = scale(metric)
    groups = [line.group for line in left]
    weights = how.weights(left)
    if (weights != how.weights(right)).any():
        raise DataError(
            f"{arm} and {against} cut the same text into different tokens, so {metric} compares two different things",
            fix="score both by eval.metric = 'bits-per-byte', which does not depend on the tokenizer",
        )
    ours, theirs = how.statistic(left), how.statistic(right)
    if ours is not None and theirs is not None:
        mean, (interval, p) = _redrawn(ours, theirs, groups)
    else:
        differences = np.array([one.score - other.score for one, other in zip(left, right)])
        mean = float(np.average(differences, weights=weights))
        interval, p = difference_interval(differences, groups, weights)
    return Difference(arm=arm, against=against, mean=mean, ci=interval, p=p)


def _redrawn(
    ours: Callable[[NDArray[np.intp]], float], theirs: Callable[[NDArray[np.intp]], float], groups: list[str | None]
) -> tuple[float, tuple[tuple[float, float], float]]:
    def statistic(rows: NDArray[np.intp]) -> float:
        return ours(rows) - theirs(rows)

    return statistic(np.arange(len(groups))), corpus_bootstrap(statistic, len(groups), groups, paired=True)


def _place(line: Scored) -> int:
    return line.row


def _same_rows(left: Sequence[Scored], right: Sequence[Scored], arm: str, against: str) -> None:
    if not left or not right:
        raise DataError(f"{arm} and {against} cannot be compared: one of them holds no scored rows")
    ours, theirs = ({line.row: line for line in side} for side in (left, right))
    problems = [
        Problem(str((ours.get(row) or theirs[row]).source), f"is scored by {arm if row in ours else against} alone")
        for row in sorted(ours.keys() ^ theirs.keys())
    ]
    problems += [
        Problem(str(ours[row].source), f"is another row for {against}: {theirs[row].source}")
        for row in sorted(ours.keys() & theirs.keys())
        if (ours[row].source, ours[row].wanted) != (theirs[row].source, theirs[row].wanted)
    ]
    if problems or len(ours) != len(left) or len(theirs) != len(right):
        raise DataError(
            f"{arm} and {against} were not measured on the same rows once each",
            problems=problems,
            fix="measure both arms on the same held-out rows",
        )
