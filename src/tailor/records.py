"""The nouns of the house as plain data, and the protocols by which one room is handed another's function.

The way of the data: file -> Example -> Datum -> Tree (with Targets) -> Completion -> Score -> Verdict. No I/O and no
torch here. Text records are msgspec structs (they go to JSON lines and back); token records hold NumPy arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from msgspec import Struct

from tailor.errors import DataError

# ---------------------------------------------------------------------------------------------------- Example


class Text(Struct, frozen=True, tag="text", tag_field="type"):
    """Plain text of a message."""

    text: str


class Reasoning(Struct, frozen=True, tag="reasoning", tag_field="type"):
    """What the assistant thought before it answered."""

    text: str


class ToolCall(Struct, frozen=True, tag="tool_call", tag_field="type"):
    """A call the assistant makes; `arguments` is the parsed JSON object."""

    name: str
    arguments: dict[str, Any]
    id: str = ""


class ToolResult(Struct, frozen=True, tag="tool_result", tag_field="type"):
    """What a tool answered; `id` names the call it answers."""

    content: str
    id: str = ""
    name: str = ""


class Media(Struct, frozen=True, tag="media", tag_field="type"):
    """An image, sound or video by its path or address; kept, not yet rendered by any template."""

    kind: str
    source: str


Part = Text | Reasoning | ToolCall | ToolResult | Media
Role = Literal["system", "user", "assistant", "tool"]


class Message(Struct, frozen=True):
    """One turn. `weight` scales the loss of an assistant turn: None means 1, 0 means it is context only."""

    role: Role
    parts: tuple[Part, ...]
    weight: float | None = None

    @property
    def text(self) -> str:
        """The plain text of the turn, without reasoning and calls."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def message(role: Role, text: str, weight: float | None = None) -> Message:
    """A turn of plain text."""
    return Message(role, (Text(text),), weight)


class Source(Struct, frozen=True):
    """Where a row came from; `line` counts from 1 (the record's number where a file has no lines)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


Kind = Literal["chat", "pair", "rated", "prompt", "text"]


class Example(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row as the user meant it.

    chat    `messages` end with an assistant turn
    pair    `messages` are the shared history, `chosen` and `rejected` the two continuations
    rated   `messages` end with an assistant turn that `rating` judges (1 good, 0 bad, or a grade)
    prompt  `messages` end with a turn the assistant has yet to answer
    text    `text` for continued pretraining; no messages

    `tools` are the declared functions in OpenAI's JSON form. Rows that share a `group` (customer, document,
    conversation) stay on one side of every split.
    """

    kind: Kind
    source: Source
    messages: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    chosen: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()
    rating: float | None = None
    text: str = ""
    group: str | None = None

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The messages that stand before the answer."""
        return self.messages[:-1] if self.kind in ("chat", "rated") else self.messages

    @property
    def answer(self) -> str:
        """The wanted answer as text: the last assistant turn, or the last chosen one; empty where there is none."""
        turns = self.chosen if self.kind == "pair" else self.messages if self.kind in ("chat", "rated") else ()
        return turns[-1].text if turns else ""

    @property
    def key(self) -> str:
        """Hash of the content without its source: equal for equal rows of any file."""
        body = msgspec.structs.replace(self, source=Source("", 0), group=None)
        return hashlib.blake2b(msgspec.json.encode(body, order="sorted"), digest_size=16).hexdigest()


# ----------------------------------------------------------------------------------------------------- Ledger


class Ledger(Struct):
    """What became of every row and token. `check` refuses a run whose sums do not add up."""

    rows_in: int = 0
    train: int = 0
    validation: int = 0
    test: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    dropped_at: dict[str, list[str]] = msgspec.field(default_factory=dict)
    tokens_in: int = 0
    tokens_dropped: int = 0
    tokens_trained: int = 0

    def drop(self, reason: str, where: Iterable[Source | str], tokens: int = 0) -> None:
        """Count rows that leave, with the reason a person reads and every `file:line`."""
        places = [str(source) for source in where]
        if places:
            self.dropped[reason] = self.dropped.get(reason, 0) + len(places)
            self.dropped_at.setdefault(reason, []).extend(places)
            self.tokens_dropped += tokens

    def check(self) -> None:
        """Raises DataError unless rows in = train + validation + test + dropped."""
        kept = self.train + self.validation + self.test
        gone = sum(self.dropped.values())
        if self.rows_in != kept + gone:
            raise DataError(
                f"the ledger does not add up: {self.rows_in:,} rows came in, {kept:,} are used and {gone:,} dropped",
                fix="this is a fault in tailor; please report it with the command you ran",
            )


class Finding(Struct, frozen=True, kw_only=True):
    """One defect of the data: rule code, severity, the rows it was seen in, and the proposed fix.

    Where in the first row it stands: `column` from 1 where the reader knows it, else `at`, the piece of text itself.
    """

    code: str
    severity: Literal["block", "warn", "inform"]
    message: str
    rows: tuple[Source, ...] = ()
    evidence: str = ""
    fix: str = ""
    column: int = 0
    at: str = ""


# ------------------------------------------------------------------------------------------------ Datum, Tree


@dataclass(frozen=True, eq=False, slots=True)
class Datum:
    """Tokens and how much each counts.

    `weights[i]` is the loss weight of predicting `ids[i]` from `ids[:i]`; `weights[0]` is 0. `group` is the index of
    the Example it was made from, `row` names the place of the Example for messages, `label` tells siblings apart
    (chosen, rejected). `streams` hold one float a token (reference log-probs, advantages).
    """

    ids: np.ndarray  # int32 [n]
    weights: np.ndarray  # float32 [n]
    group: int
    row: Source
    label: str = ""
    streams: Mapping[str, np.ndarray] = field(default_factory=dict)
    media: None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def trained(self) -> int:
        """Number of tokens of weight > 0."""
        return int(np.count_nonzero(self.weights))


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of tokens of a Tree: `parent` is the segment it continues (-1 for a root), `start` its first row."""

    parent: int
    start: int
    length: int


