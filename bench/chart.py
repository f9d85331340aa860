"""Two small plots as SVG: grouped bars and overlaid lines."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLOURS = {"tailor": "#c2410c", "trl": "#64748b", "ms-swift": "#94a3b8"}
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" font-family="sans-serif">'
)
PAPER = '<rect width="100%" height="100%" fill="white"/>'


def text(x: float, y: float, content: str, size: int = 12, anchor: str = "start", weight: str = "normal") -> str:
    """A line of text whose baseline starts, centres or ends at (x, y)."""
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="#1e293b"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(content)}</text>'


def bars(groups: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """Groups of horizontal bars, each group on a scale of its own; the label says the value."""
    left, width, step = 150, 470, 20
    parts, y = [PAPER], 10.0
    for title, items in groups:
        y += 22
        parts.append(text(10, y, f"{title}: logical tokens a second", 13, weight="bold"))
        y += 8
        most = max(value for _, value in items)
        for label, value in items:
            colour = COLOURS[label.split()[0]]
            length = width * value / most
            parts.append(text(left - 8, y + 13, label, anchor="end"))
            parts.append(f'<rect x="{left}" y="{y + 2:.1f}" width="{length:.1f}" height="{step - 5}" fill="{colour}"/>')
            parts.append(text(left + length + 6, y + 13, f"{value:,.0f}"))
            y += step
    return HEAD.format(w=left + width + 80, h=round(y + 15)) + "".join(parts) + "</svg>\n"


def lines(title: str, curves: dict[str, Sequence[float]]) -> str:
    """Curves over the same steps, the first drawn broad, the others thin on top of it, so that none hides another."""
    left, top, width, height = 60, 40, 600, 280
    values = [value for curve in curves.values() for value in curve]
    low, high = min(values), max(values)
    steps = max(len(curve) for curve in curves.values())
    parts = [PAPER, text(left, 24, title, 14, weight="bold")]
    for tick in range(5):
        value = low + (high - low) * tick / 4
        y = top + height * (1 - tick / 4)
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>')
        parts.append(text(left - 8, y + 4, f"{value:.2f}", 11, "end"))
    for tick in range(0, steps + 1, max(1, steps // 5)):
        parts.append(text(left + width * tick / steps, top + height + 18, str(tick), 11, "middle"))
    for number, (label, curve) in enumerate(curves.items()):
        points = " ".join(
            f"{left + width * (step + 1) / steps:.1f},{top + height * (high - value) / ((high - low) or 1):.1f}"
            for step, value in enumerate(curve)
        )
        stroke = f'stroke="{COLOURS[label.split()[0]]}" stroke-width="{2 if number else 7}"'
        parts.append(f'<polyline points="{points}" fill="none" {stroke} stroke-opacity="{1 if number else 0.5}"/>')
        parts.append(text(left + width - 10, top + 18 + 18 * number, label, anchor="end"))
        parts.append(
            f'<line x1="{left + width - 90}" x2="{left + width - 70}" y1="{top + 14 + 18 * number}" '
            f'y2="{top + 14 + 18 * number}" {stroke}/>'
        )
    parts.append(text(left + width / 2, top + height + 36, "step", 12, "middle"))
    return HEAD.format(w=left + width + 30, h=top + height + 50) + "".join(parts) + "</svg>\n"
