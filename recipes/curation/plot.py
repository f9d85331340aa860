"""results.jsonl -> RESULTS.md and docs/curation.svg: scores over noise, and where 200 chosen rows begin to win.

    python recipes/curation/plot.py

Intervals are of the test rows: Wilson's for single runs, bootstrapped over the rows for crossings, paired for
differences. They do not say how much another seed of training would move a score; the table shows the seeds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from claim import jobs

from tailor.evaluate.stats import difference_interval, score_interval

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "curation.svg"
COLOURS = {"flipped": "#64748b", "slots": "#64748b", "next-class": "#c2410c", "prose": "#c2410c"}
NAMES = {
    "flipped": "random: any other label",
    "next-class": "systematic: the next label",
    "slots": "random: other slot names",
    "prose": "systematic: prose, no JSON",
}
TITLES = {"banking77": "banking77: 77 intents", "snips": "SNIPS: strict JSON"}
RESAMPLES = 2000
WIDTH, HEIGHT, LEFT, TOP, GAP = 330, 240, 50, 60, 90

Run = dict[str, Any]


def main() -> None:
    lines = (HERE / "results.jsonl").read_text(encoding="utf-8").splitlines()
    runs = [json.loads(line) for line in lines]
    PICTURE.write_text(picture(runs), encoding="utf-8")
    (HERE / "RESULTS.md").write_text("\n".join(page(runs)) + "\n", encoding="utf-8")


# -------------------------------------------------------------------------------------------------- what was found


def right(run: Run) -> np.ndarray:
    """1 for each test row that was answered right, else 0."""
    return np.array([int(mark) for mark in run["right"]])


def chosen(runs: Iterable[Run], data: str) -> np.ndarray | None:
    """Right answers of the runs on 200 chosen clean rows, the mean over seeds for each test row."""
    found = [right(run) for run in runs if run["data"] == data and run["how"] == "chosen"]
    return np.mean(found, axis=0) if found else None


def curves(runs: Iterable[Run], data: str) -> dict[str, list[tuple[float, np.ndarray]]]:
    """Noise -> (rate, right answers) of the runs on the pool, rising; the clean pool begins each."""
    found: dict[str, list[tuple[float, np.ndarray]]] = defaultdict(list)
    pool = [run for run in runs if run["data"] == data and run["how"] == "pool"]
    for noise in {run["noise"]: 0 for run in pool if run["rate"]}:
        of_it = [run for run in pool if run["noise"] in (noise, "none")]
        found[noise] = sorted(((run["rate"], right(run)) for run in of_it), key=lambda point: point[0])
    return dict(sorted(found.items(), key=lambda item: list(NAMES).index(item[0])))


def crossing(curve: Sequence[tuple[float, np.ndarray]], few: np.ndarray) -> tuple[float, float, float] | None:
    """(rate, low, high) at which a line through the pool's scores falls below that of the chosen rows.

    The ends hold 95% of what other test rows would give, the upper one at most the last rate; None where the score
    does not fall so far.
    """
    rates = np.array([rate for rate, _ in curve])
    table = np.array([marks for _, marks in curve], float)
    at = _falls(rates, table.mean(axis=1) - few.mean())
    if at is None:
        return None
    dice = np.random.default_rng(0)
    draws = []
    for _ in range(RESAMPLES):
        some = dice.integers(0, len(few), len(few))
        drawn = _falls(rates, table[:, some].mean(axis=1) - few[some].mean())
        draws.append(rates[-1] if drawn is None else drawn)
    low, high = np.quantile(draws, [0.025, 0.975])
    return at, float(low), float(high)


def _span(found: tuple[float, float, float], last: float) -> str:
    """The interval of a crossing; open where the last rate does not reach its end."""
    return f"{found[1]:.0%} to {found[2]:.0%}" + (" or more" if found[2] >= last else "")


def _falls(rates: np.ndarray, ahead: np.ndarray) -> float | None:
    """The first rate at which a line through (rate, ahead) reaches 0."""
    for k in range(1, len(rates)):
        if ahead[k] <= 0 < ahead[k - 1]:
            return float(rates[k - 1] + (rates[k] - rates[k - 1]) * ahead[k - 1] / (ahead[k - 1] - ahead[k]))
    return None


def differences(runs: Sequence[Run]) -> Iterator[tuple[str, str, list[float], list[float], float, tuple[float, float]]]:
    """(data, noise, scores by lot, scores of `tailor curate`, mean difference, its interval), seeds paired."""
    arms: dict[tuple[str, str, int], dict[str, Run]] = defaultdict(dict)
    for run in runs:
        if run["how"] in ("random", "curate"):
            arms[run["data"], run["noise"], run["seed"]][run["how"]] = run
    pairs: dict[tuple[str, str], list[tuple[Run, Run]]] = defaultdict(list)
    for (data, noise, _), arm in sorted(arms.items()):
        if len(arm) == 2:
            pairs[data, noise].append((arm["random"], arm["curate"]))
    for (data, noise), both in pairs.items():
        gain = np.mean([right(ours) - right(theirs) for theirs, ours in both], axis=0)
        interval, _ = difference_interval(gain)
        scores = [[run["score"] for run in side] for side in zip(*both)]
        yield data, noise, scores[0], scores[1], float(gain.mean()), interval


# ------------------------------------------------------------------------------------------------------- the page


def page(runs: Sequence[Run]) -> Iterator[str]:
    yield "# 200 chosen rows against 10,000 noisy ones\n"
    planned = len(list(jobs()))
    yield f"{len(runs)} of {planned} planned runs of thimble, all weights tuned, on one thread.\n"
    yield "![Scores over noise](../../docs/curation.svg)\n"
    yield "| data | trained on | noise | rate | rows | steps x rows | right | 95% interval |"
    yield "|---|---|---|---|---|---|---|---|"
    for run in sorted(runs, key=lambda run: (run["data"], run["how"] != "pool", run["noise"], run["rate"], run["how"])):
        low, high = run["ci"]
        what = {"pool": "all", "chosen": "chosen of the clean rows", "random": "drawn", "curate": "`tailor curate`"}
        seed = f", seed {run['seed']}" if run["how"] != "pool" else ""
        trained = f"{run['noise']} | {run['rate']:.0%} | {run['trained_on']:,} | {run['steps']:,} x {run['batch']}"
        score = f"{run['score']:.1%} of {len(run['right'])} | {low:.1%} to {high:.1%}"
        yield f"| {run['data']} | {what[run['how']]}{seed} | {trained} | {score} |"
    yield "\n## Where 200 chosen clean rows begin to win\n"
    yield "On straight lines between the rates that were measured.\n"
    for data in TITLES:
        few = chosen(runs, data)
        for noise, curve in curves(runs, data).items() if few is not None else ():
            found = crossing(curve, few)
            last = curve[-1]
            told = f"at {found[0]:.0%} of wrong answers ({_span(found, last[0])})" if found else (
                f"not up to {last[0]:.0%}: {last[1].mean():.1%} right there"
            )  # fmt: skip
            yield f"- {data}, {NAMES[noise]}: {told}; 200 chosen rows give {few.mean():.1%}."
    yield "\n## 200 rows of a pool with 30% wrong answers\n"
    yield "| data | noise | drawn by lot | `tailor curate --keep 200` | difference | 95% interval |"
    yield "|---|---|---|---|---|---|"
    for data, noise, by_lot, ours, gain, (low, high) in differences(runs):
        sides = " | ".join(", ".join(f"{score:.1%}" for score in scores) for scores in (by_lot, ours))
        yield f"| {data} | {NAMES[noise]} | {sides} | {gain:+.1%} | {low:+.1%} to {high:+.1%} |"


# ---------------------------------------------------------------------------------------------------- the picture


def picture(runs: Sequence[Run]) -> str:
    """A panel for each set of rows that noise was put into, side by side."""
    shown = [data for data in TITLES if curves(runs, data)]
    size = f'width="{len(shown) * (LEFT + WIDTH + GAP) - GAP // 2}" height="{TOP + HEIGHT + 100}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, data in enumerate(shown):
        parts += panel(runs, data, LEFT + number * (WIDTH + GAP))
    return "".join(parts) + "</svg>\n"


def panel(runs: Sequence[Run], data: str, left: float) -> Iterator[str]:
    """Scores over noise of one set of rows."""

    def x(rate: float) -> float:
        return left + WIDTH * rate

    def y(score: float) -> float:
        return TOP + HEIGHT * (1 - score)

    yield _text(left, TOP - 34, TITLES[data], 14, weight="bold")
    yield _text(left, TOP - 16, "right answers on the test rows, thimble tuned", 11)
    for tick in range(6):
        yield _line(left, y(tick / 5), left + WIDTH, y(tick / 5), "#e2e8f0")
        yield _text(left - 8, y(tick / 5) + 4, f"{tick / 5:.0%}", 11, "end")
        yield _text(x(tick / 5), TOP + HEIGHT + 18, f"{tick / 5:.0%}", 11, "middle")
    yield _text(left + WIDTH / 2, TOP + HEIGHT + 36, "wrong answers among 10,000 training rows", 12, "middle")
    few = chosen(runs, data)
    if few is not None:
        low, high = score_interval(few)
        band = f'x="{left}" y="{y(high):.1f}" width="{WIDTH}" height="{y(low) - y(high):.1f}"'
        yield f'<rect {band} fill="#0f766e" fill-opacity="0.15"/>'
        yield _line(left, y(few.mean()), left + WIDTH, y(few.mean()), "#0f766e", 2)
        yield _text(left + 6, y(low) + 14, f"200 chosen clean rows: {few.mean():.0%}", 11, colour="#0f766e")
    for number, (noise, curve) in enumerate(curves(runs, data).items()):
        colour = COLOURS[noise]
        points = " ".join(f"{x(rate):.1f},{y(marks.mean()):.1f}" for rate, marks in curve)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for rate, marks in curve:
            low, high = score_interval(marks)
            yield _line(x(rate), y(low), x(rate), y(high), colour, 2)
            yield f'<circle cx="{x(rate):.1f}" cy="{y(marks.mean()):.1f}" r="3.5" fill="{colour}"/>'
        at = crossing(curve, few) if few is not None else None
        told = f": loses from {at[0]:.0%} ({_span(at, curve[-1][0])})" if at else ""
        if at and few is not None:
            yield _ring(x(at[0]), y(few.mean()), colour)
        below = TOP + HEIGHT + 58 + 18 * number
        yield _line(left, below - 4, left + 20, below - 4, colour, 3)
        yield _text(left + 28, below, NAMES[noise] + told, 12)


def _text(
    x: float, y: float, content: str, size: int, anchor: str = "start", weight: str = "normal", colour: str = "#1e293b"
) -> str:
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(content)}</text>'


def _ring(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="{colour}" stroke-width="2"/>'


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, width: float = 1) -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


if __name__ == "__main__":
    main()
