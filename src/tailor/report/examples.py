"""The rows where two arms differ most, and what differs in them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tailor.records import Scored
from tailor.report.facts import Mark
from tailor.report.text import LIMIT

FOLD = 320  # characters of a text that stay in sight; longer ones open on a click
LEAD = 60  # characters of agreement kept before the first difference of a folded text

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_QUADRATIC = 250_000  # token pairs that difflib compares in well under a tenth of a second

Group = Literal["better", "worse", "same"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of an answer: as wanted (`same`), not wanted (`extra`), or the place (`gap`) where `text` is wanting."""

    text: str
    kind: Literal["same", "extra", "gap"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A text for the page: `brief` is empty unless the whole is long enough to be folded."""

    whole: tuple[Piece, ...]
    brief: tuple[Piece, ...] = ()
    length: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one arm gave."""

    arm: str
    text: Shown
    score: float
    detail: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One row side by side."""

    group: Group
    source: str
    prompt: Shown
    wanted: Shown
    answers: tuple[Answer, ...]


def tally(tuned: Mapping[int, Mark], base: Mapping[int, Mark], sign: int = 1) -> dict[Group, int]:
    """On how many of the rows that both scored the first is better, the same, worse; `sign` -1: lower is better."""
    result: dict[Group, int] = {"better": 0, "same": 0, "worse": 0}
    for row in tuned.keys() & base.keys():
        result[_group(sign * (tuned[row].score - base[row].score))] += 1
    return result


def choose(
    tuned: Mapping[int, Mark], base: Mapping[int, Mark], n: int = 10, *, sign: int = 1
) -> list[tuple[int, Group]]:
    """At most `n` rows: the largest gains and the largest losses, half each where there are enough, then the worst of
    the rest. Ties fall in a fixed order that does not follow the file, so they are a sample and not its first rows.
    With no rows in common the worst rows of the first. `sign` is -1 where lower scores are better."""
    shared = tuned.keys() & base.keys()
    gain = {row: sign * (tuned[row].score - base[row].score) for row in shared} or dict.fromkeys(tuned, 0.0)
    ranked = sorted(gain, key=lambda row: (-abs(gain[row]), sign * tuned[row].score, _scatter(row)))
    groups: dict[Group, list[int]] = {"better": [], "worse": [], "same": []}
    for row in ranked:
        groups[_group(gain[row])].append(row)
    worse = min(len(groups["worse"]), max(n // 2, n - len(groups["better"])))
    better = min(len(groups["better"]), n - worse)
    take: dict[Group, int] = {"better": better, "worse": worse, "same": n - better - worse}
    return [(row, group) for group, number in take.items() for row in groups[group][:number]]


def samples(chosen: Sequence[tuple[int, Group]], arms: Mapping[str, Mapping[int, Scored]]) -> list[Sample]:
    """The chosen rows with their texts; the first arm of `arms` that has a row names its prompt and wanted answer."""
    lines = [[(arm, rows[row]) for arm, rows in arms.items() if row in rows] for row, _ in chosen]
    shared = _shared_prefix([line[0][1].prompt for line in lines if line])
    result = []
    for (_, group), line in zip(chosen, lines):
        if line:
            first = line[0][1]
            answers = tuple(_answer(arm, one) for arm, one in line)
            prompt = _prompt(first.prompt, shared)
            wanted = _folded((Piece(first.wanted, "same"),))
            result.append(Sample(group, str(first.source), prompt, wanted, answers))
    return result


def _answer(arm: str, line: Scored) -> Answer:
    text = _folded(compare(line.wanted, line.given))
    restated = all(part.strip() in line.detail for part in (line.wanted, line.given))  # it stands beside it already
    return Answer(arm, text, line.score, "" if restated else line.detail, line.finish_reason == "length")


def compare(wanted: str, given: str) -> tuple[Piece, ...]:
    """`given` cut into pieces by how it differs from `wanted`, word by word; long texts by their common ends only."""
    if not wanted or wanted == given:
        return (Piece(given, "same"),) if given else ()
    a, b = _TOKEN.findall(wanted[:LIMIT]), _TOKEN.findall(given[:LIMIT])
    rest = given[LIMIT:]
    pieces: list[Piece] = []
    for kind, a0, a1, b0, b1 in _opcodes(a, b):
        lost, got = "".join(a[a0:a1]), "".join(b[b0:b1])
        if kind == "equal":
            pieces.append(Piece(got, "same"))
        elif got:
            pieces.append(Piece(got, "extra"))
        else:
            pieces.append(Piece(lost, "gap"))
    if rest:
        pieces.append(Piece(rest, "same" if wanted[LIMIT:] == rest else "extra"))
    return tuple(_joined(pieces))


def _opcodes(a: list[str], b: list[str]) -> list[tuple[str, int, int, int, int]]:
    if len(a) * len(b) <= _QUADRATIC:
        return list(difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes())
    short = min(len(a), len(b))
    head = next((i for i in range(short) if a[i] != b[i]), short)
    tail = next((i for i in range(short - head) if a[-1 - i] != b[-1 - i]), short - head)
    middle = (len(a) - tail, len(b) - tail)
    codes = [("equal", 0, head, 0, head), ("replace", head, middle[0], head, middle[1])]
    codes.append(("equal", middle[0], len(a), middle[1], len(b)))
    return [code for code in codes if code[1] < code[2] or code[3] < code[4]]


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Two differences with nothing but blanks between them are one: a marked phrase reads better than marked words."""
    held: Piece | None = None
    for index, piece in enumerate(pieces):
        after = pieces[index + 1].kind if index + 1 < len(pieces) else "same"
        if held and held.kind == "extra" and piece.kind == "same" and piece.text.isspace() and after == "extra":
            piece = Piece(piece.text, "extra")
        if held and held.kind == piece.kind:
            held = Piece(held.text + piece.text, held.kind)
            continue
        if held:
            yield held
        held = piece
    if held:
        yield held


def _folded(pieces: tuple[Piece, ...]) -> Shown:
    """The pieces, and where they are long a brief of `FOLD` characters that begins just before the first difference."""
    length = sum(len(piece.text) for piece in pieces if piece.kind != "gap")
    if length <= FOLD:
        return Shown(pieces, length=length)
    first = next((i for i, piece in enumerate(pieces) if piece.kind != "same"), 0)
    before = sum(len(piece.text) for piece in pieces[:first])
    skip = max(0, before - LEAD) if first else 0
    return Shown(pieces, tuple(_slice(pieces, skip, FOLD)), length)


def _prompt(text: str, shared: int) -> Shown:
    """A prompt whose brief leaves out the first `shared` characters, which all the chosen prompts have in common."""
    whole = (Piece(text, "same"),)
    if len(text) <= FOLD:
        return Shown(whole, length=len(text))
    return Shown(whole, tuple(_slice(whole, shared, FOLD)), len(text))


def _slice(pieces: Sequence[Piece], skip: int, room: int) -> Iterator[Piece]:
    """At most `room` characters after the first `skip`, with an ellipsis for what is left out on either side."""
    if skip:
        yield Piece("… ", "same")
    start, end, at = skip, skip + room, 0
    for piece in pieces:
        if piece.kind == "gap":
            if start <= at < end:
                yield piece
            continue
        text = piece.text[max(0, start - at) : max(0, end - at)]
        at += len(piece.text)
        if text:
            yield Piece(text, piece.kind)
    if at > end:
        yield Piece(" …", "same")


def _shared_prefix(prompts: Sequence[str]) -> int:
    """Length of the text that all prompts begin with, such as a system prompt, up to the end of its last line."""
    if len(prompts) < 2:
        return 0
    first, last = min(prompts), max(prompts)  # what these two share, all between them share
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), len(first))
    return first.rfind("\n", 0, same) + 1


def _group(gain: float) -> Group:
    return "better" if gain > 1e-12 else "worse" if gain < -1e-12 else "same"


def _scatter(row: int) -> int:
    return row * 2_654_435_761 % 2**32  # Knuth's multiplicative hash: neighbours land far apart
