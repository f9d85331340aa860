"""Recipes, where rows say they come from, and the account of everything that went in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tailor import documents, formats
from tailor.completers.fake import FakeCompleter
from tailor.config import DataConfig, EvalConfig
from tailor.curate.check import check
from tailor.curate.split import split
from tailor.documents import Library, examples
from tailor.documents.base import Block, Document, LeftOut
from tailor.documents.recipes.base import Given, Words, passages
from tailor.documents.recipes.clauses import NOT_FOUND, table
from tailor.documents.recipes.questions import AGAIN, MADE_UP, NO_LIST
from tailor.errors import ConfigError, DataError
from tailor.records import Ledger

BY_WORDS = Given(tokens=lambda text: len(text.split()), length=8)


def contract(name: str = "a.pdf") -> Document:
    blocks = [
        Block("paragraph", "Dated 1 May.", 1),
        Block("heading", "SUPPLY AGREEMENT", 1, 1),
        Block("heading", "1. Term", 1, 2),
        Block("paragraph", "Two “full” years.", 1),
        Block("heading", "1.1 Renewal", 2, 3),
        Block("paragraph", "By one year. By letter. Never by mere conduct of the parties.", 2),
        Block("heading", "2. Law", 3, 2),
        Block("paragraph", "The law of Nevada governs.", 3),
    ]
    return Document(name, blocks, [LeftOut("page header or footer", 1, "Page 1")], group=name)


def made(document: Document, recipe: str, given: Given | None = None) -> tuple[list[dict[str, Any]], documents.Account]:
    rows: list[dict[str, Any]] = []
    account = documents.write(Library([document]), recipe, given or Given(), rows.append)
    return rows, account


# --------------------------------------------------------------------------------------------------------- recipes


def test_passages_end_between_sentences_and_titles_stay_with_their_text() -> None:
    texts = [passage.text for passage in passages(contract().blocks, BY_WORDS)]
    assert texts == [
        "Dated 1 May.\n\nSUPPLY AGREEMENT",
        "1. Term\n\nTwo “full” years.",
        "1.1 Renewal\n\nBy one year. By letter.",
        "Never by mere conduct of the parties.",
        "2. Law\n\nThe law of Nevada governs.",
    ]


def test_no_limit_makes_one_passage_and_nothing_is_lost_at_any() -> None:
    document = contract()
    [whole] = passages(document.blocks, Given(length=0))
    assert whole.text == document.text
    for length in range(1, 40):
        given = Given(tokens=BY_WORDS.tokens, length=length)
        joined = " ".join(passage.text for passage in passages(document.blocks, given))
        assert joined.split() == document.text.split()


def test_a_long_table_is_cut_between_rows_under_its_names() -> None:
    text = "\n".join(["| a |", "| --- |", *(f"| {n} |" for n in range(6))])
    given = Given(tokens=lambda text: text.count("\n") + 1, length=4)
    assert [passage.text.split("\n")[::2] for passage in passages([Block("table", text)], given)] == [
        ["| a |", f"| {n} |"] for n in (0, 2, 4)
    ]


def test_text_rows_say_where_they_come_from() -> None:
    rows = list(examples(contract(), recipe="text", given=BY_WORDS))
    assert rows[0] == {
        "text": "Dated 1 May.\n\nSUPPLY AGREEMENT",
        "source": {"file": "a.pdf", "page": 1},
        "group": "a.pdf",
    }
    [whole] = examples(contract(), recipe="text", given=Given(length=0))
    assert whole["source"] == {"file": "a.pdf", "page": 1, "last_page": 3}


def test_sections_name_the_document_and_the_titles_above() -> None:
    rows, account = made(contract(), "sections")
    assert [(row["prompt"], row["completion"], row["source"]) for row in rows] == [
        ("Document: SUPPLY AGREEMENT\nSection: 1. Term", "Two “full” years.", {"file": "a.pdf", "page": 1}),
        (
            "Document: SUPPLY AGREEMENT\nSection: 1. Term > 1.1 Renewal",
            "By one year. By letter. Never by mere conduct of the parties.",
            {"file": "a.pdf", "page": 2},
        ),
        ("Document: SUPPLY AGREEMENT\nSection: 2. Law", "The law of Nevada governs.", {"file": "a.pdf", "page": 3}),
    ]
    assert account.text.dropped == {
        "page header or footer": 1,
        "stands before the first title, or is a title over nothing": 2,
    }


def test_a_long_section_is_cut_and_says_so() -> None:
    rows, _ = made(contract(), "sections", BY_WORDS)
    assert [row["prompt"].partition("Renewal")[2] for row in rows[1:3]] == [" (part 1 of 2)", " (part 2 of 2)"]


@pytest.mark.parametrize("title", ["Executive Summary", "1. Abstract", "OVERVIEW:"])
def test_a_summary_and_the_body_it_is_of(title: str) -> None:
    blocks = [Block("heading", title, level=1), Block("paragraph", "Short."), Block("heading", "Rest", level=1)]
    rows, _ = made(Document("a.md", [*blocks, Block("paragraph", "Long.")]), "summaries")
    assert [(row["prompt"].rpartition("\n")[2], row["completion"]) for row in rows] == [
        ("Summary: Short.", "Rest\n\nLong.")
    ]
    assert made(contract(), "summaries")[0] == []


CLAUSES = (
    "file,Term,Term-Answer,Law,Law- Answer,Insurance,Insurance-Answer\n"
    'a,"[\'two ""full"" years\', \'By one year. <omitted> conduct of the parties\']",2 years,nevada governs,NV,[],No\n'
)


def test_clauses_are_found_again_in_passages_and_no_answers_are_rows_too(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(CLAUSES, encoding="utf-8")
    given = Given(tokens=BY_WORDS.tokens, length=8, clauses=table(tmp_path / "c.csv"))
    rows, account = made(contract(), "clauses", given)
    told = [(json.loads(row["completion"]), row["source"].get("page")) for row in rows]
    assert told[:4] == [
        ({"clause": "Term", "spans": ["Two “full” years"], "answer": "2 years"}, 1),
        ({"clause": "Term", "spans": ["By one year."], "answer": "2 years"}, 2),
        ({"clause": "Term", "spans": ["conduct of the parties"], "answer": "2 years"}, 2),
        ({"clause": "Law", "spans": ["Nevada governs"], "answer": "NV"}, 3),
    ]
    assert told[4][0] == {"clause": "Insurance", "spans": [], "answer": None}
    for row in rows:
        assert all(span in row["prompt"] for span in json.loads(row["completion"])["spans"])
    assert account.answers.dropped == {}


def test_a_clause_over_the_end_of_a_passage_gets_both_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('file,Term,Law\na.pdf,"by letter. never by mere",no such words\n', encoding="utf-8")
    given = Given(tokens=BY_WORDS.tokens, length=8, clauses=table(tmp_path / "c.csv"))
    rows, account = made(contract(), "clauses", given)
    assert json.loads(rows[0]["completion"])["spans"] == ["By letter.\n\nNever by mere"]
    assert rows[0]["source"] == {"file": "a.pdf", "page": 2}
    assert account.answers.dropped_at == {NOT_FOUND: ["a.pdf: Law: no such words"]}


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    for text, words in (
        ("name,Term\na,b\n", "which document"),
        ('file,Term\na,"[\'x"\n', "begins as a list and is none"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=words):
            table(path)
    with pytest.raises(ConfigError, match="No such file"):
        table(tmp_path / "none.csv")


def test_questions_are_taken_only_if_their_answer_stands_in_the_passage() -> None:
    replies = {
        "Term": '[{"question": "How long?", "answer": "two \\"full\\" years"},'
        ' {"question": "How long?", "answer": "Two"}, {"question": "When?", "answer": "in June"},'
        ' {"question": "Of what?", "answer": "ears"}, {"question": 3}]',
        "Renewal": "I cannot do that.",
        "Never": '```json\n[{"question": "By what never?", "answer": "mere conduct"}]\n```',
    }
    writer = FakeCompleter(
        lambda request: next((text for key, text in replies.items() if key in request.messages[0].text), "[]")
    )
    rows, account = made(contract(), "questions", Given(tokens=BY_WORDS.tokens, length=8, writer=writer))
    assert [(row["prompt"].rpartition("\n\n")[2], row["completion"], row["source"]["page"]) for row in rows] == [
        ("Question: How long?", "Two “full” years", 1),
        ("Question: By what never?", "mere conduct", 2),
    ]
    assert account.answers.dropped == {AGAIN: 1, MADE_UP: 2, NO_LIST: 3}
    assert "a.pdf, page 1: When? in June" in account.answers.dropped_at[MADE_UP]


@pytest.mark.parametrize(("recipe", "flag"), [("clauses", "--clauses"), ("questions", "--writer")])
def test_what_a_recipe_lacks_is_named(recipe: str, flag: str) -> None:
    with pytest.raises(ConfigError) as raised:
        made(contract(), recipe)
    assert raised.value.fix.startswith(flag)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("non exclusive", "non-\nexclusive"),
        ("OFFICE", "oﬃce"),
        ('"here"', "“here”"),
        ("ten", None),
        ("often", "often"),
        ("", None),
    ],
)
def test_words_are_found_however_they_are_set(words: str, found: str | None) -> None:
    text = "A non-\nexclusive oﬃce, “here”, often."
    place = Words(text).find(words)
    assert (text[slice(*place)] if place else None) == found


# --------------------------------------------------------------------------------------------- account and groups


@pytest.mark.parametrize("recipe", ["text", "sections", "summaries"])
def test_every_block_stands_in_a_row_or_in_the_account(recipe: str) -> None:
    document = contract()
    rows, account = made(document, recipe)
    assert account.text.rows_in == len(document.blocks) + len(document.left_out)
    assert account.text.rows_in == account.text.train + sum(account.text.dropped.values())
    assert account.rows == len(rows)


def written(folder: Path, rows: Sequence[dict[str, Any]], name: str = "rows.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_rows_of_a_document_stay_on_one_side_without_being_asked(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"q {number} of {name}", "completion": "a", "source": {"file": name, "page": number}, "group": group}
        for name, group in [(f"{letter}.pdf", f"{letter}.pdf") for letter in "abcdefghijkl"] + [("copy.pdf", "a.pdf")]
        for number in range(20)
    ]
    reading = formats.read([written(tmp_path, rows)])
    assert "not used" not in reading.seen
    assert "rows of one document stay on one side" in reading.seen
    ledger = Ledger(rows_in=len(rows))
    sides = split(reading.examples, [], [], data=DataConfig(), eval=EvalConfig(), ledger=ledger)
    groups = [{example.group for example in side} for side in (sides.train, sides.validation, sides.test)]
    assert all(groups)
    assert sum(map(len, groups)) == 12
    halves = [formats.read([written(tmp_path, rows[start::2], f"{start}.jsonl")]).examples for start in (0, 1)]
    report = check(*halves)
    assert report.counts["L104"] >= 1


@pytest.mark.parametrize("row", [{"source": "web"}, {"source": {"url": "x"}}, {"group": "x"}, {"source": {"file": 3}}])
def test_other_sources_and_groups_mean_nothing_by_themselves(row: dict[str, Any], tmp_path: Path) -> None:
    [example] = formats.read([written(tmp_path, [{"prompt": "p", "completion": "c", **row}])]).examples
    assert example.group is None


def test_a_group_that_is_asked_for_wins(tmp_path: Path) -> None:
    row = {"prompt": "p", "completion": "c", "source": {"file": "a.pdf"}, "customer": "x"}
    [example] = formats.read([written(tmp_path, [row])], group="customer").examples
    assert example.group == "x"
