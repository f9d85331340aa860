"""Files as others wrote them are read without a conversion script, every row of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tailor import formats
from tailor.errors import DataError
from tailor.records import Message, Reasoning, ToolCall, ToolResult

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets of ../shared are not here")

FILES = {
    "formats/llamafactory/alpaca_en_demo.json": (999, "chat", "alpaca"),
    "formats/llamafactory/identity.json": (91, "chat", "alpaca"),
    "formats/llamafactory/dpo_en_demo.json": (300, "pair", "preference pair"),
    "formats/llamafactory/v1_dpo_demo.jsonl": (10, "pair", "preference pair"),
    "formats/llamafactory/glaive_toolcall_en_demo.json": (300, "chat", "sharegpt"),
    "formats/llamafactory/kto_en_demo.json": (300, "rated", "rated"),
    "formats/llamafactory/reason_tool_use_demo_50.jsonl": (50, "chat", "chat"),
    "formats/llamafactory/v1_sft_demo.jsonl": (500, "chat", "chat"),
    "banking77/train.csv": (10_003, "chat", "rows of a table: prompt=text, completion=category"),
    "banking77/test.csv": (3_080, "chat", "rows of a table: prompt=text, completion=category"),
    "gsm8k/train.jsonl": (7_473, "chat", "rows have 'question' and 'answer'"),
    "gsm8k/test.jsonl": (1_319, "chat", "rows have 'question' and 'answer'"),
    "mts-dialog/MTS-Dialog-TrainingSet.csv": (1_201, "chat", "prompt=dialogue, completion=section_text"),
    "mts-dialog/MTS-Dialog-ValidationSet.csv": (100, "chat", "prompt=dialogue, completion=section_text"),
    "mts-dialog/MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv": (200, "chat", "prompt=dialogue, completion=section_text"),
    "e2e-cleaned/devel-fixed.csv": (4_299, "chat", "prompt=mr, completion=ref"),
    "e2e-cleaned/test-fixed.csv": (4_693, "chat", "prompt=mr, completion=ref"),
    "rasbt/instruction-data.json": (1_100, "chat", "alpaca"),
    "rasbt/instruction-data-with-preference.json": (1_100, "pair", "preference pair"),
    "bfcl/simple_python.jsonl": (400, "prompt", "none has an answer"),
    "gpteacher/toolformer-dedupe-only.json": (7_673, "chat", "alpaca"),
    "gpteacher/toolformer-similarity-0.6.json": (2_396, "chat", "alpaca"),
    "gpteacher/toolformer-similarity-0.7.json": (3_487, "chat", "alpaca"),
    "pii/synth_dataset_v2.json": (1_500, "chat", "prompt=full_text, completion=masked"),
    "bbh/navigate.json": (250, "chat", "rows have 'input' and 'target'"),
    "ftfy-cases/in-the-wild.json": (70, "chat", "prompt=original, completion=fixed"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_read(name: str) -> None:
    rows, kind, seen = FILES[name]
    reading = formats.read([str(SHARED / name)])
    assert (reading.rows_in, len(reading.examples), reading.bad) == (rows, rows, [])
    assert {example.kind for example in reading.examples} == {kind}
    assert seen in reading.seen


def test_contents_of_the_tool_calling_files() -> None:
    def parts(name: str) -> Counter[str]:
        examples = formats.read([str(SHARED / "formats/llamafactory" / name)]).examples
        messages: list[Message] = [message for example in examples for message in example.messages]
        return Counter(type(part).__name__ for message in messages for part in message.parts)

    # counted in the files themselves: roles of glaive, part types of the reasoning set
    glaive = parts("glaive_toolcall_en_demo.json")
    assert (glaive[ToolCall.__name__], glaive[ToolResult.__name__]) == (211, 211)
    reasoned = parts("reason_tool_use_demo_50.jsonl")
    assert (reasoned[Reasoning.__name__], reasoned[ToolCall.__name__], reasoned[ToolResult.__name__]) == (112, 68, 42)


def test_contents_of_the_preference_files() -> None:
    dpo = formats.read([str(SHARED / "formats/llamafactory/dpo_en_demo.json")]).examples
    assert {len(example.messages) for example in dpo} >= {1, 2, 5, 7}
    assert all(example.messages[-1].role == "user" and len(example.chosen) == 1 for example in dpo)
    kto = formats.read([str(SHARED / "formats/llamafactory/kto_en_demo.json")]).examples
    assert Counter(example.rating for example in kto) == {1.0: 150, 0.0: 150}


def test_questions_of_the_function_calling_board_bring_their_tools() -> None:
    examples = formats.read([str(SHARED / "bfcl/simple_python.jsonl")]).examples
    assert all(len(example.tools) == 1 and example.messages[-1].role == "user" for example in examples)
    assert examples[0].tools[0]["function"]["name"] == "calculate_triangle_area"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("snips/train_PlayMusic.json", "no shape fits rows with the keys data"),
        ("geoquery/geography.json", "no shape fits rows with the keys query-split, sentences, sql, variables"),
        ("geoquery/geography.sqlite", "a SQLite database"),
        ("documents/test.pdf", "a PDF document"),
        ("documents/test.docx", "a zip archive"),
    ],
)
def test_what_needs_a_recipe_is_refused_with_the_reason(name: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        formats.read([str(SHARED / name)])
