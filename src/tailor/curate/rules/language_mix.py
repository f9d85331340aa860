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

import numpy as np

from tailor.curate.drift import FEWEST, USUAL, answered, usual
from tailor.curate.languages import NAMES, language, languages, of_one, plainly_foreign, script, sentences, small_words
from tailor.curate.rules.base import Hit
from tailor.curate.rules.wrong_language import ASKED

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "Q302"
SEVERITY = "warn"
COST = "the model slips into another language in the middle of an answer"
FIX = "write the whole answer in one language, or take the row out"
_TEXT = 8000  # characters that are looked at
_OTHER = re.compile(
    "[\u0370-\u03ff]{3,}|[\u0400-\u052f]{2,}|[\u0590-\u06ff]{2,}|[\u0900-\u0e7f]{2,}|[\u10a0-\u11ff]{2,}"
    "|[\u3041-\u30fa\u3400-\u9fff\uac00-\ud7af]+"
)
_ASIDE = re.compile(r"\([^()\n]*\)|\[[^\]\n]*\]|(?:[\"“„«「『《]|(?<!\w)['‘])[^\"”“»'’」』》\n]*[\"”“»'’」』》]")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LATIN = 0.6  # share of letters: in other scripts Latin words are at home
_ROWS = 400  # from which the language of the data is taken
_UNSURE = "\0"
_LONG = 4  # words that a sentence has at least, to tell its language


def collect(row: Row) -> str | None:
    """The piece that is in another language."""
    if not answered(row):
        return None
    text = row.answer[:_TEXT]
    if of_one(text) or row.json is not None:
        return None
    bare = _ASIDE.sub(" ", _CODE.sub("\n", text))
    return _of_a_script(row, bare) or _of_a_language(row, bare)


def _of_a_script(row: Row, text: str) -> str | None:
    """Words of another script in a text that is mostly in Latin letters, or has a Latin question and small words."""
    found = None if text.isascii() else next((m[0] for m in _OTHER.finditer(text) if m[0] not in row.prompt), None)
    if found is None:
        return None
    letters = script(text)
    if letters.get("latin", 0) < _LATIN * sum(letters.values()) and not (
        set(script(row.prompt)) == {"latin"} and small_words(text)
    ):
        return None
    return found[:60]


def _of_a_language(row: Row, text: str) -> str | None:
    """A sentence in another language than the first that tells one; where no other does, than the question.

    Begins with _UNSURE where the question does not tell either.
    """
    told = [(part, languages(part)) for part in sentences(text) if part.count(" ") >= _LONG - 1]
    telling = [(part, codes) for part, codes in told if codes]
    for part, codes in telling[1:]:
        if set(codes).isdisjoint(telling[0][1]):
            return min(part, telling[0][0], key=len).strip()[:60]
    home = next((codes for part in sentences(row.prompt) if (codes := languages(part))), ())
    if telling and "en" not in telling[0][1]:
        piece, codes = telling[0]
        if not home:
            return _UNSURE + piece.strip()[:60]
        return piece.strip()[:60] if _beside(text, home, codes) else None
    if "en" in (telling[0][1] if telling else home):
        return next((part.strip()[:60] for part, codes in told if not codes and plainly_foreign(part)), None)
    return None


def _beside(text: str, home: tuple[str, ...], codes: tuple[str, ...]) -> bool:
    """Whether a text with a sentence in one language has words of another one as well."""
    return set(home).isdisjoint(codes) and small_words(text, home[0], but=codes) > 1


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    if len(seen) > max((1 - USUAL) * int((corpus.answer_key != 0).sum()), FEWEST / 4):
        return
    home = _usual(corpus) if any(piece.startswith(_UNSURE) for piece in seen) else ()
    for index, piece in zip(rows, seen):
        row = corpus.row(index)
        sure = piece.removeprefix(_UNSURE)
        told = languages(sure)
        if sure != piece and not (home and _beside(row.answer, home, languages(_whole(row.answer, sure)))):
            continue
        if ASKED.search(row.plain_prompt) or _asked(row, sure):
            continue
        name = f" in {NAMES[told[0]]}" if told else " in another script" if _OTHER.search(sure) else ""
        yield Hit(message=f"{sure!r} stands{name} among the rest", rows=(row.index,), evidence=row.given(), at=sure)


def _usual(corpus: Corpus) -> tuple[str, ...]:
    """The language of the data, of rows taken evenly; none where they have several."""
    rows = np.flatnonzero(~corpus.against & (corpus.answer_key != 0))
    told = [language(corpus.row(int(at)).answer) for at in rows[:: max(1, len(rows) // _ROWS)]]
    code = usual([*filter(None, told), ""])
    return (code,) if code else ()


def _whole(text: str, start: str) -> str:
    return next((part for part in sentences(text) if part.strip().startswith(start)), start)


def _asked(row: Row, piece: str) -> bool:
    """Whether the prompt holds the script, or the language, of a piece."""
    scripts = set(script(piece)) - {"latin"}
    if scripts:
        return not scripts.isdisjoint(script(row.prompt))
    told = set(languages(piece))
    return any(not told.isdisjoint(languages(part)) for part in sentences(row.prompt) if told != {"en"}) and bool(told)
