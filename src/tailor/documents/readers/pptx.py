"""PowerPoint through python-pptx: slides are pages, their titles headings; tables, groups, charts and notes too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailor.documents.base import LIGATURES, Block, Document, Unreadable, need, refuse_archive, table

SUFFIXES = (".pptx",)


def read(path: Path) -> Document:
    """Raises Unreadable for a file that is encrypted, damaged or without words."""
    pptx = need("pptx")
    refuse_archive(path, "presentation (.pptx)")
    notes: list[str] = []
    try:
        with open(path, "rb") as file:
            deck = pptx.Presentation(file)
        found = [
            block for number, slide in enumerate(deck.slides, 1) for block in _slide(slide, number, notes) if block.text
        ]
    except Exception as error:  # the XML of a stranger: whatever it breaks is the same fault
        fix = "open it in PowerPoint and save it again"
        raise Unreadable(path, f"damaged: {type(error).__name__} {error}", fix) from None
    if not found:
        raise Unreadable(path, "no text on its slides", "does it hold pictures alone?")
    return Document(str(path), found, notes=notes)


def _slide(slide: Any, page: int, notes: list[str]) -> Iterator[Block]:
    """Title, then the shapes from top to bottom and left to right, then the speaker's notes."""
    title = slide.shapes.title
    if title is not None:
        yield Block("heading", " ".join(_clean(title.text_frame.text).split()), page, 1)
    shapes = [shape for shape in slide.shapes if title is None or shape.shape_id != title.shape_id]
    for shape in sorted(shapes, key=_place):
        yield from _shape(shape, page, notes)
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        if frame is not None:
            yield Block("note", _clean(frame.text), page)


def _place(shape: Any) -> tuple[int, int]:
    return (shape.top or 0, shape.left or 0)


def _shape(shape: Any, page: int, notes: list[str]) -> Iterator[Block]:
    if hasattr(shape, "shapes"):  # a group
        for inner in sorted(shape.shapes, key=_place):
            yield from _shape(inner, page, notes)
    elif getattr(shape, "has_table", False):
        yield Block("table", table([[_clean(cell.text) for cell in row.cells] for row in shape.table.rows]), page)
    elif getattr(shape, "has_chart", False):
        yield Block("table", _chart(shape.chart), page)
    elif shape.has_text_frame:
        lines = [(paragraph.level, _clean(paragraph.text)) for paragraph in shape.text_frame.paragraphs]
        lines = [(level, text) for level, text in lines if text]
        if len(lines) > 1:
            yield Block("list", "\n".join(f"{'  ' * level}- {text}" for level, text in lines), page)
        elif lines:
            yield Block("paragraph", lines[0][1], page)
    elif shape.shape_type is not None and shape.shape_type == 13:  # MSO_SHAPE_TYPE.PICTURE
        notes.append(f"slide {page}: a picture, whose words are not read")


def _chart(chart: Any) -> str:
    """The numbers of a chart: a row a category, a column a series."""
    plot = chart.plots[0]
    names = [str(series.name) for series in plot.series]
    values = [list(series.values) for series in plot.series]
    rows = [
        [str(label), *(_number(column[row]) if row < len(column) else "" for column in values)]
        for row, label in enumerate(plot.categories)
    ]
    return table([["", *names], *rows])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _clean(text: str) -> str:
    return text.replace("\x0b", "\n").translate(LIGATURES).strip()
