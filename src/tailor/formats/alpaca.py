"""Alpaca: `instruction`, `input`, `output`, with `system` and `history` as LLaMA-Factory adds them.

The user's turn is the instruction, followed on a line of its own by the input where there is one.
"""

from __future__ import annotations

from tailor.formats._turns import conversation
from tailor.formats.base import Malformed, Path, Row, describe, first_key, missing
from tailor.formats.completion import COMPLETIONS, SYSTEMS, answer, words
from tailor.formats.sharegpt import system
from tailor.records import Example, Message, Source, message

INPUTS = ("input", "context")
KEYS: tuple[str, ...] = ("instruction", *INPUTS, *COMPLETIONS, *SYSTEMS, "history")
NAME = "alpaca"


def recognise(row: Row) -> tuple[str, ...]:
    """Rows with an `instruction`."""
    if row.get("instruction") is None:
        return ()
    others = (first_key(row, names) for names in (INPUTS, COMPLETIONS, SYSTEMS, ("history",)))
    return ("instruction", *(key for key in others if key is not None))


def example(row: Row, source: Source) -> Example:
    """Kind `chat`; `prompt` where the output is missing or empty."""
    asked, places = question(row)
    answered, at = answer(row, first_key(row, COMPLETIONS))
    return conversation(source, asked + answered, (), (places + at).__getitem__)


def question(row: Row) -> tuple[tuple[Message, ...], list[Path]]:
    """System prompt, history and the turn to answer, and where each stands in the row."""
    if row.get("instruction") is None:
        raise missing(row, ("instruction",))
    named = first_key(row, SYSTEMS)
    start = system(row, named)
    earlier, places = _history(row)
    text = words(row["instruction"], ("instruction",))
    key = first_key(row, INPUTS)
    given = words(row[key], (key,)) if key else ""
    asked = message("user", f"{text}\n{given}" if given and text else text or given)
    return (*start, *earlier, asked), [(named or "",)] * len(start) + places + [("instruction",)]


def _history(row: Row) -> tuple[tuple[Message, ...], list[Path]]:
    """`history` is a list of [question, answer]."""
    history = row.get("history")
    if history is None:
        return (), []
    if type(history) is not list:
        raise Malformed(f"history is {describe(history)}, not a list of [question, answer]", ("history",))
    messages: list[Message] = []
    places: list[Path] = []
    for index, pair in enumerate(history):
        at: Path = ("history", index)
        if type(pair) is not list or len(pair) != 2:
            raise Malformed("an entry of the history is [question, answer]", at)
        messages += [message("user", words(pair[0], (*at, 0))), message("assistant", words(pair[1], (*at, 1)))]
        places += [(*at, 0), (*at, 1)]
    return tuple(messages), places
