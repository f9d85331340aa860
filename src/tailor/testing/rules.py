"""What every rule promises. Inherit, name it, and give rows that it must find and rows that it must leave alone:

class TestMine(RuleContract):
    name = "mine"
    fires = {"why this is wrong": ([row, row], {2})}      # rows as they stand in a file, and the lines found
    silent = {"why this is right": [row, row]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tailor import formats
from tailor.config import CheckConfig
from tailor.curate.check import Report, check
from tailor.curate.patch import mended
from tailor.curate.rows import Row
from tailor.curate.rules.base import FAMILIES, SEVERITIES, Rule, load, rules
from tailor.records import Example, Source, Text, ToolCall, message

Rows = Sequence[Mapping[str, Any] | str]
"""Rows of a JSON lines file; a string stands for its line as it is."""


def pair(prompt: str, completion: str, **more: Any) -> dict[str, Any]:
    """A row of prompt and completion."""
    return {"prompt": prompt, "completion": completion, **more}


def chat(*turns: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A chat row of (role, text) turns."""
    return {"messages": [{"role": role, "content": text} for role, text in turns], **more}


def _odd(*texts: str) -> list[Example]:
    place = Source("odd.jsonl", 1)
    rows = []
    for text in texts:
        turns = (message("user", text), message("assistant", text))
        rows.append(Example(kind="chat", source=place, messages=turns))
        rows.append(Example(kind="chat", source=place, messages=(message("system", text), *turns), group=text))
        rows.append(Example(kind="prompt", source=place, messages=turns[:1]))
        rows.append(Example(kind="text", source=place, text=text))
        rows.append(Example(kind="pair", source=place, messages=turns[:1], chosen=turns[1:], rejected=turns[1:]))
        rows.append(Example(kind="rated", source=place, messages=turns, rating=0.0))
    call = message("assistant", "")
    call = type(call)("assistant", (ToolCall("f", {"a": 10**30}), Text("")), 0.0)
    rows.append(Example(kind="chat", source=place, messages=(call,), tools=({"type": "function", "function": {}},)))
    rows.append(Example(kind="chat", source=place, messages=()))
    return rows


ODD = _odd(
    "",
    " \n\t",
    "\ud800 half a pair",
    "👩‍👩‍👧 🇩🇪 é̂ ﷽",
    "\x00\x1b[31m\u202e\ufeff",
    "word " * 3_000,
    "x" * 20_000,
    "[" * 2_000,
    '{"a": 1e999, "b": ' + "9" * 5_000 + "}",
    "```json\n{}\n",
    "$1,000 <|im_end|> {name} ${x} %s",
)
"""Rows that no rule may stumble over."""


class RuleContract:
    """pytest collects the tests below in the class that inherits them."""

    name: ClassVar[str]
    fires: ClassVar[Mapping[str, tuple[Rows, set[int]]]]
    """What is wrong -> (rows, the lines that findings name first)."""
    silent: ClassVar[Mapping[str, Rows]]
    """What is right -> rows in which nothing is found."""
    against: ClassVar[Mapping[str, Rows]] = {}
    """Held-out rows of the cases above, by the same names."""
    settings: ClassVar[Mapping[str, Any]] = {}
    group: ClassVar[str | None] = None
    """Key of the rows that says what they share."""

    def at_hand(self, rows: Sequence[Any]) -> dict[str, Any]:
        """What `check` is handed for these rows: a `model`, or the `dynamics` of a run, for rules that need one."""
        return {}

    @property
    def rule(self) -> Rule:
        """The rule."""
        return load(self.name)

    def report(self, rows: Rows, folder: Path, against: Rows = (), *, workers: int = 1) -> Report:
        """What this rule alone finds in a file of these rows."""
        sides = [formats.stream([write(folder / "rows.jsonl", rows)], group=self.group)]
        if against:
            sides.append(formats.stream([write(folder / "against.jsonl", against)], group=self.group))
        settings = CheckConfig(select=(self.rule.code,), **self.settings)
        return check(*sides, settings=settings, workers=workers, **self.at_hand(rows))

    def test_it_says_what_it_is(self) -> None:
        rule = self.rule
        assert re.fullmatch(r"[A-Z]\d{3}", rule.code)
        assert rule.code[0] in FAMILIES
        assert rule.severity in SEVERITIES
        assert rule.title
        assert len(rule.title) <= 80
        assert len(rule.explanation) >= 100, "says what it finds and why that matters"
        for sentence in (rule.cost, rule.fix):
            assert sentence
            assert sentence[-1] != "."
        assert rule.look or rule.judge or rule.problems
        assert [known.name for known in rules().values() if known.code == rule.code] == [self.name]

    def test_it_finds_what_is_wrong(self, tmp_path: Path) -> None:
        assert self.fires
        for what, (rows, lines) in self.fires.items():
            report = self.report(rows, tmp_path, self.against.get(what, ()))
            assert {finding.rows[0].line for finding in report.findings if finding.rows} == lines, what
            assert report.counts == {self.rule.code: len(report.findings)}, what
            for finding in report.findings:
                assert finding.code == self.rule.code
                assert finding.message
                assert finding.message[-1] != "."
                assert finding.fix

    def test_it_leaves_alone_what_is_right(self, tmp_path: Path) -> None:
        assert self.silent
        for what, rows in self.silent.items():
            assert not self.report(rows, tmp_path, self.against.get(what, ())).findings, what

    def test_what_is_found_does_not_depend_on_how_rows_are_cut_into_chunks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for what, (rows, _) in self.fires.items():
            whole = self.report(rows, tmp_path, self.against.get(what, ())).findings
            with monkeypatch.context() as patch:
                patch.setattr("tailor.curate.check.CHUNK_ROWS", 1)
                assert self.report(rows, tmp_path, self.against.get(what, ())).findings == whole, what

    def test_odd_rows_do_not_upset_it(self) -> None:
        settings = CheckConfig(select=(self.rule.code,), **self.settings)
        given = self.at_hand([*ODD, *ODD])
        first = check([*ODD, *ODD], ODD[:3], settings=settings, **given)
        assert first.findings == check([*ODD, *ODD], ODD[:3], settings=settings, **given).findings
        for finding in first.findings:
            json.dumps([finding.message, finding.evidence, finding.fix]).encode()

    def test_its_repair_leaves_nothing_to_repair(self, tmp_path: Path) -> None:
        mend = self.rule.mend
        if mend is None:
            return
        repaired = 0
        for rows, _ in self.fires.values():
            file = write(tmp_path / "rows.jsonl", rows)
            for example in formats.stream([file]):
                if isinstance(example, Example):
                    texts = mend(Row(example))
                    repaired += bool(texts)
                    assert all(old != new for old, new in texts.items())
                    assert not mend(Row(mended(example, texts))), "a second repair finds something"
        assert repaired, "repairs one of the rows that it finds"
        for example in ODD:
            mend(Row(example))


def write(path: Path, rows: Rows) -> str:
    """The rows as a JSON lines file."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_bytes("".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"))
    return str(path)
