"""The paired difference of two arms on the same rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tailor.errors import DataError, Problem
from tailor.evaluate.scale import Scale, scale
from tailor.evaluate.stats import corpus_bootstrap, difference_interval
from tailor.records import Difference, Scored


def difference(
    a: Sequence[Scored], b: Sequence[Scored], metric: str, *, arm: str = "tuned", against: str = "baseline"
) -> Difference:
    """Scores of `a` less scores of `b`, in the metric's own direction, whatever the order of the lines.

    Yes/no scores: Bonett-Price interval and mid-p McNemar. Graded scores: paired bootstrap. Corpus metrics: drawn rows,
    recomputed. Rows that share a group are counted as one unit. Raises DataError unless both hold the same rows.
    """
    left, right = sorted(a, key=_place), sorted(b, key=_place)
    _same_rows(left, right, arm, against)
    how = scale(metric)
    groups = [line.group for line in left]
    if how.kind == "corpus":
        mean, (interval, p) = _corpus(how, left, right, groups)
    else:
        differences = np.array([one.score - other.score for one, other in zip(left, right)])
        mean = float(differences.mean())
        interval, p = difference_interval(differences, groups)
    return Difference(arm=arm, against=against, mean=mean, ci=interval, p=p)


def _corpus(
    how: Scale, left: list[Scored], right: list[Scored], groups: list[str | None]
) -> tuple[float, tuple[tuple[float, float], float]]:
    assert how.aggregate is not None
    aggregate = how.aggregate
    ours, theirs = ([(line.wanted, line.given) for line in side] for side in (left, right))

    def statistic(rows: NDArray[np.intp]) -> float:
        return aggregate([ours[row] for row in rows]) - aggregate([theirs[row] for row in rows])

    return statistic(np.arange(len(ours))), corpus_bootstrap(statistic, len(ours), groups, paired=True)


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
