"""Documents written by others, where the shared data is at hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tailor import documents
from tailor.documents.base import Document
from tailor.documents.recipes.base import Given
from tailor.documents.recipes.clauses import NOT_FOUND, table

SHARED = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not (SHARED / "cuad").is_dir(), reason="needs ../shared/data/cuad and documents")


def opened(name: str) -> Document:
    found = documents.extract(SHARED / name)
    assert isinstance(found, Document), found
    return found


@pytest.mark.parametrize(
    ("name", "kinds", "words"),
    [
        ("test.docx", {"heading": 4, "paragraph": 6, "table": 1}, "49e168b7-d2ae-407f-a055-2167576f39a1"),
        ("test.pptx", {"heading": 6, "paragraph": 3, "table": 2, "list": 1}, "1b92870d-e3b5-4e65-8153-919f4ff45592"),
        ("test.xlsx", {"heading": 2, "table": 2}, "6ff4173b-42a5-4784-9b19-f49caff4d93d"),
        ("test.pdf", None, "While there is contemporaneous exploration of multi-agent approaches"),
        (
            "test_blog.html",
            None,
            "Large language models (LLMs) are powerful tools that can generate natural language texts",
        ),
    ],
)
def test_small_files_of_every_format(name: str, kinds: dict[str, int] | None, words: str) -> None:
    document = opened(f"documents/{name}")
    assert words in document.text
    assert kinds is None or Counter(block.kind for block in document.blocks) == kinds


def test_a_contract_reads_as_its_twin_does() -> None:
    """Words in the order of the twin: of 300 drawn at even steps from the twin, nearly all follow one another here."""
    name = "LIGHTBRIDGECORP_11_23_2015-EX-10.26-STRATEGIC_ALLIANCE_AGREEMENT"
    twin = (SHARED / "cuad" / "txt" / f"{name}.txt").read_text(encoding="utf-8").split()
    document = opened(f"cuad/pdf/{name}.pdf")
    ours = " ".join(document.text.translate(str.maketrans("“”‘’", "\"\"''")).split())
    step = len(twin) // 300
    found = sum(" ".join(twin[at : at + 5]) in ours for at in range(0, 300 * step, step))
    assert found >= 285
    titles = [block.text for block in document.blocks if block.kind == "heading"]
    assert {"ARTICLE I", "DEFINITIONS", "Section 2.1 General Scope.", "Section 2.4 No Commitment."} <= set(titles)
    assert [piece.text for piece in document.left_out][:2] == ["- 1 -", "- 2 -"]


def test_contracts_become_rows_of_clauses() -> None:
    files = [str(path) for path in sorted((SHARED / "cuad" / "pdf").iterdir())[:6]]  # the first two are one contract
    library = documents.read(files)
    assert not library.problems
    rows: list[dict[str, str]] = []
    table_of = table(SHARED / "cuad" / "clauses.csv")
    account = documents.write(library, "clauses", Given(clauses=table_of), rows.append)
    answers = [json.loads(row["completion"]) for row in rows]
    assert (len(library.documents), account.groups, len({answer["clause"] for answer in answers})) == (6, 5, 41)
    marked = sum(len(answer["spans"]) for answer in answers)
    assert account.answers.dropped[NOT_FOUND] <= 0.05 * marked  # other spellings, and footers between their words
    empty = [spans for file in files for spans, _ in table_of[Path(file).stem].values() if not spans]
    assert sum(not answer["spans"] for answer in answers) == len(empty) > 100
    for row, answer in zip(rows, answers):
        assert all(span in row["prompt"] for span in answer["spans"])
