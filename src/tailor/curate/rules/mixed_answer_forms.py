"""An answer in another form than nearly all others.

Prose where the rest is JSON, a sentence where it is a number: at least 80% of the answers are of one form (a JSON
object, a JSON list, a number, text) and this one is not; or at least 60%, where the question does not tell which form
its answer has (a model of the other rows guesses it hardly better than by chance), so that these are not two tasks. A
model samples the smaller form about as often as the data holds it, and each such answer breaks the program that reads
them.
What begins as JSON and cannot be read as such counts as text. Among texts, numbers are left alone, and so is JSON that
the question asked for. Fences around JSON are C207, words before it C208.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.answers import LABEL, number
from tailor.curate.drift import answered, usual
from tailor.curate.labels import follows
from tailor.curate.rows import Row, json_value
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C201"
SEVERITY = "block"
COST = "the model answers in the smaller form as often as the data does"
FIX = "write the answer in the form of the others, or leave the row out"
MOST = 0.6  # of the answers: below, nobody can say which form is meant
TOLD = 0.2  # Cohen's kappa of guessing the form from the question: less, and chance decides which an answer has
FEWEST = 200  # answers: from fewer the model learns nothing
SAMPLE = 4000  # answers that the model is made of


def collect(row: Row) -> str | None:
    """The form of the answer; None for rows that are not to be compared."""
    if not answered(row):
        return None
    text = row.answer.strip()
    if text[0] in "{[":
        value = row.json
        if value is not None and text[0] == "{":
            return "JSON, as asked" if "json" in row.plain_prompt else "a JSON object"
        return "text" if value is None else "a JSON list"
    if text[0] == "`" or (text[-1] in "}]`" and _wrapped(text)):
        return None
    return "a number" if len(text) <= LABEL and number(text) is not None else "text"


def _of_one_task(corpus: Corpus, rows: Sequence[int] | np.ndarray, forms: Sequence[str]) -> str | None:
    """The form of at least MOST of the answers, if the questions do not tell which have it."""
    form = usual(forms, MOST)
    if form is None or len(forms) < FEWEST:
        return None
    some = np.linspace(0, len(forms) - 1, min(SAMPLE, len(forms))).astype(np.intp)
    own = np.array([forms[place] == form for place in some], np.intp)
    return None if follows(corpus, np.array(rows)[some], own) > TOLD else form


def _wrapped(text: str) -> bool:
    """Whether JSON follows some words."""
    starts = [at for at in (text.find("{"), text.find("[")) if at > 0]
    return bool(starts) and json_value(text[min(starts) :].rstrip("`\n ")) is not None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row of another form."""
    rows, forms = corpus.collected.get(CODE, ((), []))
    if sum(form == "text" for form in forms) * 2 < len(forms):
        forms = ["a JSON object" if form == "JSON, as asked" else form for form in forms]
    wanted = usual(forms) or _of_one_task(corpus, rows, forms)
    leave = ("a number", "JSON, as asked", "a JSON list") if wanted == "text" else ()
    share = forms.count(wanted) / max(len(forms), 1)
    for index, form in zip(rows, forms):
        if wanted is not None and form != wanted and form not in leave:
            row = corpus.row(index)
            message = f"{share:.0%} of the answers are {wanted}, this is {form}"
            yield Hit(message=message, rows=(row.index,), evidence=row.given(), at=row.answer)
