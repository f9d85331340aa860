"""The view of what is trained on: nothing hidden, nothing from a row taken as a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tailor.records import Datum, Example, Source, message
from tailor.render import Renderer, load
from tailor.render.show import pieces, to_html, to_text, visible

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
EVIL = "<script>alert(1)</script> [red]x[/red] \x1b[31m \u202e \x00 & 👩‍👩‍👧 é"


@pytest.fixture
def renderer(small_folder: Callable[..., Path]) -> Renderer:
    return load(small_folder(template=CHAT, special=["<|user|>", "<|assistant|>", "<|end|>"]))


def datum(renderer: Renderer, question: str, answer: str, weight: float = 1) -> Datum:
    turns = (message("user", question), message("assistant", answer, weight))
    (made,) = renderer.datums(Example(kind="chat", source=Source("rows.jsonl", 4), messages=turns), 0)
    return made


def test_pieces_spell_the_datum(renderer: Renderer) -> None:
    made = datum(renderer, "a 👩‍👩‍👧 b", "c 你 d")
    for apart in (False, True):
        found = list(pieces(made, renderer.tokenizer, apart=apart))
        assert [i for piece in found for i in piece.ids] == made.ids.tolist()
        assert [piece.weight for piece in found for _ in piece.ids] == made.weights.tolist()
        assert "".join(piece.text for piece in found) == "<|user|>a 👩‍👩‍👧 b<|end|><|assistant|>c 你 d<|end|>"
    assert len(list(pieces(made, renderer.tokenizer))) == 2


def test_terminal(renderer: Renderer) -> None:
    made = datum(renderer, EVIL, "yes\n\tno")
    out = StringIO()
    Console(file=out, force_terminal=True, color_system="standard", width=400, legacy_windows=False).print(
        to_text(made, renderer.tokenizer)
    )
    shown = out.getvalue()
    assert f"rows.jsonl:4: {len(made)} tokens, {made.trained} trained on" in shown
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", shown))
    assert codes == {"0", "1", "32"}  # bold, green and reset: the row's own escape is text
    assert "‹U+001B›[31m" in shown and "‹U+202E›" in shown and "‹U+0000›" in shown and "[red]x[/red]" in shown
    green = "".join(re.findall(r"\x1b\[32m(.*?)\x1b\[0m", shown, re.DOTALL))
    assert "".join(green.split()) == "yes⏎⇥no<|end|>"


def test_ids_and_weights(renderer: Renderer) -> None:
    made = datum(renderer, "q", "a", 0.5)
    text = to_text(made, renderer.tokenizer, ids=True, weights=True).plain
    assert all(f"{i} ×{w:g}]" in text for i, w in zip(made.ids.tolist(), made.weights.tolist(), strict=True))
    page = to_html([made], renderer.tokenizer, ids=True, weights=True)
    assert f"[{made.ids[-1]} ×0.5]" in page and 'class="part"' in page


class Reader(HTMLParser):
    """Collects what a browser would show and which elements there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.trained = ""
        self.shown = ""
        self.on = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag == "span":
            self.on = ("class", "on") in attrs

    def handle_data(self, data: str) -> None:
        self.shown += data
        if self.on and self.get_starttag_text() == '<span class="on">':
            self.trained += data

    def handle_endtag(self, tag: str) -> None:
        self.on = False


def test_html(renderer: Renderer) -> None:
    page = to_html([datum(renderer, EVIL, "<b>yes</b>")], renderer.tokenizer)
    reader = Reader()
    reader.feed(page)
    assert "script" not in reader.tags and "b" not in reader.tags
    assert not any(name in ("src", "href") or name.startswith("on") for name, _ in reader.attributes)
    assert "<script>alert(1)</script>" in reader.shown
    assert reader.trained == "<b>yes</b><|end|>"


def test_visible_characters() -> None:
    assert visible("a\nb\tc\r\x7f\u200b\ufeff\ue000") == "a⏎\nb⇥\tc␍‹U+007F›‹U+200B›‹U+FEFF›‹U+E000›"
    assert visible("ä 你 👩‍👧") == "ä 你 👩‍👧"
