"""SVG as text: one escaping builder, scales and ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from tailor.report.text import shown


def tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """An element; children that are not Markup are text and get escaped, `_` in attribute names stands for `-`."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    inside = "".join(child if isinstance(child, Markup) else escape(shown(child)) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")


def _value(value: str | float) -> Markup:
    return escape(shown(value) if isinstance(value, str) else coordinate(value))


def coordinate(value: float) -> str:
    """At most one decimal: a tenth of a pixel is finer than any screen."""
    return f"{value:.1f}".removesuffix(".0")


def drawing(name: str, width: float, height: float, title: str, description: str, body: Iterable[Markup]) -> Markup:
    """An <svg> that speaks: its title and description are what a screen reader says. `name` is unique in the page."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *body,
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps [low, high] of the data onto [start, end] of the drawing, in proportion or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the scale: steps of 1, 2 or 5 times a power of ten; by logarithm 1, 2, 5 of each ten."""
        if self.log:
            return _log_ticks(self.low, self.high, about)
        step = _step((self.high - self.low) / about)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]


def spread(values: Iterable[float], limits: tuple[float, float] | None = None) -> tuple[float, float]:
    """A range that holds all `values` with some air. It never leaves `limits`, and is all of them when half is filled
    or when there is but one value."""
    known = list(values)
    low, high = min(known), max(known)
    least, most = limits or (-math.inf, math.inf)
    if math.isfinite(most - least) and (high == low or high - low > (most - least) / 2):
        return min(low, least), max(high, most)
    air = (high - low) * 0.06 or abs(high) * 0.06 or 1.0
    return max(low - air, min(low, least)), min(high + air, max(high, most))


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _log_ticks(low: float, high: float, about: int) -> list[float]:
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [round(factor * 10.0**ten, 12) for ten in tens for factor in factors]
        found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= about + 2:
            break
    return found


def tick_label(value: float, ticks: list[float]) -> str:
    """The shortest text that tells the ticks apart; one number of decimals for all of them."""
    if value and (abs(value) >= 10_000 or abs(value) < 1e-4):
        return f"{value:.4g}"
    decimals = max(len(f"{tick:.10f}".rstrip("0").partition(".")[2]) for tick in ticks)
    return f"{value:.{min(decimals, 4)}f}".replace("-", "−")
