"""Lines of pages -> blocks: what is taken off, what is joined, what is a title."""

from __future__ import annotations

import pytest

from tailor.documents._lines import blocks, is_title
from tailor.documents.base import Block

WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"]
BODY = "The parties agree that each of them shall bear its own costs in full, and that none shall claim"


def words(found: list[Block]) -> list[str]:
    return [block.text for block in found]


def test_headers_and_footers_that_repeat_are_taken_off_and_told() -> None:
    found, left_out = blocks([f"ACME Ltd, 10-K\n{WORDS[n]} {BODY}.\nPage {n} of 4" for n in range(1, 5)])
    assert words(found) == [f"{WORDS[n]} {BODY}." for n in range(1, 5)]
    assert [(piece.page, piece.text) for piece in left_out] == [
        (n, text) for n in range(1, 5) for text in ("ACME Ltd, 10-K", f"Page {n} of 4")
    ]
    assert {piece.reason for piece in left_out} == {"page header or footer"}


def test_two_pages_are_enough_for_numbers_alone_and_not_for_words() -> None:
    found, left_out = blocks([f"Draft\n{WORDS[n]} {BODY}.\n- {n} -" for n in (1, 2)])
    assert [piece.text for piece in left_out] == ["- 1 -", "- 2 -"]
    assert words(found).count("Draft") == 2


@pytest.mark.parametrize("lines", [("7", "3", "9"), ("Section 4", "Section 9", "Section 2"), ("Name:",) * 3])
def test_what_does_not_count_with_the_pages_stays(lines: tuple[str, ...]) -> None:
    found, left_out = blocks([f"{word} {BODY}.\n{line}" for word, line in zip(WORDS, lines)])
    assert not left_out
    assert all(line in "\n".join(words(found)) for line in lines)


def test_titles_that_number_every_page_go_on_being_titles_if_pages_skip() -> None:
    found, _ = blocks([f"Section {n}\n{WORDS[n]} {BODY}." for n in (1, 2, 4)])
    assert [block.text for block in found if block.kind == "heading"] == ["Section 1", "Section 2", "Section 4"]


def test_a_word_broken_at_the_end_of_a_line_is_mended() -> None:
    text = f"{BODY} con-\nfirming what a non-exclusive right is, and that this right is non-\nexclusive too."
    assert words(blocks([text])[0]) == [
        f"{BODY} confirming what a non-exclusive right is, and that this right is non-exclusive too."
    ]


def test_a_hyphen_before_a_capital_or_a_number_stays() -> None:
    text = f"{BODY} anything under rule 10b-\n5 or the Sarbanes-\nOxley Act of that year, whichever is the longer."
    assert "10b-\n" not in words(blocks([text])[0])[0]
    assert "10b-5 or the Sarbanes-Oxley Act" in words(blocks([text])[0])[0]


def test_ligatures_and_soft_hyphens_become_letters() -> None:
    assert words(blocks(["the ﬁrst oﬃce is on\u00adgoing\u00a0here."])[0]) == ["the first office is ongoing here."]


def test_a_sentence_goes_on_over_the_page_and_keeps_its_first() -> None:
    found, _ = blocks([f"{BODY}\nanything of the", f"other party after that day.\n{BODY}."])
    assert words(found)[0] == f"{BODY} anything of the other party after that day."
    assert found[0].page == 1


def test_paragraphs_end_where_a_short_line_ends_a_sentence() -> None:
    found, _ = blocks([f"{BODY}\nanything.\n{BODY}\nor that.\n\n(a) first thing\n(b) second thing"])
    assert words(found) == [f"{BODY} anything.", f"{BODY} or that.", "(a) first thing", "(b) second thing"]
    assert [block.kind for block in found] == ["paragraph", "paragraph", "list", "list"]


def test_a_title_that_runs_into_its_text_is_cut_off_it() -> None:
    found, _ = blocks(["7. Governing Law. This Agreement is governed by the laws of Nevada."])
    assert found == [
        Block("heading", "7. Governing Law.", 1, 2),
        Block("paragraph", "This Agreement is governed by the laws of Nevada.", 1),
    ]


def test_capital_words_over_a_full_line_are_a_title_and_names_under_a_signature_are_not() -> None:
    found, _ = blocks([f"{BODY}\nend.\nPlace of Business\n{BODY}.\nJohn Smith\nChief Officer"])
    assert [block.text for block in found if block.kind == "heading"] == ["Place of Business"]


def test_a_paragraph_in_capitals_is_no_row_of_titles() -> None:
    shout = (
        "IN NO EVENT SHALL EITHER PARTY BE LIABLE FOR LOST\nPROFITS OF ANY KIND OR FOR ANY INDIRECT OR SPECIAL\nDAMAGES"
    )
    assert [block.kind for block in blocks([shout])[0]] == ["paragraph"]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("ARTICLE IV", True),
        ("Section 3.2 Fees and Expenses", True),
        ("12. Governing Law", True),
        ("4. Confidential Information.", True),
        ("1.1 Grant of the License", True),
        ("RECITALS", True),
        ("12. The Company shall pay all of it", False),
        ("1501 Farm Credit Drive", False),
        ("7 Village Circle, Suite 100", False),
        ("This is a sentence.", False),
        ("10-20 US$7.00", False),
        ("3.1 3.2 3.3 Duties", False),
        ("A", False),
        ("", False),
    ],
)
def test_what_is_a_title(line: str, title: bool) -> None:
    assert is_title(line) is title
