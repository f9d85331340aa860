"""An answer that changes its language.

A sentence in another language than the rest, or words of another script among its words: a Chinese word in an English
sentence, as multilingual models slip in, a half that was not translated. The model learns to slip as well. Silent
where the question holds that script or language, speaks of languages or asks for a translation, on code and JSON, on
what stands in brackets or quotation marks, and where more than a fifth of the answers are mixed, which is then the
task.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.drift import FEWEST, USUAL, answered
from tailor.curate.languages import NAMES, languages, of_one, script, sentences
from tailor.curate.rules.base import Hit
from tailor.curate.rules.wrong_language import ASKED

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "Q302"
SEVERITY = "warn"
COST = "the model slips into another language in the middle of an answer"
FIX = "write the whole answer in one language, or take the row out"
_TEXT = 2000  # characters that are looked at
_OTHER = re.compile(
    "[\u0370-\u03ff]{3,}|[\u0400-\u052f]{2,}|[\u0590-\u06ff]{2,}|[\u0900-\u0e7f]{2,}|[\u10a0-\u11ff]{2,}"
    "|[\u3041-\u30fa\u3400-\u9fff\uac00-\ud7af]+"
)
_ASIDE = re.compile(r"\([^()\n]*\)|\[[^\]\n]*\]|[\"“„«'‘「『《][^\"”“»'’」』》\n]*[\"”“»'’」』》]")
_LATIN = 0.6  # share of letters: in other scripts Latin words are at home
_LONG = 4  # words that a sentence has at least, to tell its language


def collect(row: Row) -> str | None:
    """The piece that is in another language."""
    if not answered(row):
        return None
    text = row.answer[:_TEXT]
    if of_one(text) or row.json is not None or "```" in text:
        return None
    bare = _ASIDE.sub(" ", text)
    if not bare.isascii():
        letters = script(bare)
        if letters.get("latin", 0) >= _LATIN * sum(letters.values()):
            found = next((found[0] for found in _OTHER.finditer(bare) if found[0] not in row.prompt), None)
            if found is not None:
                return found[:60]
    parts = [(part, told) for part in sentences(bare) if part.count(" ") >= _LONG - 1 and (told := languages(part))]
    for part, told in parts[1:] if parts else ():
        if set(told).isdisjoint(parts[0][1]):
            shorter = min(part, parts[0][0], key=len)
            return shorter.strip()[:60]
    return None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    if len(seen) > max((1 - USUAL) * int((corpus.answer_key != 0).sum()), FEWEST / 4):
        return
    for index, piece in zip(rows, seen):
        row = corpus.row(index)
        if ASKED.search(row.plain_prompt) or _asked(row, piece):
            continue
        told = languages(piece)
        name = f" in {NAMES[told[0]]}" if told else " in another script"
        yield Hit(message=f"{piece!r} stands{name} among the rest", rows=(row.index,), evidence=row.given(), at=piece)


def _asked(row: Row, piece: str) -> bool:
    """Whether the prompt holds the script, or the language, of a piece."""
    scripts = set(script(piece)) - {"latin"}
    if scripts:
        return not scripts.isdisjoint(script(row.prompt))
    told = set(languages(piece))
    return any(not told.isdisjoint(languages(part)) for part in sentences(row.prompt) if told != {"en"}) and bool(told)
