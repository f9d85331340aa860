"""`tailor documents` as it is typed: rows, what was left out, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tailor import formats
from tailor.testing.endpoint import Endpoint

TERM = "# Supply Agreement\n\n## Term\n\nThe term is two years.\n\n## Law\n\nThe law of Nevada governs.\n"


@pytest.fixture
def call(typed: Any) -> Any:
    Path("deals").mkdir()
    Path("deals/a.md").write_text(TERM, encoding="utf-8")
    Path("deals/copy.md").write_text(TERM + "\n", encoding="utf-8")
    Path("deals/notes.log").write_text("x", encoding="utf-8")
    return lambda *arguments: typed("documents", *arguments)


def rows(path: str = "rows.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_a_folder_becomes_rows_that_a_run_can_read(call: Any) -> None:
    code, out, _ = call("deals", "--recipe", "sections")
    assert code == 0
    assert out.startswith("4 rows of 2 documents  ->  rows.jsonl")
    assert "copy.md says the same as a.md: one group" in out
    assert "1 files of other kinds were not opened: notes.log" in out
    assert rows()[0] == {
        "prompt": "Document: Supply Agreement\nSection: Term",
        "completion": "The term is two years.",
        "source": {"file": "a.md"},
        "group": "a.md",
    }
    assert {example.group for example in formats.read(["rows.jsonl"]).examples} == {"a.md"}


def test_json_has_the_whole_account(call: Any) -> None:
    code, out, _ = call("deals", "-o", "out/text.jsonl", "--chunk-tokens", "12", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["rows"], told["documents"], told["groups"]) == (len(rows("out/text.jsonl")), 2, 1)
    assert told["blocks"] == {"in": 10, "used": 10, "dropped": {}, "dropped_at": {}}
    assert told["duplicates"] == [{"file": "copy.md", "same_as": "a.md"}]
    assert told["not_documents"] == ["notes.log"]


def test_files_that_cannot_be_read_are_all_told_and_nothing_is_written(call: Any) -> None:
    Path("deals/b.pdf").write_bytes(b"broken")
    Path("deals/c.docx").write_bytes(b"broken")
    code, _, err = call("deals")
    assert code == 2
    assert "2 of 4 documents cannot be read" in err
    assert "b.pdf" in err
    assert "c.docx" in err
    assert not Path("rows.jsonl").exists()
    code, out, _ = call("deals", "--skip-unreadable")
    assert code == 1
    assert out.count("not read: ") == 2
    assert len(rows()) == 2


def test_a_writer_proposes_and_the_text_decides(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRITER_KEY", "sk-secret")
    reply = '[{"question": "How long?", "answer": "two years"}, {"question": "Where?", "answer": "in Utah"}]'
    with Endpoint(lambda body: reply) as endpoint:
        writer = ("--writer", endpoint.url, "--writer-model", "big", "--writer-key", "WRITER_KEY")
        code, out, err = call("deals/a.md", "--recipe", "questions", *writer)
    assert code == 0
    assert [row["completion"] for row in rows()] == ["two years"]
    assert "1 left out: the answer does not stand in the passage\n    a.md: Where? in Utah" in out
    assert "sk-secret" not in out + err
    assert endpoint.asked[0][1]["model"] == "big"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "not found: nowhere"),
        (("deals", "--recipe", "section"), "did you mean 'sections'?"),
        (("deals", "--recipe", "clauses"), "--clauses TABLE.csv"),
        (("deals", "--recipe", "summaries"), "not one row came of the recipe 'summaries'"),
        (("deals", "--writer", "http://x/v1"), "--writer and --writer-model go together"),
        (("deals", "--reader", "word"), "there is no reader called 'word'"),
        (("deals/notes.log",), "no documents in deals/notes.log"),
    ],
)
def test_what_cannot_be_is_said(arguments: tuple[str, ...], words: str, call: Any) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert words in " ".join(err.split())
    assert not list(Path().glob("rows.jsonl*"))


def test_it_runs_without_torch_and_without_the_extras() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'pypdf', 'docx', 'pptx', 'markitdown'): sys.modules[name] = None\n"
        "from tailor import documents\n"
        "import tempfile, pathlib\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    pathlib.Path(folder, 'a.html').write_text('<p>words')\n"
        "    assert documents.read([folder]).documents[0].text == 'words'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
