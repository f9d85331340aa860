"""Rows that are longer than the model's context, made to fit without touching what is trained on.

split       a text becomes windows; a chat becomes several, each from a user turn on, with its system turn
cut-prompt  a turn that does not fit loses its oldest context, turn by turn, then the beginning of its own question

Every answer token stays, and is trained on exactly once; the system turn stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import msgspec

from tailor.records import Datum, Example, Message, Text, ToolResult

Make = Callable[[Example], list[Datum]]


class TooLong(Exception):
    """The row cannot be made to fit; the text says why."""


def split(example: Example, datums: Sequence[Datum], make: Make, limit: int) -> list[Datum]:
    """Datums of at most `limit` tokens with the same trained tokens. Raises TooLong."""
    if example.kind == "text":
        return [window for datum in datums for window in windows(datum, limit)]
    if example.kind != "chat":
        raise TooLong(f"a row of kind {example.kind} cannot be split")
    system, rounds = _rounds(example.messages)
    done, pieces = 0, []
    while done < len(rounds):
        fitting = _longest(example, system, rounds, done, make, limit)
        if fitting is None:
            raise TooLong("one question with its answer is too long")
        done, made = fitting
        pieces += made
    return pieces


def cut_prompt(example: Example, make: Make, limit: int) -> list[Datum]:
    """Datums of at most `limit` tokens with the same trained tokens and as much context as fits. Raises TooLong."""
    if example.kind == "text":
        raise TooLong("a text has no prompt to cut")
    system, rounds = _rounds(example.messages)
    if example.kind != "chat":  # judged as a whole: only the context before the last question can go
        return _cut_to_fit(example, system, rounds, make, limit)
    first = _longest(example, system, rounds, 0, make, limit)
    done, pieces = first if first else (0, [])
    for last in range(done, len(rounds)):
        context = [_as_context(turns) for turns in rounds[:last]]
        pieces += _cut_to_fit(example, system, [*context, rounds[last]], make, limit)
    return pieces


def _rounds(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """The system turns at the start, and the rest cut before every user turn that follows an assistant's."""
    body = next((i for i, message in enumerate(messages) if message.role != "system"), len(messages))
    rounds: list[list[Message]] = []
    before = ""
    for message in messages[body:]:
        if not rounds or (message.role == "user" and before == "assistant"):
            rounds.append([])
        rounds[-1].append(message)
        before = message.role
    return list(messages[:body]), rounds


def _longest(
    example: Example, system: list[Message], rounds: list[list[Message]], start: int, make: Make, limit: int
) -> tuple[int, list[Datum]] | None:
    """(end, Datums) of the most rounds from `start` on that fit together; None where not even one does."""
    best = None
    for end in range(start + 1, len(rounds) + 1):
        datums = make(_with(example, system, rounds[start:end]))
        if any(len(datum) > limit for datum in datums):
            break
        best = (end, datums)
    return best


def _cut_to_fit(
    example: Example, system: list[Message], rounds: list[list[Message]], make: Make, limit: int
) -> list[Datum]:
    """The last round with the most rounds before it that fit; else with its own first words cut."""

    def attempt(kept: Sequence[Sequence[Message]]) -> list[Datum] | None:
        datums = make(_with(example, system, kept))
        return None if any(len(datum) > limit for datum in datums) else datums

    for start in range(len(rounds)):
        datums = attempt(rounds[start:])
        if datums is not None:
            return datums
    final = rounds[-1] if rounds else []
    for place, message in enumerate(final):
        if message.role not in ("user", "tool"):
            continue
        emptied = [*final[:place], _keep_end(message, 0), *final[place + 1 :]]
        if attempt([emptied]) is None:
            final = emptied
            continue
        low, high = 0, _size(message)  # `low` characters fit, `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            kept = [*final[:place], _keep_end(message, middle), *final[place + 1 :]]
            low, high = (middle, high) if attempt([kept]) is not None else (low, middle)
        fitting = attempt([[*final[:place], _keep_end(message, low), *final[place + 1 :]]])
        assert fitting is not None
        return fitting
    raise TooLong("the answer and the system turn alone are too long")


def _with(example: Example, system: list[Message], rounds: Sequence[Sequence[Message]]) -> Example:
    return msgspec.structs.replace(example, messages=(*system, *(m for turns in rounds for m in turns)))


def _as_context(turns: Sequence[Message]) -> list[Message]:
    return [msgspec.structs.replace(m, weight=0.0) if m.role == "assistant" else m for m in turns]


def _size(message: Message) -> int:
    """Characters of a turn that could be cut."""
    return sum(len(_words(part)) for part in message.parts if isinstance(part, Text | ToolResult))


def _words(part: Text | ToolResult) -> str:
    return part.text if isinstance(part, Text) else part.content


def _keep_end(message: Message, size: int) -> Message:
    """The turn with only the last `size` characters of its texts."""
    parts = []
    for part in reversed(message.parts):
        if isinstance(part, Text | ToolResult):
            words = _words(part)
            words, size = words[max(len(words) - size, 0) :], max(size - len(words), 0)
            field = "text" if isinstance(part, Text) else "content"
            part = msgspec.structs.replace(part, **{field: words})
        parts.append(part)
    return msgspec.structs.replace(message, parts=tuple(reversed(parts)))


def windows(datum: Datum, limit: int) -> Iterator[Datum]:
    """Pieces that overlap by one token, which the next piece needs to predict its first: nothing is lost or doubled."""
    step = limit - 1
    for start in range(0, max(len(datum) - 1, 1), step):
        part = slice(start, start + limit)
        weights = datum.weights[part].copy()
        weights[0] = 0
        streams = {name: values[part] for name, values in datum.streams.items()}
        yield replace(datum, ids=datum.ids[part], weights=weights, streams=streams)
