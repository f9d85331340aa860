"""All rows of a check as corpus-wise rules see them: columns of numbers, and any row again by its index."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args

import numpy as np

from tailor.config import CheckConfig
from tailor.curate.dynamics import Dynamics
from tailor.curate.model import Judged, Model
from tailor.curate.near import Near, Part
from tailor.curate.rows import Row
from tailor.curate.spool import Chunk, Crew, Spool
from tailor.records import Kind, Progress, Source, quiet

P = ParamSpec("P")
T = TypeVar("T")

KINDS: tuple[Kind, ...] = get_args(Kind)

MEANT = 0.5  # share of rows with a question of several answers from which that is no accident
QUESTIONS = 4  # of this kind: fewer make no habit

COLUMNS: dict[str, Any] = {
    "prompt_key": np.uint64,
    "answer_key": np.uint64,
    "question_key": np.uint64,
    "row_key": np.uint64,
    "exact_key": np.uint64,
    "group_key": np.uint64,
    "prompt_facts": np.uint64,
    "prompt_chars": np.int32,
    "answer_chars": np.int32,
    "kind": np.uint8,
    "against": np.bool_,
    "file": np.int32,
    "line": np.int64,
    "offset": np.int64,
}


@dataclass
class Corpus:
    """What corpus-wise rules judge. Columns are arrays with one entry a row, in the order of reading.

    prompt_key, answer_key   64-bit hashes of `plain_prompt` (with the tools declared) and `plain_answer`; 0 for none
    question_key             of the prompt's words, punctuation aside: equal for the same question; 0 for none
    row_key                  of prompt, answer, rejected answer and rating together
    exact_key                of prompt and answer to the letter
    group_key                of the row's group; 0 for none
    prompt_facts             of the numbers and negations in the prompt: prompts that differ in them differ
    prompt_chars, answer_chars, kind (index into KINDS), against (whether it is of the held-out rows), file, line
    collected                code -> (indices of rows, the values that the rule's `collect` gave for them)
    model, dynamics          what was handed in: a model, and what training did to these rows; None where nothing was
    """

    settings: CheckConfig
    spool: Spool
    crew: Crew
    model: Model | None = None
    dynamics: Dynamics | None = None
    progress: Progress = quiet
    files: list[str] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    collected: dict[str, tuple[np.ndarray, list[Any]]] = field(default_factory=dict)
    prompt_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    answer_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    question_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    row_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    exact_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    group_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    prompt_facts: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    prompt_chars: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    answer_chars: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    kind: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))
    against: np.ndarray = field(default_factory=lambda: np.empty(0, np.bool_))
    file: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    line: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    offset: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.line)

    def row(self, index: int) -> Row:
        """A row read again. About 10 microseconds: for evidence and for few candidates, not for all rows."""
        index = int(index)
        example = self.spool.example(int(self.offset[index]))
        return Row(example, index, bool(self.against[index]))

    def source(self, index: int) -> Source:
        """The place of a row."""
        return Source(self.files[self.file[index]], int(self.line[index]))

    def map(self, function: Callable[Concatenate[list[Row], P], T], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """`function(rows of a chunk, *args)` for every chunk, in order, on all processes: a second look at every row.

        The function stands at the top of its module. About 10 microseconds a row beside its own work.
        """
        assert not kwargs, "arguments go to other processes by place"
        return self.crew.run(_mapped, [(chunk, function, args) for chunk in self.chunks])

    def groups(self, column: np.ndarray, rows: np.ndarray) -> Iterator[list[int]]:
        """Indices of the rows that share a value of `column` other than 0, where there are two or more of them, in
        order; only the rows where the mask `rows` is true."""
        at = np.flatnonzero(rows & (column != 0))
        order = at[np.argsort(column[at], kind="stable")]
        cuts = np.flatnonzero(np.diff(column[order], prepend=column[order[:1]])) if len(order) else order
        starts = np.concatenate([[0], cuts])
        sizes = np.diff(starts, append=len(order))
        several = np.flatnonzero(sizes > 1)
        for place in several[np.argsort(order[starts[several]], kind="stable")]:
            yield order[starts[place] : starts[place] + sizes[place]].tolist()

    @functools.cached_property
    def near(self) -> Near:
        """Near-equal prompts and rows after taking off what rows share; worked out when first asked for."""
        keys: dict[Part, np.ndarray] = {"prompt": self.prompt_key, "row": self.row_key}
        return Near(self.crew, self.chunks, self.offset, keys, self.settings.near)

    @functools.cached_property
    def judged(self) -> Judged:
        """How likely the model finds the answers of training rows, at most `check.model_rows`. For NEEDS `model`.

        Where there are more, those whose content has the lowest hash: a sample that a row stays in as others come.
        """
        assert self.model is not None, "the rule does not say what it NEEDS"
        found = np.flatnonzero(self.asked)
        rows = np.sort(found[np.argsort(self.row_key[found], kind="stable")[: self.settings.model_rows]])
        return Judged(rows, self.model.score([self.row(row).example for row in rows], self.progress), len(found))

    @functools.cached_property
    def asked(self) -> np.ndarray:
        """The training rows with one wanted answer to a question: no pairs, no rated rows, no plain text."""
        chats = self.kind == KINDS.index("chat")
        asked: np.ndarray = chats & ~self.against & (self.prompt_key != 0) & (self.answer_key != 0)
        return asked

    @functools.cached_property
    def many_answers(self) -> bool:
        """Whether the data means to give several answers to a question: most rows have a question that has."""
        if self.labelled or not self.asked.any():
            return False
        _, question = np.unique(self.prompt_key[self.asked], return_inverse=True)
        answer = self.answer_key[self.asked]
        order = np.lexsort((answer, question))
        new = np.diff(question[order], prepend=-1) != 0
        new[1:] |= answer[order][1:] != answer[order][:-1]
        answers = np.bincount(question[order][new])
        several = bool((answers[question] > 1).mean() > MEANT and answers.max() > 2)
        return several and int((answers > 1).sum()) >= QUESTIONS

    @functools.cached_property
    def labelled(self) -> bool:
        """Whether answers are labels: short, and each given by several rows."""
        answers = self.answer_key[(self.answer_key != 0) & ~self.against]
        short = self.answer_chars[(self.answer_key != 0) & ~self.against] <= 64
        return len(answers) >= 10 and bool(short.mean() > 0.98) and 3 * len(np.unique(answers)) <= len(answers)


def _mapped(spool: Spool, chunk: Chunk, function: Callable[..., T], args: tuple[Any, ...]) -> T:
    return function(spool.rows(chunk), *args)
