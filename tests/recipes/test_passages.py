"""The bundled passages: reproducible, and every answer stands in its passage, once, beside what was asked."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tailor import examples

PASSAGES = examples.path("passages")
FORMS = (
    r"The (?P<a>[a-z ]+) of (?P<p>[a-z]+ \w+) is (?P<v>.+)",
    r"For (?P<p>[a-z]+ \w+), the (?P<a>[a-z ]+) is (?P<v>.+)",
    r"(?P<p>[A-Z][a-z]+ [A-Z]\w+) has (?P<v>.+) as its (?P<a>[a-z ]+)",
    r"(?P<v>[A-Z0-9].*?) is the (?P<a>[a-z ]+) of (?P<p>[a-z]+ \w+)",
)
ASKED = (
    r"(?:What is|Tell me) the (?P<a>[a-z ]+) of (?P<p>[a-z]+ \w+)[?.]"
    r"|Which (?P<b>[a-z ]+) does (?P<q>[a-z]+ \w+) have\?"
)


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (PASSAGES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def facts(passage: str) -> Counter[tuple[str, str, str]]:
    """(place, attribute, value) of each sentence."""
    found: Counter[tuple[str, str, str]] = Counter()
    for sentence in passage.removesuffix(".").split(". "):
        [fact] = {(m["p"].lower(), m["a"], m["v"]) for form in FORMS if (m := re.fullmatch(form, sentence))}
        found[fact] += 1
    return found


def test_regenerating_writes_the_same_bytes(
    script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["generate.py", "--out", str(tmp_path)])
    script("passages/generate.py").main()
    for name in ("train.jsonl", "test.jsonl"):
        assert (tmp_path / name).read_bytes() == (PASSAGES / name).read_bytes()


def test_there_are_200_and_200_rows_and_no_prompt_stands_twice() -> None:
    prompts = [row["prompt"] for name in ("train", "test") for row in rows(name)]
    assert [len(rows("train")), len(rows("test")), len(set(prompts))] == [200, 200, 400]


def test_the_passage_states_the_answer_once() -> None:
    for row in rows("train") + rows("test"):
        passage, question = row["prompt"].removeprefix("Passage: ").split("\nQuestion: ")
        asked = re.fullmatch(ASKED, question)
        assert asked is not None
        place, attribute = asked["p"] or asked["q"], asked["a"] or asked["b"]
        stated = {
            value: count for (p, a, value), count in facts(passage).items() if (p, a) == (place.lower(), attribute)
        }
        assert stated == {row["completion"]: 1}
