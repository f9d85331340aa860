"""The drawings of the page: intervals on an axis, lines over tokens, a bar divided into parts.

Each returns an <svg> whose marks sit where `svg.Scale` puts the numbers. Colours and type come from the page's style
sheet by class, so a drawing follows light, dark and print. Sizes are CSS pixels at full width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from tailor.report.svg import Scale, drawing, spread, tag, tick_label
from tailor.report.text import number, short

WIDE, NARROW = 720, 340  # drawn twice, so that letters keep their size on a phone; the style sheet shows one of them

Tone = Literal["tuned", "against", "other"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A row of `intervals`: a value, its interval where one is known, and the text that stands for both."""

    label: str
    value: float
    ci: tuple[float, float] | None
    text: str
    tone: Tone = "other"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the plot that the intervals are read against, such as no difference."""

    value: float
    label: str


def intervals(
    name: str,
    rows: Sequence[Interval],
    *,
    width: int,
    title: str,
    axis: str,
    rules: Sequence[Rule] = (),
    limits: tuple[float, float] | None = None,
) -> Markup:
    """A forest plot: one row an interval, on one axis that never leaves `limits`.

    On a narrow drawing the labels stand above their interval.
    """
    narrow = width < 500
    left, right = (6.0, width - 6.0) if narrow else (150.0, width - 204.0)
    top, pitch = 4.0 + 16 * len(rules), 50.0 if narrow else 38.0
    bottom = top + pitch * len(rows)
    ends = [end for row in rows for end in (row.ci or (row.value, row.value))]
    x = Scale(*spread([*ends, *(rule.value for rule in rules)], limits), left, right)
    body = _x_axis(x, top, bottom, axis)
    for index, rule in enumerate(rules):
        at = x(rule.value)
        anchor = "start" if at < left + 60 else "end" if at > right - 60 else "middle"
        body.append(tag("text", rule.label, x=at, y=12 + 16 * index, text_anchor=anchor, class_="small"))
        body.append(tag("line", x1=at, x2=at, y1=17 + 16 * index, y2=bottom, class_="rule"))
    for index, row in enumerate(rows):
        line = top + pitch * index + (32 if narrow else pitch / 2)
        caption = line - 17 if narrow else line + 4.5
        label = row.label if len(row.label) <= 18 else f"{row.label[:17]}…"
        body.append(tag("text", label, x=0, y=caption, class_=f"label {row.tone}"))
        body.append(tag("text", row.text, x=width, y=caption, text_anchor="end"))
        body.append(_interval(row, x, line))
    spoken = "; ".join(f"{row.label} {row.text}" for row in rows)
    return drawing(f"{name}-{width}", width, bottom + 40, title, spoken, body)


def _interval(row: Interval, x: Scale, y: float) -> Markup:
    """The mark of a row: circle, diamond or square, so that it is told apart without colour."""
    at, parts = x(row.value), []
    if row.ci:
        low, high = x(row.ci[0]), x(row.ci[1])
        parts.append(tag("line", x1=low, x2=high, y1=y, y2=y, class_="span"))
        parts += [tag("line", x1=end, x2=end, y1=y - 7, y2=y + 7, class_="span") for end in (low, high)]
    if row.tone == "tuned":
        parts.append(tag("circle", cx=at, cy=y, r=4.5))
    elif row.tone == "against":
        parts.append(tag("path", d=f"M{at:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"))
    else:
        parts.append(tag("rect", x=at - 4, y=y - 4, width=8, height=8))
    return tag("g", *parts, class_=f"mark {row.tone}")


def _x_axis(x: Scale, top: float, bottom: float, label: str) -> list[Markup]:
    """Grid lines with their numbers below, and the axis's name under them."""
    ticks = x.ticks(5 if x.end - x.start > 300 else 4)
    marks = [tag("line", x1=x.start, x2=x.end, y1=bottom, y2=bottom, class_="axis")]
    for value in ticks:
        at = x(value)
        marks.append(tag("line", x1=at, x2=at, y1=top, y2=bottom, class_="grid"))
        marks.append(tag("text", tick_label(value, ticks), x=at, y=bottom + 17, text_anchor="middle", class_="small"))
    marks.append(tag("text", label, x=(x.start + x.end) / 2, y=bottom + 35, text_anchor="middle", class_="small"))
    return marks


