"""The checker: every row once, the same findings from any number of processes, everything counted."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tailor import formats
from tailor.cli._findings import document
from tailor.config import CheckConfig
from tailor.curate import check as checker
from tailor.curate.check import Report, check
from tailor.curate.patch import Repair
from tailor.curate.rows import Row
from tailor.curate.rules.base import Hit, Rule, chosen
from tailor.curate.spool import Spool, encoded
from tailor.errors import ConfigError, Problem
from tailor.records import Example, Source, Text, ToolCall, message
from tailor.testing.rules import pair, write


def rows(count: int) -> list[dict[str, Any]]:
    """Different questions, one in ten of them copied."""
    made = [pair(f"what costs {n} of the {n * n} pieces", f"{n * 3} or {n * 5}") for n in range(count)]
    return [row for n, row in enumerate(made) for row in ([row, row] if n % 10 == 0 else [row])]


def report(file: str, **settings: Any) -> Report:
    """Without the rules of coverage, which every small file breaks."""
    return check(formats.stream([file]), settings=CheckConfig(**({"ignore": ("V",)} | settings)))


def test_malformed_rows_stand_in_the_same_list(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [*rows(5), "{broken", {"prompt": "a"}, {"prompt": "a", "compl": "b"}])
    found = report(file)
    assert found.rows == 9
    assert found.counts == {"F002": 1, "R104": 2, "D101": 1}
    assert [finding.code for finding in found.findings] == ["F002", "R104", "R104", "D101"]
    assert found.findings[0].rows == (Source(file, 7),)
    assert found.findings[0].column == 2
    assert found.defective


def test_findings_do_not_depend_on_chunks_or_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "rows.jsonl", rows(300))
    whole = report(file)
    assert whole.counts["D101"] == 30
    monkeypatch.setattr("tailor.curate.check.CHUNK_ROWS", 40)
    assert report(file).findings == whole.findings
    again = check(formats.stream([file]), settings=CheckConfig(ignore=("V",)), workers=2)
    assert again.findings == whole.findings
    assert again.counts == whole.counts


def test_all_are_counted_and_some_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "KEPT", 3)
    found = report(write(tmp_path / "rows.jsonl", rows(100)), select=("D101",))
    assert found.counts == {"D101": 10}
    assert [finding.rows[0].line for finding in found.findings] == [2, 13, 24]


def test_worst_comes_first(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [*rows(20), pair("what costs 3 of the 9 pieces", "0"), pair("x", " ")])
    severities = [finding.severity for finding in report(file).findings]
    assert severities == sorted(severities, key=["block", "warn", "inform"].index)
    assert len(set(severities)) > 1


def test_repairs_are_worked_out_where_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", rows(12))
    assert not report(file).repairs
    found = check(formats.stream([file]), repair=True, settings=CheckConfig(ignore=("V",)))
    assert [(source.line, [repair.rule for repair in todo]) for source, todo in found.repairs.items()] == [
        (2, ["D101"]),
        (13, ["D101"]),
    ]
    assert not found.defective, "what is left is repaired"


def test_only_what_is_equal_to_the_letter_is_dropped(tmp_path: Path) -> None:
    rows = [pair("q", "if a:\n  b"), pair("q", "if a:\n    b"), pair("q", "if a:\n  b")]
    found = check(
        formats.stream([write(tmp_path / "rows.jsonl", rows)]), repair=True, settings=CheckConfig(ignore=("V",))
    )
    assert found.counts == {"D101": 2}
    assert [source.line for source in found.repairs] == [3]
    assert found.defective


def test_a_kind_of_fault_belongs_to_one_rule(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [*rows(3), "{", {"prompt": 3.5, "completion": ["a"]}])
    assert report(file, select=("F002",)).counts == {"F002": 1}
    assert report(file, select=("F005",)).counts == {"F005": 1}


def test_settings_change_what_is_found(tmp_path: Path) -> None:
    text = "We wrote to you on Monday about the parcel that never came, and nobody answered."
    file = write(tmp_path / "rows.jsonl", [pair(text, "a"), pair(f"Hello again. {text}", "a")])
    assert report(file, near=0.8).counts == {"D102": 1}
    assert report(file, near=0.95).counts == {}
    assert report(file, ignore=("near-duplicates", "V")).counts == {}
    assert report(file, select=("D101", "L")).counts == {}
    with pytest.raises(ConfigError):
        report(file, select=("D999",))


def test_a_file_that_ends_early_is_a_finding_and_no_row(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('prompt,completion\na,b\n"c,d\n')
    found = report(str(tmp_path / "rows.csv"))
    assert found.rows == 1
    assert found.counts == {"F001": 1}


def test_nothing_at_all() -> None:
    found = check([])
    assert (found.rows, found.findings, found.defective) == (0, [], False)
    assert check([Problem("a.jsonl:3:4", "what", "fix", "syntax")]).findings[0].column == 4


def test_what_json_cannot_hold_is_spooled(tmp_path: Path) -> None:
    place = Source("a", 1)
    odd = message("user", "half \ud800 a pair \x00")
    call = type(odd)("assistant", (ToolCall("f", {"big": 10**30, "none": math.nan}), Text("é\u2028")))
    spool = Spool(tmp_path / "spool", write=True)
    offset, _ = spool.add([encoded(Example(kind="chat", source=place, messages=(odd, call)))])
    back = spool.example(offset)
    assert back.messages[0].text == "half ? a pair \x00"
    assert back.messages[1].text == "é\u2028"
    assert back.messages[1].parts[0].arguments["big"] == 10**30
    spool.close()


def test_a_row_longer_than_one_read_comes_back_whole(tmp_path: Path) -> None:
    long = Example(kind="text", source=Source("a", 1), text="x" * 100_000)
    spool = Spool(tmp_path / "spool", write=True)
    spool.add([encoded(long)])
    offset, _ = spool.add([encoded(long), b"{}"])
    assert spool.example(offset) == long
    spool.close()


def test_the_same_rows_give_the_same_document(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", rows(40))
    first, second = (document(report(file)) | {"seconds": 0} for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    assert list(first) == ["rows", "seconds", "findings", "counts"]
    assert list(first["findings"][0]) == ["code", "severity", "message", "rows", "evidence", "fix"]
    assert first["findings"][0]["rows"][0] == {"file": file, "line": 2}


def repairing(code: str, old: str, new: str) -> Rule:
    """A rule that finds `old` in answers and puts `new` instead."""

    def look(row: Row) -> list[Hit]:
        return [Hit(message=f"{old} found", at=old)] if old in row.answer else []

    def mend(row: Row) -> dict[str, str]:
        return {text: text.replace(old, new) for _, text in row.texts if old in text}

    told = {"title": "t", "explanation": "e", "cost": "c", "fix": "f"}
    rest = {"collect": None, "judge": None, "problems": (), "drops": False}
    return Rule(name=code.lower(), code=code, severity="warn", look=look, mend=mend, **told, **rest)


def test_each_repair_sees_the_row_as_the_last_one_left_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes = [repairing("Q998", "colour", "color"), repairing("Q999", "r color", "r hue")]
    monkeypatch.setattr(checker, "chosen", lambda select, ignore: [*chosen(["D101"]), *fakes])
    monkeypatch.setattr(checker, "_loaded", {fake.name: fake for fake in fakes})
    texts = ["her colour", "his colour", "your color", "nothing", "his colour"]
    file = write(tmp_path / "rows.jsonl", [pair("q", text) for text in texts])
    found = check(formats.stream([file]), formats.stream([file]), repair=True, settings=CheckConfig(ignore=("V",)))
    assert found.counts == {"D101": 1, "Q998": 6, "Q999": 2}, "held-out rows are looked at too"
    assert {source.line: todo for source, todo in found.repairs.items()} == {
        1: [Repair("Q998", {"her colour": "her color"})],
        2: [Repair("Q998", {"his colour": "his color"})],
        3: [Repair("Q999", {"your color": "your hue"})],
        5: [Repair("D101", None)],
    }


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "odd"]), "content": st.text() | JSON_VALUES},
        optional={"weight": JSON_VALUES, "tool_calls": JSON_VALUES, "tool_call_id": st.text(max_size=3)},
    ),
    max_size=5,
)
ROWS = st.fixed_dictionaries({"messages": TURNS}, optional={"tools": JSON_VALUES}) | st.fixed_dictionaries(
    {"prompt": st.text(), "completion": st.text()}, optional={"label": JSON_VALUES}
)


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(st.lists(ROWS | JSON_VALUES, min_size=1, max_size=12), st.lists(ROWS, min_size=1, max_size=3))
def test_no_rows_upset_it(train: list[Any], test: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        files = []
        for name, made in (("train", train), ("test", test)):
            files.append(Path(folder) / f"{name}.jsonl")
            made.insert(0, pair("a good row", "first"))
            files[-1].write_text("".join(json.dumps(row) + "\n" for row in made))
        found = check(
            *(formats.stream([str(file)]) for file in files), repair=True, settings=CheckConfig(ignore=("V",))
        )
        assert found.rows <= len(train) + len(test), "a file that no shape fits is one finding"
        json.dumps(document(found)).encode()
        for source in found.repairs:
            assert source.file == str(files[0])
