"""Prompt and completion, under those names or their synonyms; each is text, or a list of messages.

A row without a completion is a question still to be answered (kind `prompt`). Question lists in the manner of OpenAI's
evals and the Berkeley function-calling leaderboard (`question: [[{role, content}]]`, `function: [...]`) are such rows.
"""

from __future__ import annotations

import json
from typing import Any

from tailor.formats._turns import conversation, tools, turns
from tailor.formats.base import Malformed, Path, Row, describe, first_key, missing
from tailor.formats.sharegpt import system
from tailor.records import Example, Message, Source, message

PROMPTS = ("prompt", "question", "query", "input")
COMPLETIONS = ("completion", "response", "answer", "output", "target")
SYSTEMS = ("system", "system_prompt")
TOOLS = ("tools", "functions", "function")
KEYS: tuple[str, ...] = (*PROMPTS, *COMPLETIONS, *SYSTEMS, *TOOLS)
NAME = "prompt/completion"


def recognise(row: Row) -> tuple[str, ...]:
    """Rows with a prompt; a completion, a system prompt and tools add to it."""
    prompt = first_key(row, PROMPTS)
    if prompt is None or not isinstance(row[prompt], str | list):
        return ()
    others = (first_key(row, names) for names in (COMPLETIONS, SYSTEMS, TOOLS))
    return (prompt, *(key for key in others if key is not None))


def example(row: Row, source: Source) -> Example:
    """Kind `chat`; `prompt` where the completion is missing or empty."""
    asked, places = question(row)
    answered = answer(row, first_key(row, COMPLETIONS))
    messages = (*asked, *answered[0])
    places += answered[1]
    key = first_key(row, TOOLS)
    declared = tools(row[key], (key,)) if key else ()
    return conversation(source, messages, declared, places.__getitem__)


def question(row: Row) -> tuple[tuple[Message, ...], list[Path]]:
    """The messages before the answer, and where each stands in the row."""
    key = first_key(row, PROMPTS)
    if key is None:
        raise missing(row, PROMPTS)
    named = first_key(row, SYSTEMS)
    start = system(row, named)
    value = row[key]
    if type(value) is not list:
        asked: tuple[Message, ...] = (message("user", words(value, (key,))),)
        places: list[Path] = [(key,)]
    else:
        at: Path = (key,)
        if value and type(value[0]) is list:
            if len(value) > 1:
                fix = "a row asks once: give each turn a row, with the answers before it"
                raise Malformed(f"{key} holds {len(value)} turns of questions without answers between them", at, fix)
            value, at = value[0], (key, 0)
        asked = turns(value, at)
        places = [(*at, index) for index in range(len(asked))]
    return start + asked, [(named or "",)] * len(start) + places


def answer(row: Row, key: str | None) -> tuple[tuple[Message, ...], list[Path]]:
    """The messages of the answer under `key`, and where each stands; none where it is missing or empty."""
    value = row.get(key) if key else None
    if key is None or value is None or value == "":
        return (), []
    if type(value) is not list:
        return (message("assistant", words(value, (key,))),), [(key,)]
    answered = turns(value, (key,))
    if answered[0].role != "assistant":
        raise Malformed(f"{key} begins with a {answered[0].role} turn", (key, 0), "an answer begins with the assistant")
    if answered[-1].role != "assistant":
        raise Malformed(f"{key} ends with a {answered[-1].role} turn", (key, len(answered) - 1))
    return answered, [(key, index) for index in range(len(answered))]


def words(value: Any, at: Path) -> str:
    """The text of a cell: text as it is, numbers and true or false as JSON writes them."""
    if type(value) is str:
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise Malformed(f"{at[-1]} is {describe(value)}, not text", at, "write the text itself, JSON as a string")
