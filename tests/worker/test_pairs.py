"""A run on preference pairs, from the file to its verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tailor
from tailor import worker
from tailor.errors import ConfigError
from tailor.records import Scored
from tailor.run import Run


def write(path: Path, count: int, first: int = 0) -> str:
    rows = [
        {
            "prompt": f"ticket {n}: what now?",
            "chosen": f"thank you, we look at {n % 5} today",
            "rejected": f"no {n % 5}" if n % 9 else f"thank you, we look at {n % 5} today",
        }
        for n in range(first, first + count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def run(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    data, held = write(tmp_path / "rows.jsonl", 45), write(tmp_path / "test.jsonl", 27, first=100)
    settings = {"optim__epochs": 2, "optim__learning_rate": 1e-3, "eval__max_tokens": 4, "eval__shots": 2}
    return tailor.fit(data, test=held, model__name=str(tiny), **settings)


def test_pairs_come_to_a_verdict(run: Run, tmp_path: Path) -> None:
    assert run.config.method == {"type": "dpo"}
    summary = run.read("summary.json")
    assert summary["method"] == "dpo"
    assert summary["ledger"]["dropped"] == {"chosen and rejected are the same": 8}
    assert "method: dpo, for rows of kind pair" in summary["notes"]
    arms = {arm["name"]: arm for arm in summary["arms"]}
    assert list(arms) == ["zero-shot", "few-shot", "tuned"]
    assert all(arm["metric"] == "preference" and arm["n"] == 24 for arm in arms.values())
    assert all({"margin", "exact"} <= arm["others"].keys() for arm in arms.values())
    assert arms["few-shot"]["prompt_tokens"] > arms["zero-shot"]["prompt_tokens"] > arms["tuned"]["prompt_tokens"]
    assert arms["tuned"]["others"]["margin"] > arms["zero-shot"]["others"]["margin"]
    assert "reward-accuracy" in arms["tuned"]["others"]
    assert "reward-accuracy" not in arms["zero-shot"]["others"]
    low, high = arms["tuned"]["others_ci"]["margin"]
    assert low < arms["tuned"]["others"]["margin"] < high
    assert "ranked right" in run.verdict.sentence
    page = run.report.read_text(encoding="utf-8")
    assert "loss of dpo" in page

    again = worker.evaluate(run.path, [str(tmp_path / "test.jsonl")], arms=["tuned"])
    assert again["arms"][0].score == arms["tuned"]["score"]
    scored = {line.row: line.score for line in run.lines("scores/tuned.jsonl", Scored)}
    below = Run(again["evaluation"])
    assert {line.row: line.score for line in below.lines("scores/tuned.jsonl", Scored)} == scored


def test_rows_that_are_no_pairs_cannot_be_ranked(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"item {n}", "completion": f"answer {n}"} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ConfigError, match="these rows are none"):
        tailor.fit("rows.jsonl", model__name=str(tiny), eval__metric="preference")
