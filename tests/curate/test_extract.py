"""Rows taken out of a file keep their bytes, and the file its shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tailor import formats
from tailor.curate.extract import extract, keep_books
from tailor.curate.patch import Repair
from tailor.errors import DataError
from tailor.records import Ledger, Source

LINES = b'{"prompt":"a","completion":"1"}\r\n\r\n{"prompt": "b",  "completion":"2"}\r\n{"prompt":"c","completion":"3"}'
LIST = (
    b'{"v": 1, "data": [\n  {"prompt":"a","completion":"1"},\n  {"prompt":"b",\n   "completion":"2"}, '
    b'{"prompt":"c","completion":"3"}\n]}\n'
)
TABLE = b'prompt,completion,customer\na,1,x\n"b\nb",2,"y, z"\nc,3,x'


@pytest.mark.parametrize(
    ("name", "data", "lines", "expected"),
    [
        ("a.jsonl", LINES, [3], b'{"prompt": "b",  "completion":"2"}\r\n'),
        ("a.jsonl", b"\xef\xbb\xbf" + LINES, [1, 4], LINES[:33] + LINES[-31:] + b"\n"),
        ("a.json", LIST, [2, 4], LIST[:52] + b',\n{"prompt":"c","completion":"3"}\n]}\n'),
        ("a.json", LIST, [3], b'{"v": 1, "data": [\n  {"prompt":"b",\n   "completion":"2"}\n]}\n'),
        ("a.csv", TABLE, [3, 5], b'prompt,completion,customer\n"b\nb",2,"y, z"\nc,3,x\n'),
        ("a.tsv", TABLE.replace(b",", b"\t"), [2], b"prompt\tcompletion\tcustomer\na\t1\tx\n"),
    ],
)
def test_bytes_stay(name: str, data: bytes, lines: list[int], expected: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    target = tmp_path / f"out{path.suffix}"
    assert extract([path], formats.layout, {str(path): dict.fromkeys(lines, ())}, target) == []
    assert target.read_bytes() == expected
    assert path.read_bytes() == data
    assert len(formats.read([str(target)], map={}).examples) == len(lines)


def test_repairs_are_made_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    steps = [Repair("Q1", {"2": "two"}), Repair("Q2", {"two": "zwei"})]
    extract([path], formats.layout, {str(path): {3: steps}}, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == b'{"prompt": "b",  "completion":"zwei"}\r\n'
    failed = extract([path], formats.layout, {str(path): {3: [Repair("Q1", {"none": "x"})]}}, tmp_path / "out.jsonl")
    assert failed == [Source(str(path), 3)]


def test_several_files_of_one_shape(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    one.write_bytes(TABLE)
    two.write_bytes(b"\xef\xbb\xbfprompt,completion,customer\r\nd,4,w\r\n")
    other.write_bytes(b"prompt,completion\ne,5\n")
    wanted = {str(one): {2: ()}, str(two): {2: ()}}
    extract([one, two], formats.layout, wanted, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"prompt,completion,customer\na,1,x\nd,4,w\r\n"
    with pytest.raises(DataError, match="one file cannot hold both"):
        extract([one, other], formats.layout, {**wanted, str(other): {2: ()}}, tmp_path / "new.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.csv", "2.csv", "3.csv", "out.csv"]


def test_the_books(tmp_path: Path) -> None:
    ledger = Ledger(rows_in=3, train=2)
    ledger.drop("copies: D101", ["a:2"])
    gone = [{"where": "a:2", "step": "copies", "rule": "D101", "why": "a copy", "beside": ""}]
    wanted = {"a": {1: [], 3: [Repair("P105", {"x@y.org": "mail-1"})]}}
    keep_books(tmp_path / "books.jsonl", ledger, gone, wanted, "out")
    head, *rows = [json.loads(line) for line in (tmp_path / "books.jsonl").read_text().splitlines()]
    assert head == {"ledger": 1, "rows_in": 3, "kept": {"train": 2}, "dropped": {"copies: D101": 1}, "out": "out"}
    assert rows == [
        {"where": "a:2", "step": "copies", "rule": "D101", "why": "a copy"},
        {"where": "a:3", "step": "repair", "rule": "P105", "texts": {"x@y.org": "mail-1"}},
    ]