@dataclass(frozen=True, eq=False, slots=True)
class Targets:
    """Which hidden row predicts which token for which Datum; arrays of length n. Several may share a row."""

    rows: np.ndarray  # int32 [n] row of the Tree whose hidden state predicts
    tokens: np.ndarray  # int32 [n] the token predicted
    weights: np.ndarray  # float32 [n]
    datums: np.ndarray  # int32 [n] index of the Datum within the micro-batch
    streams: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False, slots=True)
class Tree:
    """Datums laid out as segments. A token sees its ancestors and itself; its position is its depth.

    Ordinary packing is a forest: every segment a root. `datums` keeps the Datums in the order that `targets.datums`
    counts. Segments are stored parents first and lie one after another, so `start` rises.
    """

    ids: np.ndarray  # int32 [t]
    positions: np.ndarray  # int32 [t]
    segments: tuple[Segment, ...]
    targets: Targets
    datums: tuple[Datum, ...]

    def __len__(self) -> int:
        return len(self.ids)


# --------------------------------------------------------------------------------------- Completion and Score


class Request(Struct, frozen=True, kw_only=True):
    """What a completer is asked to continue."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()


class Sampling(Struct, frozen=True, kw_only=True):
    """How to choose tokens. Temperature 0 is greedy; `n` completions a request; `seed` makes sampling repeatable."""

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    n: int = 1
    seed: int = 0


class Completion(Struct, frozen=True, kw_only=True):
    """One answer. `ids` and `logprobs` hold the generated tokens, the stop token included where one was emitted."""

    text: str
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    finish_reason: Literal["stop", "length", "refused"] = "stop"
    prompt_tokens: int = 0
    seconds: float = 0.0


class Score(Struct, frozen=True, kw_only=True):
    """One metric of one arm on one example; `detail` says in words what was wrong.

    `weight` is how much the example counts in the arm's mean, where that is one over tokens or bytes.
    """

    metric: str
    value: float
    detail: str = ""
    weight: float = 1.0


class Scored(Struct, frozen=True, kw_only=True):
    """A line of `scores/ARM.jsonl`: what was asked, wanted and given on one held-out row, and how it scored.

    `weights` has the metrics, by name, in whose means the row does not count as one. `completion_tokens` are those that
    were written, or of the wanted answer where that was read.
    """

    row: int
    source: Source
    prompt: str
    wanted: str
    given: str
    score: float
    detail: str = ""
    group: str | None = None
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    others: dict[str, float] = msgspec.field(default_factory=dict)
    weights: dict[str, float] = msgspec.field(default_factory=dict)


class ArmResult(Struct, frozen=True, kw_only=True):
    """One way to do the task, measured: the score with its 95% interval on `n` held-out rows."""

    name: str
    metric: str
    n: int
    score: float
    ci: tuple[float, float]
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    others: dict[str, float] = msgspec.field(default_factory=dict)
    others_ci: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)


class Difference(Struct, frozen=True, kw_only=True):
    """The paired difference `arm - against` on the same rows, its 95% interval and a p-value shown beside it."""

    arm: str
    against: str
    mean: float
    ci: tuple[float, float]
    p: float


Decision = Literal["tune", "prompt", "few-shot", "retrieve", "inconclusive"]


class RowsNeeded(Struct, frozen=True, kw_only=True):
    """How many rows would settle an inconclusive comparison; None where the number says nothing."""

    held_out: int | None = None
    training: int | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """The decision, the sentence that states it with its numbers, and what would change it."""

    decision: Decision
    sentence: str
    rows_needed: RowsNeeded


# -------------------------------------------------------------------------------------------------- protocols


class Tokenizer(Protocol):
    """Text <-> token ids; never adds special tokens by itself."""

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; special tokens written out in it are recognised."""
        ...

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        """Text of `ids`."""
        ...


class Completer(Protocol):
    """messages -> completions."""

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """Yields (index of the request, its `sampling.n` completions) as they finish, in any order."""
        ...

    def stream(self, request: Request, sampling: Sampling) -> Iterator[str]:
        """Yields pieces of one completion's text as they are generated. Raises ResourceError for a prompt that leaves
        no room for an answer in the model's context."""
        ...


Progress = Callable[[str, int, int], None]
"""(what is being done, done so far, in all): how a room reports progress without knowing the screen."""


def quiet(what: str, done: int, total: int) -> None:
    """The Progress that shows nothing."""
