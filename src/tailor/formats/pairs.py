"""Preference pairs: a shared history and two continuations, the preferred one first.

OpenAI           input {messages, tools}, preferred_output, non_preferred_output (or preferred_completion, ...)
TRL              prompt, chosen, rejected: text or lists of messages
implicit prompt  chosen, rejected (or chosen_messages, rejected_messages): whole conversations that begin alike
LLaMA-Factory    conversations, messages, or instruction and input, with chosen and rejected beside them
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tailor.formats import alpaca, chat, completion, sharegpt
from tailor.formats._turns import check_order, tools, turn, turns
from tailor.formats.base import Format, Malformed, Path, Row, describe, first_key, missing
from tailor.records import Example, Message, Source, message

CHOSEN = ("chosen", "preferred_output", "preferred_completion", "chosen_messages")
REJECTED = ("rejected", "non_preferred_output", "non_preferred_completion", "rejected_messages")
_BASES: tuple[Format, ...] = (chat, sharegpt, alpaca, completion)
KEYS: tuple[str, ...] = tuple(dict.fromkeys((*CHOSEN, *REJECTED, *(key for base in _BASES for key in base.KEYS))))
NAME = "preference pair"


def recognise(row: Row) -> tuple[str, ...]:
    """Rows with a chosen and a rejected answer; what holds the prompt adds to it."""
    chosen, rejected = first_key(row, CHOSEN), first_key(row, REJECTED)
    if chosen is None or rejected is None:
        return ()
    if isinstance(row.get("input"), dict):
        return ("input", chosen, rejected)
    base = max((base.recognise(row) for base in _BASES), key=len)
    used = [key for key in base if key not in completion.COMPLETIONS]
    return (*used, chosen, rejected)


def example(row: Row, source: Source) -> Example:
    """Kind `pair`."""
    chosen, at_chosen = _continuation(row, CHOSEN)
    rejected, at_rejected = _continuation(row, REJECTED)
    history, places = _history(row)
    if chosen[0].role != "assistant" or rejected[0].role != "assistant":
        shared = _shared(chosen, rejected)
        if history and [m.text for m in history if m.role == "user"] != [m.text for m in shared if m.role == "user"]:
            fix = "both continuations have to begin with the prompt, or with the assistant's answer to it"
            raise Malformed("chosen and rejected do not continue the prompt", (*at_chosen, 0), fix)
        system = tuple(m for m in history if m.role == "system") if shared and shared[0].role != "system" else ()
        history, places = system + shared, [at_chosen] * len(system) + [(*at_chosen, i) for i in range(len(shared))]
        chosen, rejected = chosen[len(shared) :], rejected[len(shared) :]
    if not history:
        raise Malformed("chosen and rejected share no prompt", at_chosen, "give a prompt, or let both begin with it")
    for answer, at in ((chosen, at_chosen), (rejected, at_rejected)):
        _check(history, places, answer, at)
    return Example(kind="pair", source=source, messages=history, tools=_tools(row), chosen=chosen, rejected=rejected)


def _continuation(row: Row, names: tuple[str, ...]) -> tuple[tuple[Message, ...], Path]:
    key = first_key(row, names)
    if key is None:
        raise missing(row, names)
    value = row[key]
    if type(value) is dict:
        return (turn(value, (key,)),), (key,)
    if type(value) is list:
        return turns(value, (key,)), (key,)
    if type(value) is not str:
        raise Malformed(f"{key} is {describe(value)}, neither text nor messages", (key,))
    return (message("assistant", value),), (key,)


def _history(row: Row) -> tuple[tuple[Message, ...], list[Path]]:
    """The messages before the two answers, and where each stands; none where the answers bring them."""
    given = row.get("input")
    if type(given) is dict:
        return _listed(given.get("messages"), ("input", "messages"))
    if row.get("messages") is not None:
        return _listed(row["messages"], ("messages",))
    key = first_key(row, sharegpt.TURNS)
    if key is not None:
        start = sharegpt.system(row, "system")
        messages, places = _listed(row[key], (key,))
        return start + messages, [("system",) for _ in start] + places
    if row.get("instruction") is not None:
        return alpaca.question(row)
    if first_key(row, completion.PROMPTS) is not None:
        return completion.question(row)
    return (), []


def _listed(value: Any, at: Path) -> tuple[tuple[Message, ...], list[Path]]:
    messages = turns(value, at)
    return messages, [(*at, index) for index in range(len(messages))]


def _shared(chosen: Sequence[Message], rejected: Sequence[Message]) -> tuple[Message, ...]:
    """The messages that both begin with."""
    length = 0
    while length < min(len(chosen), len(rejected)) - 1 and chosen[length] == rejected[length]:
        length += 1
    return tuple(chosen[:length])


def _check(history: Sequence[Message], places: list[Path], answer: Sequence[Message], at: Path) -> None:
    where = [*places, *((*at, index) for index in range(len(answer)))]
    if answer[-1].role != "assistant":
        raise Malformed(f"{at[0]} ends with a {answer[-1].role} turn", where[-1], "the assistant has the last word")
    if history[-1].role == "assistant":
        raise Malformed("the prompt ends with an assistant turn", where[len(history) - 1], "end it before the answer")
    check_order([*history, *answer], where.__getitem__)


def _tools(row: Row) -> tuple[dict[str, Any], ...]:
    given = row.get("input")
    if type(given) is dict:
        return tools(given.get("tools"), ("input", "tools"))
    key = first_key(row, completion.TOOLS)
    return tools(row[key], (key,)) if key else ()
