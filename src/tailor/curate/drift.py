"""What most answers have in common, and which do not: the one question of all rules of format drift."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from tailor.curate.rows import Row

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

T = TypeVar("T", bound=Hashable)

USUAL = 0.8  # share from which a form is what the data means; at 10% of drift it stands well above
FEWEST = 20  # rows: fewer show no habit
CLOSE = 0.5


def usual(seen: Sequence[T], share: float = USUAL) -> T | None:
    """What at least `share` of them are; None where there is no such thing, or nothing else beside it."""
    if len(seen) < FEWEST:
        return None
    value, count = Counter(seen).most_common(1)[0]
    return value if share * len(seen) <= count < len(seen) else None


def answered(row: Row) -> bool:
    """Whether the row has a plain answer to learn: no call of a tool, no text for continued pretraining."""
    example = row.example
    return example.kind in ("chat", "pair") and not row.against and not example.tools and bool(row.answer.strip())


def json_object(row: Row) -> dict[str, Any] | None:
    """The JSON object that the answer of a row is; None where it is none."""
    value = row.json if answered(row) else None
    return value if isinstance(value, dict) else None


class Piece(NamedTuple):
    """How one piece of an answer is written: the key that it stands under (`""` in text; after `\\0` what of it is
    compared, where several things are), its style, and whether the prompt has it to the letter."""

    slot: str
    style: str
    copied: bool = False


class Odd(NamedTuple):
    """A style that a row has in a slot where most others have another."""

    row: int
    slot: str
    style: str
    wanted: str


def odd(corpus: Corpus, code: str, same: Callable[[Iterable[str]], Mapping[str, str]] | None = None) -> Iterator[Odd]:
    """The pieces that a rule's `collect` gave in tuples, and that are written otherwise than most in their slot.

    Left alone: what was copied from the prompt, unless the others are not, and pieces in text that most texts do not
    have at all. `same` maps the styles of a slot that mean another one of them.
    """
    rows, seen = corpus.collected.get(code, ((), []))
    slots: defaultdict[str, tuple[list[int], list[Piece]]] = defaultdict(lambda: ([], []))
    for index, pieces in zip(rows, seen):
        for piece in pieces:
            slots[piece[0]][0].append(int(index))
            slots[piece[0]][1].append(piece)
    for slot, (indices, pieces) in slots.items():
        if slot[:1] in ("", "\0") and len(set(indices)) * 2 < int((~corpus.against & (corpus.answer_key != 0)).sum()):
            continue
        meant = same(style for _, style, _ in pieces) if same else {}
        styles = [meant.get(style, style) for _, style, _ in pieces]
        wanted = usual(styles)
        if wanted is None:
            continue
        own = sum(not copied for (*_, copied), style in zip(pieces, styles) if style == wanted)
        copies = own < USUAL * styles.count(wanted)
        for index, (_, style, copied), resolved in zip(indices, pieces, styles):
            if resolved != wanted and not (copied and copies):
                yield Odd(index, slot, style, wanted)


def one_make(corpus: Corpus, rows: Sequence[int] | np.ndarray) -> bool:
    """Whether the answers of rows are of one make: their lengths lie close together, as one task has them.

    The median deviation of the log of the length is 0.1 to 0.4 where one thing is asked for, 0.6 and more where an
    assistant answers everything.
    """
    if len(rows) < FEWEST:
        return False
    lengths = np.log(np.maximum(corpus.answer_chars[np.asarray(rows)], 1))
    return bool(np.median(np.abs(lengths - np.median(lengths))) <= CLOSE)
