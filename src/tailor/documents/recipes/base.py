"""What a recipe is, and what recipes share: passages of a length, and words found again in a text.

A recipe is a module of this room (or an object behind an entry point of the group `tailor.documents.recipes`):

    UNUSED                  why a block of a document stands in no row, in words
    rows(document, given)   the rows of one Document: Made, and LeftOut for an answer that was not taken
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tailor.documents.base import LIGATURES, Block, Document, LeftOut
from tailor.errors import ConfigError
from tailor.records import Completer

PASSAGE_TOKENS = 512  # a page of prose: room for a question and an answer in any model's context
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")


@dataclass(frozen=True, slots=True)
class Made:
    """A row without its source: which blocks of the document it was made from, and `at` which its answer stands
    (all of them where empty)."""

    values: dict[str, Any]
    blocks: tuple[int, ...]
    at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What a recipe may use: lengths, and what the user named for it.

    `tokens` says how long a text is; without a tokenizer, four bytes count as one token. `length` is the most tokens of
    a passage, 0 for no limit, None for the recipe's own. `clauses` is document -> clause type -> (spans, answer).
    """

    tokens: Callable[[str], int] = lambda text: -(-len(text.encode()) // 4)
    length: int | None = None
    clauses: Mapping[str, Mapping[str, tuple[Sequence[str], str]]] | None = None
    writer: Completer | None = None
    questions: int = 3


class Recipe(Protocol):
    """One way to make rows."""

    UNUSED: str

    def rows(self, document: Document, given: Given) -> Iterator[Made | LeftOut]:
        """The rows of a document. Raises ConfigError where something it needs was not given."""
        ...


def required(value: Any, what: str, fix: str) -> Any:
    """`value`. Raises ConfigError where it is None."""
    if value is None:
        raise ConfigError(what, fix=fix)
    return value


# ------------------------------------------------------------------------------------------------------ passages


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive blocks as one text; `starts` is where each of `blocks` begins in it."""

    text: str
    blocks: tuple[int, ...]
    starts: tuple[int, ...]


def passages(blocks: Sequence[Block], given: Given, *, length: int = PASSAGE_TOKENS) -> Iterator[Passage]:
    """The blocks in passages of at most `given.length` (or `length`) tokens; 0 makes one passage of all.

    A heading stays with what follows it. A block that is longer alone is cut between sentences, a table between rows,
    its first two lines repeated; a sentence longer than that stays whole.
    """
    limit = length if given.length is None else given.length
    held: list[tuple[int, str]] = []
    size = 0
    for index, text, tokens in _pieces(blocks, given, limit):
        heading = blocks[index].kind == "heading"
        full = limit and size + tokens > limit
        if held and (full or (heading and limit and size > limit / 2)):
            late = [] if heading or all(blocks[at].kind == "heading" for at, _ in held) else _headings(held, blocks)
            if late:
                held = held[: -len(late)]
            yield _passage(held)
            held, size = late, sum(given.tokens(text) for _, text in late)
        held.append((index, text))
        size += tokens
    if held:
        yield _passage(held)


def _headings(held: list[tuple[int, str]], blocks: Sequence[Block]) -> list[tuple[int, str]]:
    """The headings at the end of a passage, which belong to the next."""
    first = len(held)
    while first and blocks[held[first - 1][0]].kind == "heading":
        first -= 1
    return held[first:]


def _pieces(blocks: Sequence[Block], given: Given, limit: int) -> Iterator[tuple[int, str, int]]:
    """(block, text, tokens), long blocks cut."""
    for index, block in enumerate(blocks):
        tokens = given.tokens(block.text)
        if not limit or tokens <= limit:
            yield index, block.text, tokens
            continue
        if block.kind == "table":
            head, units, joint = block.text.split("\n")[:2], block.text.split("\n")[2:], "\n"
        else:
            joint = "\n" if block.kind in ("code", "list") else " "
            head, units = [], block.text.split("\n") if joint == "\n" else _SENTENCE.split(block.text)
        held: list[str] = []
        for unit in units:
            if held and given.tokens(joint.join([*head, *held, unit])) > limit:
                text = joint.join([*head, *held])
                yield index, text, given.tokens(text)
                held = []
            held.append(unit)
        text = joint.join([*head, *held])
        yield index, text, given.tokens(text)


def _passage(held: list[tuple[int, str]]) -> Passage:
    starts, at = [], 0
    for _, text in held:
        starts.append(at)
        at += len(text) + 2
    return Passage("\n\n".join(text for _, text in held), tuple(index for index, _ in held), tuple(starts))


def joined(several: Sequence[Passage]) -> Passage:
    """Consecutive passages as one."""
    starts, at = [], 0
    for passage in several:
        starts += [at + start for start in passage.starts]
        at += len(passage.text) + 2
    blocks = tuple(index for passage in several for index in passage.blocks)
    return Passage("\n\n".join(passage.text for passage in several), blocks, tuple(starts))


# ----------------------------------------------------------------------------------------------------- found again


_QUOTES = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "`": "'", "–": "-", "—": "-", "‑": "-", "…": "..."}
)


class Words:
    """A text in which words are found whatever their spacing, case, quotes, ligatures and hyphens."""

    def __init__(self, text: str) -> None:
        self.text = text
        letters: list[str] = []
        self.places: list[int] = []
        for place, char in enumerate(text):
            for letter in _letters(char):
                letters.append(letter)
                self.places.append(place)
        self.letters = "".join(letters)

    def find(self, words: str) -> tuple[int, int] | None:
        """Where `words` stand in the text, from and to; None where they do not, or only within other words."""
        wanted = _letters(words)
        at = self.letters.find(wanted) if wanted else -1
        while at >= 0:
            start, end = self.places[at], self.places[at + len(wanted) - 1] + 1
            if not (_inside(self.text, start) or _inside(self.text, end)):
                return start, end
            at = self.letters.find(wanted, at + 1)
        return None


def _letters(text: str) -> str:
    """What tells texts apart: a line end may have cost a hyphen, and spaces and quotes differ by the way of writing."""
    return "".join(text.translate(LIGATURES).translate(_QUOTES).casefold().replace("-", "").split())


def _inside(text: str, at: int) -> bool:
    """Whether a word goes on over this place."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def blocks_at(passage: Passage, words: str) -> tuple[int, ...]:
    """The blocks that the first occurrence of `words`, as the passage has them, touches."""
    start = passage.text.index(words)
    first, last = (bisect_right(passage.starts, at) - 1 for at in (start, start + len(words) - 1))
    return passage.blocks[first : last + 1]
