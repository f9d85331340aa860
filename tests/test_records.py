"""What the nouns know of themselves."""

from __future__ import annotations

import msgspec
import pytest

from tailor.errors import DataError
from tailor.records import Example, Ledger, Reasoning, Source, Text, ToolCall, message
from tailor.records import Message as Turn


def chat(*answers: str, line: int = 1, **kwargs: object) -> Example:
    turns = [turn for answer in answers for turn in (message("user", "q"), message("assistant", answer))]
    return Example(kind="chat", messages=tuple(turns), source=Source("a.jsonl", line), **kwargs)  # type: ignore[arg-type]


def test_prompt_and_answer_by_kind() -> None:
    assert (chat("a", "b").answer, len(chat("a", "b").prompt)) == ("b", 3)
    pair = Example(
        kind="pair",
        source=Source("a", 1),
        messages=(message("user", "q"),),
        chosen=(message("assistant", "good"),),
        rejected=(message("assistant", "bad"),),
    )
    assert (pair.answer, len(pair.prompt)) == ("good", 1)
    assert Example(kind="prompt", source=Source("a", 1), messages=(message("user", "q"),)).answer == ""


def test_the_key_is_of_the_content_alone() -> None:
    assert chat("a", line=1).key == chat("a", line=9, group="g").key != chat("b").key


def test_an_example_survives_json() -> None:
    turn = Turn("assistant", (Reasoning("hm"), Text("so"), ToolCall("f", {"x": [1, None]}, "1")), 0.5)
    example = chat("a", tools=({"type": "function"},), group="g")
    example = msgspec.structs.replace(example, messages=(*example.messages, turn))
    assert msgspec.json.decode(msgspec.json.encode(example), type=Example) == example
    assert turn.text == "so"


def test_a_ledger_that_does_not_add_up_refuses() -> None:
    ledger = Ledger(rows_in=3, train=1, validation=1)
    with pytest.raises(DataError, match="3 rows came in, 2 are used and 0 dropped"):
        ledger.check()
    ledger.drop("too long", [Source("a.jsonl", 7)], tokens=90)
    ledger.check()
    assert (ledger.dropped, ledger.dropped_at, ledger.tokens_dropped) == (
        {"too long": 1},
        {"too long": ["a.jsonl:7"]},
        90,
    )