@dataclass(frozen=True, slots=True)
class Line:
    """A series of (x, y) in rising x; `dots` marks each point, as fits few and exact measurements."""

    label: str
    points: Sequence[tuple[float, float]]
    tone: Tone
    dots: bool = False


def lines(
    name: str, series: Sequence[Line], *, width: int, title: str, axis: str, best: tuple[float, str] | None = None
) -> Markup:
    """Lines over trained tokens, each named at its end; `best` is an x with its name. Log scale from 15-fold on."""
    height, left, top = (250.0 if width < 500 else 290.0), 46.0, 36.0
    right, bottom = width - 74.0, height - 46
    y_values = [y for line in series for _, y in line.points]
    x_values = [x for line in series for x, _ in line.points]
    log = min(y_values) > 0 and max(y_values) / min(y_values) > 15
    x = Scale(0, max([*x_values, 1.0]), left, right)
    low, high = (
        (min(y_values) / 1.1, max(y_values) * 1.1)
        if log
        else spread(y_values, (0.0, float("inf")) if min(y_values) >= 0 else None)
    )
    y = Scale(low, high, bottom, top, log)
    body, ticks = [], y.ticks()
    body.append(tag("text", f"{axis}{', log scale' if log else ''}", x=0, y=12, class_="small"))
    for value in ticks:
        body.append(tag("line", x1=left, x2=right, y1=y(value), y2=y(value), class_="grid"))
        text = f"{value:g}" if log else tick_label(value, ticks)
        body.append(tag("text", text, x=left - 8, y=y(value) + 4, text_anchor="end", class_="small"))
    body.append(tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
    for value in x.ticks(5 if width > 500 else 4):
        body.append(tag("text", short(value), x=x(value), y=bottom + 18, text_anchor="middle", class_="small"))
    middle = (left + right) / 2
    body.append(tag("text", "tokens trained", x=middle, y=bottom + 37, text_anchor="middle", class_="small"))
    if best:
        at = x(best[0])
        anchor = "end" if at > (left + right) / 2 else "start"
        body.append(tag("line", x1=at, x2=at, y1=top - 14, y2=bottom, class_="rule"))
        shift = -6 if anchor == "end" else 6
        body.append(tag("text", best[1], x=at + shift, y=top - 4, text_anchor=anchor, class_="small"))
    for line, label_y in zip(series, _apart([y(line.points[-1][1]) for line in series])):
        body.append(_line(line, x, y, label_y))
    spoken = "; ".join(
        f"{line.label} from {number(line.points[0][1])} to {number(line.points[-1][1])}" for line in series
    )
    return drawing(f"{name}-{width}", width, height, title, spoken, body)


def _line(line: Line, x: Scale, y: Scale, label_y: float) -> Markup:
    spots = [(x(a), y(b)) for a, b in line.points]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in spots)
    dots = [tag("circle", cx=a, cy=b, r=3) for a, b in spots] if line.dots or len(spots) == 1 else []
    end = tag("text", line.label, x=spots[-1][0] + 8, y=label_y + 4, class_="label")
    return tag("g", tag("path", d=path, class_="curve"), *dots, end, class_=f"line {line.tone}")


def _apart(heights: list[float], least: float = 15.0) -> list[float]:
    """Label heights moved just enough that no two are closer than `least`; their order stays."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for above, below in pairwise(order):
        lack = least - (placed[below] - placed[above])
        if lack > 0:
            placed[above] -= lack / 2
            placed[below] += lack / 2
    return placed


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a whole; `tone` is the class that colours it and its key."""

    label: str
    count: int
    tone: str


def bar(name: str, parts: Sequence[Part], *, title: str) -> Markup:
    """One bar of `WIDE` divided in proportion; parts above zero stay visible. Its key is text beside it, not in it."""
    kept = [part for part in parts if part.count > 0]
    total = sum(part.count for part in kept)
    gap, least = 2.0, 3.0
    room = WIDE - gap * (len(kept) - 1) - least * len(kept)
    body, at = [], 0.0
    for part in kept:
        wide = least + room * part.count / total
        body.append(tag("rect", x=at, y=0, width=wide, height=20, class_=f"part {part.tone}"))
        at += wide + gap
    spoken = ", ".join(f"{part.label} {part.count:,}" for part in parts)
    return drawing(name, WIDE, 20, title, spoken, body)
