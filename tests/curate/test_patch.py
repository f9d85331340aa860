"""A repair leaves the user's file alone, and its patch leads back to every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tailor import formats
from tailor.curate.patch import Repair, undo, write
from tailor.errors import DataError

ROWS = [{"prompt": f"q{n} é\u2028\x85", "completion": f"a{n}"} for n in range(6)]
LINES = [json.dumps(row, ensure_ascii=False) for row in ROWS]
CHANGE = [Repair("Q001", {"a2": 'b "2"\n'})]
DROP = [Repair("D101", None)]

FILES = {
    "lines.jsonl": "\n".join(LINES) + "\n",
    "no end.jsonl": "\n".join(LINES),
    "crlf.jsonl": "\r\n".join(LINES) + "\r\n",
    "bom.jsonl": "\ufeff" + "\n".join(LINES) + "\n",
    "blank and broken.jsonl": "\n".join([LINES[0], "", LINES[1], "{broken", "\x85  ", *LINES[2:]]) + "\n\n",
    "list.json": "[" + ", ".join(LINES) + "]",
    "pretty.json": json.dumps(ROWS, indent=4),
    "spaced.json": " [\n" + " ,\r\n".join(LINES) + "\n\n]\n",
    "held.json": '{"version": 1, "data": [\n' + ",\n".join(LINES) + '\n], "more": [1]}',
    "table.csv": 'prompt,completion\nq0,a0\n"q1, ""x""\nmore",a1\nq2,a2\n\nq3,"a3"\nq4,a4\nq5,a5',
    "crlf.csv": "prompt;completion\r\nq0;a0\r\nq1;a1\r\nq2;a2\r\nq3;a3\r\nq4;a4\r\nq5;a5\r\n",
    "table.tsv": "prompt\tcompletion\nq0\ta0\nq1\ta1\nq2\ta2\nq3\ta3\nq4\ta4\nq5\ta5\n",
}


def answers(file: Path) -> list[str]:
    return [e.answer for e in formats.read([str(file)], max_bad="100%").examples]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("drops", [(), (0, 5), (1, 2, 4), (0, 1, 3, 4, 5)])
def test_a_repair_changes_what_it_names_and_the_patch_leads_back(
    name: str, drops: tuple[int, ...], tmp_path: Path
) -> None:
    file, fixed, patch = tmp_path / name, tmp_path / f"fixed-{name}", tmp_path / "patch"
    original = FILES[name].encode()
    file.write_bytes(original)
    rows = [item for item in formats.stream([str(file)]) if hasattr(item, "kind") and hasattr(item, "messages")]
    assert [row.answer for row in rows] == [f"a{n}" for n in range(6)]
    repairs = {rows[2].source.line: CHANGE} | {rows[n].source.line: DROP for n in drops}
    changed, failed = write(file, formats.layout(file), repairs, fixed, patch)
    assert (changed, failed) == (len(repairs), [])
    assert file.read_bytes() == original
    wanted = [f"a{n}" if n != 2 else 'b "2"\n' for n in range(6) if n not in drops]
    assert answers(fixed) == wanted
    restored = undo(patch)
    assert restored.read_bytes() == original
    assert file.read_bytes() == original


def test_what_no_step_names_stays_byte_for_byte(tmp_path: Path) -> None:
    file, fixed = tmp_path / "rows.jsonl", tmp_path / "fixed.jsonl"
    odd = b'\xef\xbb\xbf{ "prompt" :"\\u00e9",\t"completion":"a" , "n": 1.0}\r\n{"prompt": "b\xff"}\n\n'
    file.write_bytes(odd + b'{"prompt":"x","completion":"y"}')
    write(file, formats.layout(file), {4: DROP}, fixed, tmp_path / "patch")
    assert fixed.read_bytes() == odd
    write(file, formats.layout(file), {1: [Repair("Q001", {"\u00e9": "\u00e8"})]}, fixed, tmp_path / "patch")
    assert fixed.read_bytes() == file.read_bytes().replace(b"\\u00e9", b"\\u00e8")


def test_several_repairs_of_one_row_follow_each_other(tmp_path: Path) -> None:
    file, fixed, patch = tmp_path / "rows.jsonl", tmp_path / "fixed.jsonl", tmp_path / "patch"
    file.write_text(LINES[0] + "\n")
    write(file, formats.layout(file), {1: [Repair("Q1", {"a0": "b"}), Repair("Q2", {"b": "c"})]}, fixed, patch)
    assert answers(fixed) == ["c"]
    steps = [json.loads(line) for line in patch.read_text().rstrip("\n").split("\n")[1:]]
    assert [step["rule"] for step in steps] == ["Q1", "Q2"]
    assert steps[0]["after"] == steps[1]["before"]
    assert undo(patch).read_bytes() == file.read_bytes()


def test_a_text_that_two_columns_make_is_left_and_said(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"instruction": "a", "input": "b", "output": "c"}\n')
    repairs = {1: [Repair("Q1", {"a\nb": "x"})]}
    changed, failed = write(file, formats.layout(file), repairs, tmp_path / "fixed", tmp_path / "patch")
    assert changed == 0
    assert [source.line for source in failed] == [1]


def test_undo_refuses_what_is_not_as_the_repair_left_it(tmp_path: Path) -> None:
    file, fixed, patch = tmp_path / "rows.jsonl", tmp_path / "fixed.jsonl", tmp_path / "patch"
    file.write_text("\n".join(LINES))
    write(file, formats.layout(file), {2: DROP}, fixed, patch)
    fixed.write_text(fixed.read_text() + " ")
    with pytest.raises(DataError, match="changed since"):
        undo(patch)
    with pytest.raises(DataError, match="no patch of tailor"):
        undo(file)
    with pytest.raises(DataError, match="no such patch"):
        undo(tmp_path / "nothing")
    fixed.unlink()
    with pytest.raises(DataError, match="is gone"):
        undo(patch)


def test_packed_files_and_tables_are_not_repaired(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="plain text"):
        formats.layout(file)
