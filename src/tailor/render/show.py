"""What is trained on, for people: the exact tokens of Datums in colour, in the terminal and as HTML.

Weighted tokens are green (orange where the weight is not 1), context is plain. Characters that would hide or steer are
made visible; a row is untrusted text, so none of it reaches the terminal or the page as a command.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from tailor.records import Datum
from tailor.render.tokenizer import TextTokenizer

PICTURES = {"\n": "⏎\n", "\t": "⇥\t", "\r": "␍"}
JOINER = "\u200d"  # holds emoji together, and is the one format character that is shown as it is
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

STYLE = """\
:root { color-scheme: light dark }
body { font: 15px/1.6 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8886; border-radius: 6px }
.on { background: #2a91; background: color-mix(in srgb, #2a9d5c 30%, transparent) }
.part { background: color-mix(in srgb, #e08a1e 35%, transparent) }
.on, .part { border-radius: 2px }
small { opacity: .6 }
"""


@dataclass(frozen=True)
class Piece:
    """Tokens that are shown as one: `ids` with their common weight, and their text made visible."""

    ids: tuple[int, ...]
    weight: float
    text: str


def pieces(datum: Datum, tokenizer: TextTokenizer, *, apart: bool = False) -> Iterator[Piece]:
    """Runs of equal weight, or with `apart` every token; tokens that only together make a character stay together."""
    start = 0
    for end in range(1, len(datum) + 1):
        last = end == len(datum)
        if not last and not apart and datum.weights[end] == datum.weights[start]:
            continue
        ids = tuple(datum.ids[start:end].tolist())
        text = tokenizer.decode(ids)
        if not last and text.endswith("�") and datum.weights[end] == datum.weights[start]:
            continue  # the character goes on in the next token
        yield Piece(ids, float(datum.weights[start]), visible(text))
        start = end


def visible(text: str) -> str:
    """`text` with control, format and unassigned characters spelled out."""
    return "".join(PICTURES.get(c) or (c if _plain(c) else f"‹U+{ord(c):04X}›") for c in text)


def _plain(character: str) -> bool:
    return character == JOINER or unicodedata.category(character) not in HIDDEN


def headline(datum: Datum) -> str:
    """Where the Datum came from and how much of it counts."""
    label = f" ({datum.label})" if datum.label else ""
    return f"{visible(str(datum.row))}{label}: {len(datum):,} tokens, {datum.trained:,} trained on"


def to_text(datum: Datum, tokenizer: TextTokenizer, *, ids: bool = False, weights: bool = False) -> Text:
    """For a rich console. `ids` and `weights` write each token apart with its id and weight behind it."""
    text = Text(headline(datum) + "\n", style="bold")
    for piece in pieces(datum, tokenizer, apart=ids or weights):
        text.append(piece.text, style=_style(piece.weight))
        text.append(_facts(piece, ids, weights), style="dim not bold")
    return text


def to_html(datums: Sequence[Datum], tokenizer: TextTokenizer, *, ids: bool = False, weights: bool = False) -> str:
    """A page of its own, without scripts and without anything from elsewhere."""
    body = []
    for datum in datums:
        body.append(f"<h2>{html.escape(headline(datum))}</h2>\n<pre>")
        for piece in pieces(datum, tokenizer, apart=ids or weights):
            kind = "" if piece.weight == 0 else ' class="on"' if piece.weight == 1 else ' class="part"'
            facts = _facts(piece, ids, weights)
            small = f"<small>{html.escape(facts)}</small>" if facts else ""
            body.append(f"<span{kind}>{html.escape(piece.text)}</span>{small}")
        body.append("</pre>\n")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>What is trained on</title>'
        f'<meta name="viewport" content="width=device-width"><style>\n{STYLE}</style></head>\n'
        f"<body>\n{''.join(body)}</body></html>\n"
    )


def _style(weight: float) -> str:
    return "not bold" if weight == 0 else "not bold green" if weight == 1 else "not bold yellow"


def _facts(piece: Piece, ids: bool, weights: bool) -> str:
    facts = ["+".join(map(str, piece.ids))] if ids else []
    facts += [f"×{piece.weight:g}"] if weights else []
    return f"[{' '.join(facts)}] " if facts else ""
