"""`tailor curate` and `tailor split` as they are typed: what is printed, what is written, and the exit code."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tailor.testing.rules import pair, write

THEMES = ("card", "loan", "transfer", "password", "branch")
GOOD = [pair(f"my {THEMES[n % 5]} and thing {n} of {n * n}", f"about {THEMES[n % 5]}") for n in range(60)]


def rows(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------------------------------------------------- curate


def test_a_table_of_what_happened(typed: Any) -> None:
    write(
        Path("rows.jsonl"), [*GOOD, GOOD[4], "{", pair("What now?", "TODO"), {"spare": 1, **pair("And?", "about it")}]
    )
    before = Path("rows.jsonl").read_bytes()
    code, out, _ = typed("curate", "rows.jsonl", "-o", "clean.jsonl", "--keep", "15")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["step", "rows", "left", "went", "why"]
    assert lines[1].split() == ["read", "64"]
    assert [line.split()[:4] for line in lines[2:6]] == [
        ["unusable", "63", "-1", "F002:"],
        ["defects", "62", "-1", "Q101:"],
        ["contradictions", "62"],
        ["copies", "61", "-1", "D101:"],
    ]
    assert "labels: 6 of 7" in out  # the placeholder was one
    assert "defects: 1 of 7 labels lose all their rows: TODO" in out
    kept = rows("clean.jsonl")
    assert len(kept) == 15
    source = before.decode().splitlines()
    assert all(line in source for line in Path("clean.jsonl").read_text().splitlines())
    head, *gone = rows("clean.ledger.jsonl")
    assert head["rows_in"] == 64 and head["kept"] == {"train": 15} and sum(head["dropped"].values()) == 49 == len(gone)
    assert gone[2] == {
        "where": "rows.jsonl:61", "step": "copies", "rule": "D101",
        "why": "the same row more than once", "beside": "rows.jsonl:5",
    }  # fmt: skip
    assert Path("rows.jsonl").read_bytes() == before


def test_one_document(typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    code, out, _ = typed("curate", "rows.jsonl", "-o", "clean.jsonl", "--keep", "50%", "--by", "random", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["rows_in"], found["kept"], found["out"], found["ledger"]) == (
        60, 30, "clean.jsonl", "clean.ledger.jsonl"
    )  # fmt: skip
    assert found["steps"][-1] == {
        "name": "selection", "left": 30, "why": {"random: not one of the 30 rows drawn by lot": 30}
    }  # fmt: skip
    assert found["labels"] == {"before": 5, "after": 5}


def test_the_seed_draws(typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    drawn = {}
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        typed("curate", "rows.jsonl", "-o", f"{name}.jsonl", "--keep", "20", "--by", "random", "--seed", seed)
        drawn[name] = rows(f"{name}.jsonl")
    assert drawn["a"] == drawn["b"] != drawn["c"]


def test_a_table_keeps_its_columns(typed: Any) -> None:
    lines = [
        "id,text,label,customer",
        *(f"{n},my {THEMES[n % 5]} {n},about {THEMES[n % 5]},c{n % 7}" for n in range(40)),
    ]
    Path("rows.csv").write_text("\r\n".join([*lines, lines[3].replace("2,", "99,", 1)]) + "\r\n", newline="")
    code, out, _ = typed("curate", "rows.csv", "-o", "clean.csv", "--map", "prompt=text,completion=label")
    assert code == 0 and "D101" in out
    assert Path("clean.csv").read_bytes() == ("\r\n".join(lines) + "\r\n").encode()


def test_repairs_are_made_and_told(typed: Any) -> None:
    write(Path("rows.jsonl"), [*GOOD, pair("my card, write to jane.roe@gmail.com", "about card")])
    code, out, _ = typed("curate", "rows.jsonl", "-o", "clean.jsonl")
    assert code == 0 and "1 of the rows kept are repaired" in out
    assert "jane.roe@gmail.com" not in Path("clean.jsonl").read_text()
    repair = rows("clean.ledger.jsonl")[-1]
    assert repair["where"] == "rows.jsonl:61" and repair["step"] == "repair" and "jane.roe" in str(repair["texts"])


def test_somebody_is_asked(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("rows.jsonl"), [*GOOD, pair("Which floor?", "about loan"), pair("which floor", "about card")])
    ask = ("curate", "rows.jsonl", "-o", "clean.jsonl", "--contradictions", "ask")
    code, _, err = typed(*ask)
    assert code == 2 and "there is no terminal to ask at" in err
    answers = io.StringIO("five\n9\n2\n")
    monkeypatch.setattr(answers, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", answers)
    code, _, err = typed(*ask)
    assert code == 0
    assert "  1  about loan  (1 row)" in err
    assert pair("which floor", "about card") in rows("clean.jsonl")
    assert rows("clean.ledger.jsonl")[1]["where"] == "rows.jsonl:61"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "it is not said where the rows go"),
        (("-o", "clean.csv"), "call it clean.jsonl"),
        (("-o", "rows.jsonl", "--force"), "is the data itself"),
        (("-o", "old.jsonl"), "old.jsonl is there already"),
        (("-o", "new.jsonl", "--keep", "many"), "neither a number of rows nor a share"),
        (("-o", "new.jsonl", "--by", "best"), "no selector called 'best'"),
        (("-o", "new.jsonl", "--doubt", "much"), "curate.doubt"),
        (("-o", "new.jsonl", "--contradictions", "both"), "curate.contradictions"),
        (("-o", "new.jsonl", "--leave-out", "X1"), "no rule 'X1'"),
        (("-o", "new.jsonl", "--against", "none.jsonl"), "none.jsonl"),
    ],
)
def test_bad_flags(arguments: tuple[str, ...], said: str, typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    Path("old.jsonl").write_text("mine\n")
    code, _, err = typed("curate", "rows.jsonl", *arguments)
    assert code == 2 and said in err
    assert not Path("new.jsonl").exists() and Path("old.jsonl").read_text() == "mine\n"


def test_weights_are_for_training(typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    code, _, err = typed("curate", "rows.jsonl:0.5", "-o", "clean.jsonl")
    assert code == 2 and "rows are written once" in err


def test_rows_are_taken_out_of_text_files(typed: Any) -> None:
    Path("rows.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "a", "completion": "b"}\n'))
    for verb, target in (("curate", "clean.jsonl.gz"), ("split", "parts")):
        code, _, err = typed(verb, "rows.jsonl.gz", "--out", target)
        assert code == 2 and "only plain text files" in err and "unpack" in err


def test_force_writes_over(typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    Path("clean.jsonl").write_text("old\n")
    assert typed("curate", "rows.jsonl", "-o", "clean.jsonl", "--force")[0] == 0
    assert rows("clean.jsonl") == GOOD


# ----------------------------------------------------------------------------------------------------------- split


def sides(folder: str) -> dict[str, list[str]]:
    return {path.stem: path.read_text().splitlines() for path in Path(folder).glob("*.jsonl") if path.stem != "ledger"}


def test_sides_are_files(typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    code, out, err = typed("split", "rows.jsonl", "--out", "parts", "--test", "30%", "--validation", "0.1")
    assert code == 0 and "60 prompt/completion rows" in err
    found = sides("parts")
    assert sorted(line for lines in found.values() for line in lines) == sorted(
        Path("rows.jsonl").read_text().splitlines()
    )
    assert set(found) == {"train", "validation", "test"}
    assert f"test {len(found['test'])}" in " ".join(out.split()) and "hash of their prompt" in out
    assert rows("parts/ledger.jsonl")[0]["kept"] == {side: len(found[side]) for side in ("train", "validation", "test")}


def test_rows_that_are_added_move_none(typed: Any) -> None:
    write(Path("old.jsonl"), GOOD)
    write(Path("new.jsonl"), [*(pair(f"new question {n}", "about card") for n in range(200)), *reversed(GOOD)])
    typed("split", "old.jsonl", "--out", "a")
    typed("split", "new.jsonl", "--out", "b")
    before, after = sides("a"), sides("b")
    assert all(set(before[side]) <= set(after[side]) for side in ("train", "validation", "test"))


def test_groups_stay_together(typed: Any) -> None:
    write(Path("rows.jsonl"), [{**row, "customer": f"c{n % 20}"} for n, row in enumerate(GOOD)])
    code, out, _ = typed("split", "rows.jsonl", "--out", "parts", "--group", "customer", "--json")
    found = json.loads(out)
    assert code == 0 and "hash of their group" in found["notes"][0]
    customers = [{json.loads(line)["customer"] for line in lines} for lines in sides("parts").values()]
    assert len(customers) == 3 and sum(map(len, customers)) == len(set.union(*customers)) == 20
    assert {side: found[side]["file"] for side in ("train", "test")} == {
        "train": "parts/train.jsonl", "test": "parts/test.jsonl"
    }  # fmt: skip


def test_rows_that_fit_on_no_side_are_named(typed: Any) -> None:
    chats = [
        {"messages": [{"role": "user", "content": f"first {n}"}, {"role": "assistant", "content": "a"}]}
        for n in range(40)
    ]
    both = [*chats[7]["messages"], {"role": "user", "content": "more"}, {"role": "assistant", "content": "b"}]
    write(Path("rows.jsonl"), [*chats, *({"messages": [*chat["messages"], *both[2:]]} for chat in chats)])
    code, out, _ = typed("split", "rows.jsonl", "--out", "parts", "--json")
    found = json.loads(out)
    assert code == 0
    dropped = sum(found["dropped"].values())
    assert dropped and dropped + sum(len(lines) for lines in sides("parts").values()) == 80
    assert len(rows("parts/ledger.jsonl")) == 1 + dropped


def test_no_validation_rows_on_request(typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    code, out, _ = typed("split", "rows.jsonl", "--out", "parts", "--validation", "0", "--json")
    assert code == 0 and set(sides("parts")) == {"train", "test"}
    assert json.loads(out)["validation"] == {"rows": 0, "file": ""}
    assert typed("split", "rows.jsonl", "--out", "parts")[0] == 2  # they are there already
    assert typed("split", "rows.jsonl", "--out", "parts", "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "it is not said where the rows go"),
        (("--out", "parts", "--test", "lots"), "--test lots"),
        (("--out", "parts", "--test", "120%"), "--test 120%"),
        (("--out", "parts", "--test", "0"), "sets nothing aside"),
        (("--out", "parts", "--test", "60%", "--validation", "40%"), "leave nothing to train on"),
        (("--out", "parts", "--group", "customer"), "customer"),
    ],
)
def test_bad_splits(arguments: tuple[str, ...], said: str, typed: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    code, _, err = typed("split", "rows.jsonl", *arguments)
    assert code == 2 and said in err
    assert not Path("parts").exists()


def test_malformed_rows_are_refused_or_named(typed: Any) -> None:
    write(Path("rows.jsonl"), [*GOOD, "{"])
    code, _, err = typed("split", "rows.jsonl", "--out", "parts")
    assert code == 2 and "rows.jsonl:61" in err
    assert typed("split", "rows.jsonl", "--out", "parts", "--max-bad", "1")[0] == 0
    assert rows("parts/ledger.jsonl")[1] == {"where": "rows.jsonl:61:2", "step": "split", "why": "malformed"}
