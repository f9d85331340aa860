"""Containers: what is no file of rows is refused with the reason; what is one is read, whatever its dress."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from tailor import formats
from tailor.errors import DataError
from tailor.formats import _open
from tailor.records import Example, message

ROWS = [{"prompt": f"ä {i}", "completion": f'"{i}"\n'} for i in range(5)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def write(path: Path, data: bytes | str) -> str:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def refused(path: str, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        formats.read([path], **options)
    return caught.value


def asked(examples: list[Example]) -> list[tuple[str, str]]:
    return [(example.messages[0].text, example.answer) for example in examples]


# -------------------------------------------------------------------------------------------------- refused

BINARY = b'{"prompt": "a", "completion": "b"}\n\x00\x01\x02'

FILES: dict[str, tuple[str, bytes | str, str, str]] = {
    "empty": ("a.jsonl", "", "", "this file is empty"),
    "blank lines only": ("a.jsonl", "\n \n\n", "", "there are no rows"),
    "empty list": ("a.json", " [ ] ", "", "there are no rows"),
    "header only": ("a.csv", "prompt,completion\n", "", "there are no rows"),
    "binary": ("a.jsonl", BINARY, ":2", "a zero byte at offset 35"),
    "PDF": ("a.jsonl", b"%PDF-1.7\n", "", "a PDF document"),
    "zip": ("a.jsonl", b"PK\x03\x04" + b"x" * 50, "", "a zip archive"),
    "zstd": ("a.jsonl", b"\x28\xb5\x2f\xfdxxxx", "", "packed with zstd"),
    "UTF-16": ("a.jsonl", LINES.encode("utf-16"), "", "this is UTF-16"),
    "UTF-16 without mark": ("a.jsonl", LINES.encode("utf-16-le"), "", "this is UTF-16"),
    "unknown suffix": ("a.html", "<p>prompt</p>", "", "no kind of file that holds rows"),
    "gz that is none": ("a.jsonl.gz", LINES, "", "the content is not gzip"),
    "gz cut off": ("a.jsonl.gz", gzip.compress(LINES.encode() * 20)[:60], "", "the file was cut off"),
    "gz damaged": ("a.jsonl.gz", gzip.compress(b"")[:10] + b"\xff" * 40, "", "the gzip is damaged"),
    "parquet that is none": ("a.parquet", LINES, "", "the name says parquet"),
    "parquet cut off": ("a.parquet", b"PAR1" + b"x" * 100, "", "the Parquet file is damaged"),
    "xlsx that is none": ("a.xlsx", LINES, "", "the name says xlsx"),
    "xlsx cut off": ("a.xlsx", b"PK\x03\x04" + b"x" * 50, "", "not an XLSX workbook"),
    "list cut off in a row": ("a.json", '[{"prompt": "a"},\n {"prompt": "b', ":2:15", "ends in the middle"),
    "list cut off between rows": ("a.json", '[{"prompt": "a"},\n {"prompt": "b"}', ":2:17", "a comma or the end"),
    "list without a comma": ("a.json", '[{"prompt": "a"}\n {"prompt": "b"}]', ":2:2", "a comma or the end"),
    "list with a comma too many": ("a.json", '[{"prompt": "a"},\n]', ":2:1", "a comma after the last element"),
    "more after the list": ("a.json", '[{"prompt": "a"}]\n[{"prompt": "b"}]', ":2:1", "something follows the end"),
    "loose objects": ("a.json", '{\n"prompt": "a"\n}\n{\n"prompt": "b"\n}\n', ":4:1", "jq -c ."),
    "two lists": (
        "a.json",
        '{"train": [{"prompt": "a"}],\n "test": [{"prompt": "a"}]}',
        ":2:10",
        "second list of rows",
    ),
    "object without a colon": ("a.json", '{\n"data" [{"prompt": "a"}]}', ":2:8", "a colon is missing"),
    "object cut off": ("a.json", '{"data": [{"prompt": "a"}]', ":1:27", "the end of the object is missing"),
    "two columns alike": ("a.csv", "text,text\na,b\n", ":1", "two columns are called 'text'"),
    "no header": ("a.csv", "I lost my card?,card_lost\nWhere is it?,other\n", ":1", "that is data, not the name"),
    "quote never closed": ("a.csv", 'prompt,completion\na,b\n"c,d\ne,f\n', ":3", "never closed"),
    "text after a quote": ("a.csv", 'prompt,completion\n"a"b,c\n', ":2", "not valid CSV"),
    "no shape": ("a.jsonl", '{"x": 1, "y": 2}\n', ":1:1", "no shape fits rows with the keys x, y"),
    "no shape in CSV": ("a.csv", "a,b,c\nx,y,z\n", ":2", "--map prompt=...,completion=..."),
}


@pytest.mark.parametrize("case", FILES)
def test_what_is_no_file_of_rows_is_refused(case: str, tmp_path: Path) -> None:
    name, data, where, words = FILES[case]
    path = write(tmp_path / name, data)
    error = refused(path)
    assert error.where == path + where
    assert words in str(error)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt", "a.json"])
def test_latin_1_is_named_with_byte_offset_and_remedy(name: str, tmp_path: Path) -> None:
    text = {
        "a.jsonl": '{"prompt": "a", "completion": "b"}\n{"prompt": "ça", "completion": "b"}\n',
        "a.csv": "prompt,completion\na,b\nc,ça\n",
        "a.txt": "one\ntwo ça",
        "a.json": '[{"prompt": "a", "completion": "b"},\n{"prompt": "ça", "completion": "b"}]',
    }[name]
    offset = text.index("ç")  # one byte a character before it
    line, column = text[:offset].count("\n") + 1, offset - text.rfind("\n", 0, offset)
    path = write(tmp_path / name, text.encode("latin-1"))
    error = refused(path)
    problem = error.problems[0] if error.problems else error
    assert problem.where == f"{path}:{line}:{column}"
    assert problem.what == f"byte 0xE7 at byte offset {offset} is not UTF-8; in Windows-1252 (latin-1) it is 'ç'"
    assert "iconv -f WINDOWS-1252 -t UTF-8" in problem.fix


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", LINES)
    names = [str(tmp_path / name) for name in ("trian.jsonl", "*.csv", ".")]
    with pytest.raises(DataError) as caught:
        formats.read(names)
    assert [problem.what for problem in caught.value.problems] == [
        "there is no such file",
        "no file matches this pattern",
        "this is a folder",
    ]
    assert caught.value.problems[0].fix == "did you mean 'train.jsonl'?"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", LINES)

    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", closed)
    assert "Permission denied" in str(refused(path))


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_open, "BOMB_FLOOR", 4 << 20)
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(b"\n" * (16 << 20), 9))
    read = 0
    plain = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        nonlocal read
        data = plain(self, size)
        read += len(data)
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    assert "looks like a bomb" in str(refused(path))
    assert read <= 6 << 20


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_a_row_without_end_does_not_fill_the_memory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("_open", "_records"):
        monkeypatch.setattr(f"tailor.formats.{module}.LONGEST_ROW", 1 << 20)
    start = {"a.jsonl": '{"text": "', "a.json": '[{"text": "', "a.csv": 'prompt,completion\n"', "a.txt": ""}[name]
    assert "MB" in str(refused(write(tmp_path / name, start + "x" * (4 << 20))))


# ----------------------------------------------------------------------------------------------------- read


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", LINES),
        ("a.jsonl", LINES.rstrip()),
        ("a.jsonl", "\ufeff" + LINES),
        ("a.jsonl", LINES.replace("\n", "\r\n")),
        ("a.jsonl", "\n" + LINES.replace("\n", "\n  \n")),
        ("a.ndjson", LINES),
        ("a.json", LINES),
        ("a", LINES),
        ("a.JSONL", LINES),
        ("a.jsonl.gz", gzip.compress(("\ufeff" + LINES).encode())),
        ("a.jsonl", gzip.compress(LINES.encode())),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps(ROWS, indent=2, ensure_ascii=False)),
        ("a.jsonl", json.dumps(ROWS)),
        ("a.json", "\ufeff" + json.dumps({"version": "1", "tags": ["x", "y"], "data": ROWS, "more": {"n": 5}})),
        ("a.json.gz", gzip.compress(json.dumps({"data": ROWS}, indent=1).encode())),
    ],
)
def test_every_dress_of_json_is_read_alike(name: str, data: bytes | str, tmp_path: Path) -> None:
    reading = formats.read([write(tmp_path / name, data)])
    assert asked(reading.examples) == [(row["prompt"], row["completion"]) for row in ROWS]
    assert (reading.rows_in, reading.bad) == (5, [])
    assert "5 prompt/completion rows: rows have 'prompt' and 'completion'" in reading.seen


def test_a_single_object_is_one_row(tmp_path: Path) -> None:
    chat = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "tools": []}
    for row in (chat, {"prompt": "a", "completion": "b"}):
        path = write(tmp_path / "a.json", json.dumps(row, indent=1))
        assert asked(formats.read([path]).examples) == [("a", "b")]


def test_sources_are_lines_where_there_are_lines_and_numbers_where_not(tmp_path: Path) -> None:
    def lines(name: str, data: str) -> list[int]:
        return [example.source.line for example in formats.read([write(tmp_path / name, data)]).examples]

    assert lines("a.jsonl", "\n" + LINES) == [2, 3, 4, 5, 6]
    assert lines("a.json", json.dumps(ROWS)) == [1, 2, 3, 4, 5]
    assert lines("b.json", json.dumps(ROWS, indent=1)) == [2, 6, 10, 14, 18]
    assert lines("a.csv", 'prompt,completion\n"a\nb",c\n\nd,e\n') == [2, 5]


@pytest.mark.parametrize("size", [2, 3, 7, 64])
def test_where_the_pieces_of_a_file_end_does_not_matter(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_open, "CHUNK", size)
    bare = formats.read([write(tmp_path / "a.json", json.dumps(ROWS, ensure_ascii=False, indent=1))])
    held = formats.read([write(tmp_path / "b.json", json.dumps({"n": [1, 2], "rows": ROWS}, ensure_ascii=False))])
    lines = formats.read([write(tmp_path / "c.jsonl", LINES)])
    assert asked(bare.examples) == asked(held.examples) == asked(lines.examples)
    path = write(tmp_path / "d.json", '[{"prompt": "ä", "completion": "b"}, {"prompt": {}, "completion": "ä"}]')
    assert refused(path).problems[0].where == f"{path}:1:49"


# --------------------------------------------------------------------------------------------------- tables

CELLS = [("a, b", 'say "x"'), ("two\nlines", "ä"), ("c", "d")]


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.csv", "|")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimited_tables(name: str, delimiter: str, end: str, tmp_path: Path) -> None:
    rows = [("prompt", "completion"), *CELLS]
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    reading = formats.read([write(tmp_path / name, "\ufeff" + end.join(quoted) + end)])
    assert asked(reading.examples) == CELLS


def test_rows_of_empty_cells_are_passed_over_aloud(tmp_path: Path) -> None:
    reading = formats.read([write(tmp_path / "a.csv", "prompt,completion\na,b\n,\n\n,\n")])
    assert asked(reading.examples) == [("a", "b")]
    assert "2 rows of empty cells passed over" in reading.seen


def test_a_gzipped_table_with_labels(tmp_path: Path) -> None:
    table = "id,text,category\n" + "".join(f"{i},question {i},{'ab'[i % 2]}\n" for i in range(40))
    reading = formats.read([write(tmp_path / "t.csv.gz", gzip.compress(table.encode()))])
    assert asked(reading.examples)[:2] == [("question 0", "a"), ("question 1", "b")]
    assert reading.seen == (
        f"{tmp_path / 't.csv.gz'}: 40 rows of a table: prompt=text, completion=category (by the names of the columns); "
        "say --map prompt=text,completion=category with other names to change it; not used: id"
    )


def test_parquet_of_messages_and_of_labels(tmp_path: Path) -> None:
    messages = [[{"role": "user", "content": str(i)}, {"role": "assistant", "content": "b"}] for i in range(3000)]
    parquet.write_table(pyarrow.table({"messages": messages}), tmp_path / "chat.parquet")
    reading = formats.read([str(tmp_path / "chat.parquet")])
    assert reading.examples[2999].messages == (message("user", "2999"), message("assistant", "b"))
    assert reading.examples[2999].source.line == 3000
    columns = {"text": [f"q {i}" for i in range(30)], "label": [i % 3 for i in range(30)]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "labels.parquet")
    assert formats.read([str(tmp_path / "labels.parquet")]).examples[2].answer == "2"


def test_parquet_fault_is_named_by_row_and_column(tmp_path: Path) -> None:
    columns = {"id": [1, 2], "messages": ['[{"role": "user", "content": "a"}]', "hello"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    error = refused(str(tmp_path / "a.parquet"))
    assert error.problems[0].where == f"{tmp_path / 'a.parquet'}:2"
    assert "not the JSON of a list of messages" in error.problems[0].what
    assert "(column 2)" in error.problems[0].what


def test_a_workbook_says_which_sheet_was_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("Data")
    book.create_sheet("Other").append(["x"])
    for row in ([], ["prompt", "completion"], ["a", 5], [], ["b", "c"]):
        book["Data"].append(row)
    book.save(tmp_path / "a.xlsx")
    reading = formats.read([str(tmp_path / "a.xlsx")])
    assert asked(reading.examples) == [("a", "5"), ("b", "c")]
    assert [example.source.line for example in reading.examples] == [3, 5]
    assert "only sheet 'Data' of 3" in reading.seen


def test_a_cell_beside_the_named_columns_is_not_lost(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["prompt", "completion"], ["a", "b"], ["a", "b", "c"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    problem = refused(str(tmp_path / "a.xlsx")).problems[0]
    assert (problem.where, problem.what) == (f"{tmp_path / 'a.xlsx'}:3", "a cell to the right of the 2 named columns")


def test_a_text_file_is_one_text(tmp_path: Path) -> None:
    reading = formats.read([write(tmp_path / "a.md", "# A\n\nb\n")])
    assert [(example.kind, example.text) for example in reading.examples] == [("text", "# A\n\nb\n")]


def test_progress_counts_the_bytes_of_all_files(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.jsonl", LINES), write(tmp_path / "b.jsonl.gz", gzip.compress(LINES.encode()))]
    told: list[tuple[int, int]] = []
    formats.read(paths, progress=lambda what, done, total: told.append((done, total)))
    size = sum(Path(path).stat().st_size for path in paths)
    assert {total for _, total in told} == {size}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (size, size)


def test_quotes_and_json_within_texts_are_no_repeated_keys(tmp_path: Path) -> None:
    answer = json.dumps({"a": {"a": '":', "b\\": ":"}, "prompt": 1})
    stream = io.StringIO()
    for prompt in ('"prompt": "', ":", "\\", '\\":'):
        stream.write(json.dumps({"prompt": prompt, "completion": answer}) + "\n")
    stream.write('{"prompt" : "x", "completion"\t:"y"}\n')
    examples = formats.read([write(tmp_path / "a.jsonl", stream.getvalue())]).examples
    assert [example.answer for example in examples] == [answer] * 4 + ["y"]


@pytest.mark.parametrize("row", ['{"x" : "a", "x":"b", "y": {}}', '{"a\\\\":1,"a\\\\":2}', '{"\\u0061": 1, "a": 2}'])
def test_repeated_keys_are_found_however_they_are_written(row: str, tmp_path: Path) -> None:
    assert "given twice" in refused(write(tmp_path / "a.jsonl", row + "\n")).problems[0].what
