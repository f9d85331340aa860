"""Rows that are longer than the model reads.

Counted in tokens of `--model`, as its template writes the row, against its context or `data.max_length`. Where such a
row is cut, the end of its answer goes, and with it the token that says stop: the model learns to go on without end. The
finding says how many answer tokens cutting would lose. It blocks until `--over-length` says what is to be done: `drop`
leaves the rows out, `split` and `cut-prompt` keep every answer token and give up context.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "M301"
SEVERITY = "block"
COST = "answers are cut off, and the model learns not to stop"
FIX = "choose --over-length drop, split or cut-prompt, or shorten these rows"
NEEDS = "tokenizer"
CHOSEN = {
    "drop": "they are dropped",
    "split": "they are split, and no answer token is lost",
    "cut-prompt": "they lose their oldest context and no answer token",
}


def collect(row: Row) -> tuple[int, int, int] | None:
    """(tokens, trained tokens, those of them that cutting would lose) of a row that is too long."""
    found = row.rendering
    return (found.tokens, found.trained, found.lost) if found is not None and found.over else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all of them, the longest row first."""
    rows, values = corpus.collected.get(CODE, ((), []))
    if not values or corpus.model is None:
        return
    model, count = corpus.model, len(values)
    order = sorted(range(count), key=lambda i: (-values[i][0], rows[i]))
    lost, trained = sum(value[2] for value in values), sum(value[1] for value in values)
    long = f"{count:,} rows are" if count > 1 else "1 row is"
    said = f"{long} longer than the {model.limit:,} tokens that {model.name} reads"
    evidence = [
        f"{tokens:,} tokens, {gone:,} of {all_of_it:,} answer tokens too many: {corpus.source(rows[i])}"
        for i, (tokens, all_of_it, gone) in ((i, values[i]) for i in order[:5])
    ]
    done = CHOSEN.get(model.over_length, f"cutting loses {lost:,} of their {trained:,} answer tokens")
    chosen = model.over_length != "refuse"
    yield Hit(
        message=f"{said}; {done}",
        rows=tuple(int(rows[i]) for i in order),
        evidence="\n".join(evidence),
        severity="inform" if chosen else None,
        fix="nothing: --over-length is chosen" if chosen else "",
    )
