"""The same row more than once.

Prompt and answer are equal after Unicode normalisation (NFKC), case folding and collapsing of white space. Each copy
counts as another example, so the row weighs more than its neighbours and is memorised first; removing duplicates makes
verbatim memorising about ten times rarer (Lee et al. 2021, "Deduplicating Training Data Makes Language Models
Better"). A repair keeps the first copy, and drops others that are equal to the letter: in code and in lists case and
white space may matter. A mixing weight (`file:2`) is the way to say that a row should count twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import KEPT, Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "D101"
SEVERITY = "warn"
COST = "repeated rows outweigh the others and are learned by heart"
FIX = "keep the first copy"
DROPS = True


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a copy, after the row that it repeats."""
    copies = [(copy, first) for first, *more in corpus.groups(corpus.row_key, ~corpus.against) for copy in more]
    for number, (copy, first) in enumerate(sorted(copies)):
        evidence = corpus.row(copy).excerpt() if number < KEPT else ""
        same = bool(corpus.exact_key[copy] == corpus.exact_key[first])
        message = "repeats a row " + ("word for word" if same else "but for case, spaces or width")
        yield Hit(message=message, rows=(copy, first), evidence=evidence, drop=same)
