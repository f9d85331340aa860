"""The benchmark of injected defects: an injector changes the rows it says and no others, and scores are right."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import check  # noqa: E402
import defects  # noqa: E402
import injectors  # noqa: E402
from injectors.base import DEFECTS, Clean, Row, jaccard  # noqa: E402


def row(number: int, question: str, answer: str) -> Row:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Row(turns, "completion", id=number)


@pytest.fixture
def clean() -> Clean:
    rows = [row(n, f"Where does train number {n} to the harbour leave from?", f"Platform {n % 7}.") for n in range(200)]
    held = [row(n, f"What does ticket number {n} to the lighthouse cost?", f"{n} crowns.") for n in range(20)]
    return Clean("toy", rows, held, frozenset(["toy", "completion", "prose", "gsm8k"]))


@pytest.mark.parametrize("code", ["Q101", "Q203", "P105", "F002"])
def test_an_edit_changes_exactly_the_rows_it_says(code: str, clean: Clean) -> None:
    before = [item.document() for item in clean.rows]
    broken = defects.inject(clean, code, 0.1, spared=frozenset(range(100)))
    assert [item.document() for item in clean.rows] == before, "the clean set is left as it is"
    changed = {
        at for at, (old, new) in enumerate(zip(before, broken.rows)) if new.raw is not None or new.document() != old
    }
    assert changed == broken.bad.keys() | broken.decoys.keys()
    assert len(broken.bad) == 20
    assert min(changed) >= 100, "spared rows stay"
    assert defects.inject(clean, code, 0.1, frozenset(range(100))).bad == broken.bad, "the same every time"


def test_added_rows_stand_where_it_says(clean: Clean) -> None:
    broken = defects.inject(clean, "D101", 0.05)
    assert len(broken.rows) == 200 + len(broken.bad) + len(broken.decoys)
    assert len(broken.bad) == 10
    originals = {" ".join(item.question.lower().split()) for item in clean.rows}
    for at in broken.bad:
        assert broken.rows[at].id == -1
        assert " ".join(broken.rows[at].question.lower().split()) in originals


def test_injectors_know_nothing_of_the_rules() -> None:
    for path in (BENCH / "injectors").glob("*.py"):
        assert "tailor" not in path.read_text(encoding="utf-8"), path.name
    assert injectors.base.DEFECTS
    assert len({(defect.code, defect.make.__name__, defect.on) for defect in DEFECTS}) == len(DEFECTS)


def test_likeness_is_the_share_of_common_pieces() -> None:
    assert jaccard("abcdef", "abcdef") == 1
    assert jaccard("abcdef", "abcdeg") == pytest.approx(1 / 3)  # abcde; bcdef, bcdeg


def test_scores_of_a_case_by_hand(clean: Clean) -> None:
    """Ten rows: 1, 2 and 3 have the defect, 4 looks like it, the rule spoke of 5 before anything was injected."""
    broken = defects.Broken(clean.rows[:10], bad={1: "a", 2: "a", 3: "b"}, decoys={4: "c"})
    findings = [
        (1,),  # right
        (7, 2),  # right: the copy 2 is named, though 7 comes first
        (4,),  # a decoy
        (5,),  # known before
        (8, 9),  # wrong
        (1,),  # the same row again counts once
        (),  # of the other side alone
    ]
    found = defects.score(broken, defects.Spoken(findings, 0.0), before=frozenset([5]))
    assert found["injected"] == 3
    assert found["found"] == 2
    assert (found["right"], found["wrong"], found["known"], found["lured"]) == (2, 2, 1, 1)
    assert found["variants"] == {"a": [2, 2], "b": [0, 1]}
    assert found["missed"] == [3]
    assert found["false"] == [4, 8]


def test_a_table_s_rows_are_found_by_their_lines(tmp_path: Path, clean: Clean) -> None:
    rows = [row(0, "one\ntwo", "a"), row(1, "three", "b")]
    for item in rows:
        item.shape = "table"
    [(path, places, begins)] = defects.write(rows, clean, tmp_path, "train")
    assert path.read_text().splitlines()[0] == "prompt,completion"
    assert (places, begins) == ([0, 1], [2, 4])


def test_every_injector_makes_a_row_or_declines(clean: Clean) -> None:
    for defect in DEFECTS:
        if defect.fits(clean) and defect.kind in ("edit", "more"):
            made = defect.make(clean.rows[3].copy(), random.Random(1), clean)
            assert made is None or isinstance(made, Row), defect.make.__name__


def test_rows_of_the_growth_are_seeded_and_defective_as_stated() -> None:
    first = [item["messages"] for item in check.rows(4_000)]
    assert first == [item["messages"] for item in check.rows(4_000)]
    texts = [turns[1]["content"] + turns[2]["content"] for turns in first]
    copies = 1 - len(set(texts)) / len(texts)
    assert copies == pytest.approx(check.DEFECTS["copy"], rel=0.5)
    assert 450 < sum(len(json.dumps(turns)) for turns in first) / len(first) < 550
