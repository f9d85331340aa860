"""What a model makes of rows, as rules see it: strings and numbers. This room knows no model; one is handed in.

A rule says what it NEEDS (`rules/base.py`). With `tokenizer` every Row carries its Rendering, made where the row is
scanned, on every process. With `model` the Corpus has Scores, made once for all rules that want them, of a sample where
there are many rows. Both are functions that the command hands in as a Model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from msgspec import Struct

from tailor.config import OverLength
from tailor.records import Example, Progress

Need = Literal["", "tokenizer", "model", "run"]


class Rendering(Struct, frozen=True, kw_only=True):
    """A row as the model's template and tokenizer write it.

    texts     all tokens of the row as text again; several where the template rewrites history between turns
    answers   the trained parts of it, one for each run of trained tokens
    tokens    length of the longest Datum; `over` of them are more than the model (or `data.max_length`) takes
    trained   trained tokens; `lost` of them stand where the row would be cut
    doubled   a token that begins or ends a text and stands twice in a row; empty for none
    marks     the special tokens of this tokenizer, and the marks of its template, as text
    fault     why the template cannot write the row, and the `remedy`; then nothing else is known
    """

    texts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    tokens: int = 0
    trained: int = 0
    over: int = 0
    lost: int = 0
    doubled: str = ""
    marks: tuple[str, ...] = ()
    fault: str = ""
    remedy: str = ""


@dataclass(frozen=True, eq=False)
class Scores:
    """How likely a model finds the last answer of rows; float64 [n], NaN where it cannot say (no answer, too long).

    nll     mean -log p of an answer's token after its prompt, stop token included, in nats
    alone   the same after a prompt whose question is blank: what the answer costs without being asked for
    least   log p of the token that it finds least likely
    tokens  how many tokens the answer has
    """

    nll: np.ndarray
    alone: np.ndarray
    least: np.ndarray
    tokens: np.ndarray


Read = Callable[[Sequence[Example]], Sequence[Rendering | None]]
"""Examples -> what the tokenizer makes of each; None for rows that are not written as they stand (prompts).

It goes to other processes, so it must pickle, and it is called for a chunk at a time."""
Score = Callable[[Sequence[Example], Progress], Scores]


@dataclass(frozen=True)
class Model:
    """A model at hand. `limit` is the longest row in tokens, `over_length` what a run would do with a longer one."""

    name: str
    limit: int
    over_length: OverLength
    read: Read
    score: Score


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows of a corpus, by their index, and their Scores; `of` is how many there were to choose from."""

    rows: np.ndarray
    scores: Scores
    of: int
