"""`tailor check` as it is typed: what is printed, what is written, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailor.testing.rules import pair, write

GOOD = [pair(f"question {n} of {n * n}", f"answer {n * 7}") for n in range(8)]


@pytest.fixture
def call(typed: Any) -> Any:
    # the files of these tests are small, and say so in every answer unless asked not to
    small = ("--set", 'check.ignore=["V"]')
    return lambda *arguments: typed("check", *arguments, *(() if "--ignore" in arguments else small))


def test_nothing_found(call: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    code, out, err = call("rows.jsonl")
    assert code == 0
    assert out.startswith("8 rows in ")
    assert out.rstrip().endswith("nothing found")
    assert "8 prompt/completion rows" in err


def test_a_finding_has_place_code_evidence_fix_and_cost(call: Any) -> None:
    write(Path("more.jsonl"), [*GOOD, pair("Question 3 of 9?", "nothing")])
    code, out, _ = call("more.jsonl")
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("warn C101 The same question with different answers: 1")
    assert lines[1] == "  more.jsonl:9:47 C101 answer differs from 1 row with the same question (4)"
    assert "asked  Question 3 of 9?" in out
    assert "here   nothing" in out
    assert "there  answer 21" in out
    assert "  fix: decide which answer is right" in out
    assert "  if ignored: the model learns both" in out
    assert lines[-1].endswith(": 1 warn")


def test_many_are_capped_and_counted(call: Any) -> None:
    write(Path("rows.jsonl"), GOOD * 3)
    code, out, _ = call("rows.jsonl", "--set", "check.show=2")
    assert code == 1
    assert out.count("repeats a row word for word") == 2
    assert "  and 14 more" in out
    assert out.rstrip().endswith(": 16 warn")


def test_only_informing_findings_leave_the_exit_code_at_0(call: Any) -> None:
    Path("rows.jsonl").write_bytes(b"\xef\xbb\xbf" + "\n".join(map(json.dumps, GOOD)).encode())
    code, out, _ = call("rows.jsonl")
    assert code == 0
    assert "inform F010" in out


def test_json_is_one_document(call: Any) -> None:
    write(Path("rows.jsonl"), [*GOOD, "{"])
    code, out, _ = call("rows.jsonl", "--json")
    found = json.loads(out)
    assert code == 1
    assert found["rows"] == 9
    assert found["counts"] == {"F002": 1}
    assert found["findings"][0]["rows"] == [{"file": "rows.jsonl", "line": 9}]


def test_sarif_names_rules_places_and_levels(call: Any) -> None:
    write(Path("rows.jsonl"), [*GOOD, "{", GOOD[2]])
    code, out, _ = call("rows.jsonl", "--sarif")
    found = json.loads(out)
    assert (code, found["version"]) == (1, "2.1.0")
    (held,) = found["runs"]
    assert [rule["id"] for rule in held["tool"]["driver"]["rules"]] == ["F002", "D101"]
    broken, copy = held["results"]
    assert (broken["ruleId"], broken["level"], copy["level"]) == ("F002", "error", "warning")
    place = broken["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "rows.jsonl"}, "region": {"startLine": 9, "startColumn": 2}}
    assert copy["relatedLocations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    assert call("rows.jsonl", "--sarif", "--json")[0] == 2


def test_held_out_rows(call: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    write(Path("test.jsonl"), GOOD[2:4])
    code, out, _ = call("rows.jsonl", "--against", "test.jsonl")
    assert code == 1
    assert "block L101" in out
    assert "rows.jsonl:3 L101 its question is held out (test.jsonl:1)" in out
    assert out.rstrip().endswith(": 2 block")


def test_select_and_ignore_take_codes_families_and_names(call: Any) -> None:
    write(Path("rows.jsonl"), [*GOOD, GOOD[0], "{"])
    assert json.loads(call("rows.jsonl", "--json", "--select", "D,L")[1])["counts"] == {"D101": 1}
    assert json.loads(call("rows.jsonl", "--json", "--ignore", "exact-duplicates,V")[1])["counts"] == {"F002": 1}
    code, _, err = call("rows.jsonl", "--select", "D999")
    assert code == 2
    assert "there is no rule 'D999'" in err
    Path("recipe.toml").write_text('[data]\ntrain = ["rows.jsonl"]\n[check]\nselect = ["D"]\n')
    assert json.loads(call("--recipe", "recipe.toml", "--json")[1])["counts"] == {"D101": 1}


def test_fix_writes_beside_and_undo_leads_back(call: Any) -> None:
    write(Path("rows.jsonl"), [*GOOD, GOOD[0]])
    before = Path("rows.jsonl").read_bytes()
    code, _, err = call("rows.jsonl", "--fix")
    assert code == 0, "nothing is left to look at"
    assert "1 row repaired in rows.fixed.jsonl" in err
    assert Path("rows.jsonl").read_bytes() == before
    assert Path("rows.fixed.jsonl").read_bytes() == before[: before.rindex(b'{"prompt"')]
    assert call("rows.fixed.jsonl")[0] == 0
    code, out, _ = call("--undo", "rows.fixed.patch.jsonl")
    assert (code, out) == (0, "rows.restored.jsonl: as it was before the repair\n")
    assert Path("rows.restored.jsonl").read_bytes() == before
    call("rows.jsonl", "--fix")
    assert Path("rows.fixed-2.jsonl").exists(), "nothing is written over"
    call("rows.jsonl", "--fix", "--out", "else/where")
    assert Path("else/where/rows.fixed.jsonl").exists()


def test_explain(call: Any) -> None:
    code, out, _ = call("--explain", "d101")
    assert code == 0
    assert "D101 The same row more than once" in out
    assert "Lee et al. 2021" in " ".join(out.split())
    assert "(--fix does it)" in out
    assert "near-duplicates" in call("--explain", "all")[1]
    assert call("--explain", "Z999")[0] == 2


def test_control_characters_do_not_reach_the_terminal(call: Any) -> None:
    write(Path("rows.jsonl"), [*GOOD, pair("a \x1b[31m\u202e b", "c"), pair("a \x1b[31m\u202e b", "c")])
    out = call("rows.jsonl")[1]
    assert "\x1b" not in out
    assert "\\u001b[31m\\u202e" in out


def test_timing_names_the_rules(call: Any) -> None:
    write(Path("rows.jsonl"), GOOD)
    out = call("rows.jsonl", "--timing")[1]
    assert "D101" in out
    assert " s  reading" in out
