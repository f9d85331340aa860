"""`tailor runs`, `compare` and `report` on run folders that hold results and no model; `tailor show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailor.config import resolve
from tailor.records import ArmResult, Scored, Source
from tailor.run import Run


def made(name: str, scores: list[float], metric: str = "exact") -> Run:
    """A run below runs/ whose tuned arm has these scores."""
    run = Run.create(resolve(None, {"run.out": f"runs/{name}", "data.train": ["rows.jsonl"]}))
    result = ArmResult(
        name="tuned",
        metric=metric,
        n=len(scores),
        score=sum(scores) / len(scores),
        ci=(0.0, 1.0),
        prompt_tokens=1,
        completion_tokens=1,
        seconds=1.0,
    )
    run.write("scores/tuned.json", result)
    lines = [
        Scored(row=row, source=Source("test.csv", row + 2), prompt="p", wanted="w", given="g", score=score)
        for row, score in enumerate(scores)
    ]
    run.write_lines("scores/tuned.jsonl", lines)
    return run


BETTER = [1.0] * 20 + [0.0] * 5 + [1.0] * 25 + [0.0] * 10  # 20 rows right that WORSE has wrong, 5 the other way round
WORSE = [0.0] * 20 + [1.0] * 5 + [1.0] * 25 + [0.0] * 10
# Bonett and Price: 15/62 -+ 1.96 sqrt((27/62 - (15/62)**2) / 62); mid-p of 5 in 25: 0.00249


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (BETTER, WORSE, "+0.2500 (95% interval +0.0891 to +0.3948, p 0.002): better"),
        (WORSE, BETTER, "-0.2500 (95% interval -0.3948 to -0.0891, p 0.002): worse"),
        (BETTER, BETTER, "p 1.000): no difference that these rows can show"),
    ],
)
def test_two_runs_are_compared(a: list[float], b: list[float], said: str, typed: Any) -> None:
    made("a", a)
    made("b", b)
    code, out, _ = typed("compare", "a", "b")
    assert code == 0
    assert out.startswith("runs/a minus runs/b: ") and said in out
    document = json.loads(typed("compare", "a", "b", "--json")[1])
    assert (document["metric"], document["mean"]) == ("exact", pytest.approx((sum(a) - sum(b)) / 60))


def test_where_lower_is_better_more_is_worse(typed: Any) -> None:
    made("a", BETTER, "answer-nll")
    made("b", [score / 10 for score in WORSE], "answer-nll")
    assert ": worse (answer-nll: lower is better)" in typed("compare", "a", "b")[1]


def test_what_cannot_be_compared_is_said(typed: Any) -> None:
    made("a", BETTER)
    made("b", WORSE, "rouge-l")
    made("c", WORSE[:-1])
    for arguments, said in (
        (("a", "b"), "scored by different metrics: exact and rouge-l"),
        (("a", "c"), "test.csv:61"),
        (("a", "b", "--arm", "few-shot"), "no scores of the arm 'few-shot'"),
        (("a", "d"), "no run in this folder"),
    ):
        code, out, err = typed("compare", *arguments)
        assert (code, out) == (2, "") and said in " ".join(err.split())


def test_runs_are_listed_with_what_they_came_to(typed: Any) -> None:
    assert typed("runs")[2] == "no runs in runs/\n"
    verdict = {"decision": "prompt", "sentence": "Do not tune.", "rows_needed": {}}
    made("done", BETTER).write("verdict.json", verdict)
    Run.open("done").write("state.json", {"phase": "done"})
    made("killed", BETTER).write("state.json", {"phase": "training"})
    made("new", BETTER)
    code, out, _ = typed("runs")
    assert code == 0
    assert sorted(line.split() for line in out.splitlines()[1:]) == [
        ["runs/done", "thimble", "done", "prompt"],
        ["runs/killed", "thimble", "stopped", "while", "training"],
        ["runs/new", "thimble", "stopped", "while", "created"],
    ]
    document = {row["run"]: row for row in json.loads(typed("runs", "--json")[1])}
    assert document["runs/done"]["sentence"] == "Do not tune."
    assert document["runs/killed"]["decision"] is None


def test_the_page_is_made_again(typed: Any) -> None:
    run = made("a", BETTER)
    assert typed("report", "a") == (0, "runs/a/report.html\n", "")
    assert "75.0%" in run.report.read_text(encoding="utf-8")


@pytest.mark.usefixtures("typed")
def test_the_rows_that_were_asked_for_are_shown(typed: Any) -> None:
    rows = [{"prompt": f"question {n}", "completion": f"answer {n}"} for n in range(1, 6)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = typed("show", "rows.jsonl")
    assert code == 0 and "5 prompt/completion rows" in err
    assert [line.partition(":")[2].partition(":")[0] for line in out.splitlines() if "trained on" in line] == [*"123"]
    assert "<|user|>question 2<|end|><|assistant|>answer 2<|end|>" in out
    out = typed("show", "rows.jsonl", "--row", "5")[1]
    assert out.startswith("rows.jsonl:5: ") and "question 4" not in out
    code, _, err = typed("show", "rows.jsonl", "--row", "6")
    assert code == 2 and "there is no row 6: the data has 5" in err
    assert typed("show", "rows.jsonl", "--html", "page.html")[:2] == (0, "")
    assert "question 1" in Path("page.html").read_text(encoding="utf-8")
