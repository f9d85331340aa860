"""Whole runs on a tiny model: what they leave behind, and that they go on where they were stopped."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import tailor
from tailor import worker
from tailor.cli import main
from tailor.completers.local import LocalCompleter
from tailor.config import resolve
from tailor.errors import Cancelled, RunError
from tailor.records import Completion, Example, Ledger, Request, Sampling, Scored
from tailor.run import Run

COLOURS = ("red", "green", "blue")


def table(path: Path, count: int, first: int = 0) -> str:
    lines = [f"item {n} of lot {n % 7},{COLOURS[n % 3]}" for n in range(first, first + count)]
    path.write_text("text,category\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def fit(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    monkeypatch.chdir(tmp_path)

    def run(data: str, **settings: Any) -> Run:
        settings = {"eval__max_tokens": 4, "optim__epochs": 1, "model__name": str(tiny)} | settings
        return tailor.fit(data, **settings)

    return run


def test_a_run_leaves_all_that_is_promised(fit: Callable[..., Run], tmp_path: Path) -> None:
    run = fit(table(tmp_path / "rows.csv", 60), test=table(tmp_path / "test.csv", 40, first=50))
    assert run.path == Path("runs/rows-1")
    for name in (
        *("recipe.toml", "config.json", "environment.json", "metrics.jsonl", "timings.jsonl", "state.json"),
        *("events.jsonl", "lock", "checkpoints", "model/model.safetensors", "verdict.json", "report.html"),
        *("data/train.jsonl", "data/validation.jsonl", "data/test.jsonl", "data/ledger.json"),
        *(f"scores/{arm}.jsonl" for arm in ("zero-shot", "few-shot", "tuned")),
    ):
        assert run.has(name), name

    summary = run.read("summary.json")
    assert list(summary)[:9] == ["run", "report", "model", "method", "ledger", "arms", "difference", "train", "verdict"]
    ledger = summary["ledger"]
    assert ledger["rows_in"] == 100 and ledger["test"] == 40
    assert ledger["dropped"] == {"its prompt stands in the test rows too": 10}
    assert ledger["train"] + ledger["validation"] == 50
    assert [arm["name"] for arm in summary["arms"]] == ["zero-shot", "few-shot", "tuned"]
    assert {"name", "metric", "n", "score", "ci", "prompt_tokens", "completion_tokens", "seconds"} <= set(
        summary["arms"][0]
    )
    assert list(summary["difference"]) == ["arm", "against", "mean", "ci", "p"]
    assert {"steps", "epochs", "seconds", "tokens_per_second", "peak_memory_bytes", "best_step"} <= set(
        summary["train"]
    )
    assert list(summary["verdict"]) == ["decision", "sentence", "rows_needed"]
    assert summary["ledger"]["tokens_trained"] == summary["train"]["tokens"] > 0
    assert run.verdict.sentence == summary["verdict"]["sentence"]
    for arm in ("zero-shot", "few-shot", "tuned"):
        scored = list(run.lines(f"scores/{arm}.jsonl", Scored))
        assert sorted(line.row for line in scored) == list(range(40))
    tokens = {arm["name"]: arm["prompt_tokens"] for arm in summary["arms"]}
    assert tokens["tuned"] < tokens["zero-shot"] < tokens["few-shot"]  # bare rows, with the labels, with examples too


def test_under_200_rows_every_row_is_held_out_once(fit: Callable[..., Run], tmp_path: Path) -> None:
    run = fit(table(tmp_path / "rows.csv", 30), eval__folds=3, eval__shots=2)
    for arm in ("zero-shot", "few-shot", "tuned"):
        scored = list(run.lines(f"scores/{arm}.jsonl", Scored))
        assert sorted(line.source.line for line in scored) == list(range(2, 32))
    for fold in (1, 2, 3):
        below = Run(run.path / "folds" / str(fold))
        trained = {example.source.line for example in below.lines("data/train.jsonl", Example)}
        held = {line.source.line for line in below.lines("scores/tuned.jsonl", Scored)}
        assert trained and held and not trained & held
    assert run.read("train.json")["steps"] > 0
    ledger = run.read_as("data/ledger.json", Ledger)
    assert (ledger.rows_in, ledger.train + ledger.validation) == (30, 30)


class _Dies(Exception):
    pass


def test_a_run_killed_while_evaluating_goes_on_where_it_was(
    fit: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, held = table(tmp_path / "rows.csv", 60), table(tmp_path / "test.csv", 30, first=100)
    whole = fit(data, test=held)

    real, asked = LocalCompleter.complete, []

    def complete(
        self: LocalCompleter, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        for answer in real(self, requests, sampling):
            asked.append(answer[0])
            yield answer
            if len(asked) == stop_after:
                raise _Dies

    monkeypatch.setattr(LocalCompleter, "complete", complete)
    for stop_after in (20, 75):  # in the test rows of zero-shot, then of few-shot
        asked.clear()
        with pytest.raises(_Dies):
            if stop_after == 20:
                fit(data, test=held)
            else:
                worker.resume("runs/rows-2")
    with open("runs/rows-2/scores/few-shot.jsonl", "ab") as file:
        file.write(b'{"row": 3, "sour')  # the line that the crash cut
    asked.clear()
    stop_after = -1
    resumed = worker.resume("runs/rows-2")
    for arm in ("zero-shot", "few-shot", "tuned"):
        first, second = (
            {s.row: (s.given, s.score) for s in run.lines(f"scores/{arm}.jsonl", Scored)} for run in (whole, resumed)
        )
        assert first == second
    assert len(asked) < 30 + 30
    assert resumed.verdict == whole.verdict


def test_a_finished_run_is_scored_on_new_rows_and_compared(fit: Callable[..., Run], tmp_path: Path) -> None:
    data, held = table(tmp_path / "rows.csv", 60), table(tmp_path / "test.csv", 20, first=100)
    first = fit(data, test=held)
    second = fit(data, test=held, run__seed=1, eval__arms=["tuned"])
    again = worker.evaluate(first.path, [held])
    assert [arm.name for arm in again["arms"]] == ["zero-shot", "few-shot", "tuned"]
    before = {arm["name"]: arm["score"] for arm in first.read("summary.json")["arms"]}
    assert {arm.name: arm.score for arm in again["arms"]} == before
    metric, difference = worker.compare(first.path, second.path)
    assert metric == first.read("scores/tuned.json")["metric"]
    scores = [second.read("scores/tuned.json")["score"], first.read("scores/tuned.json")["score"]]
    assert difference.mean == pytest.approx(scores[1] - scores[0])
    with pytest.raises(RunError, match="no scores of the arm 'few-shot'"):
        worker.compare(first.path, second.path, "few-shot")
    tuned, base = worker.completers(first.path)
    request = Request(messages=next(first.lines("data/test.jsonl", Example)).prompt)
    assert "".join(tuned.stream(request, Sampling(max_tokens=4))) == next(
        line.given for line in first.lines("scores/tuned.jsonl", Scored) if line.row == 0
    )
    assert isinstance("".join(base.stream(request, Sampling(max_tokens=4))), str)


def test_train_alone_measures_no_arms_and_takes_text(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(json.dumps({"text": f"clause {n}: the tenant pays on day {n % 9}."}) + "\n" for n in range(40))
    (tmp_path / "clauses.jsonl").write_text(rows)
    run = worker.train("clauses.jsonl", model__name=str(tiny), optim__epochs=1)
    summary = run.read("summary.json")
    assert summary["arms"] == [] and summary["verdict"] is None
    assert summary["train"]["steps"] > 0 and summary["ledger"]["test"] == 0
    assert run.report.exists()


def test_gate_and_json(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "rows.csv", 40)
    table(tmp_path / "test.csv", 12, first=100)
    arguments = ["fit", "rows.csv", "--test", "test.csv", "--model", str(tiny), "--gate", "--json"]
    monkeypatch.setattr(sys, "argv", ["tailor", *arguments, "--set", "optim.epochs=1", "--set", "eval.max_tokens=3"])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capfd.readouterr()
    document = json.loads(said.out)
    assert document["verdict"]["decision"] != "tune"
    assert stop.value.code == 1


def test_a_stopped_evaluation_says_how_to_go_on(
    fit: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complete(self: LocalCompleter, requests: Sequence[Request], sampling: Sampling) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(LocalCompleter, "complete", complete)
    with pytest.raises(Cancelled, match="tailor fit --resume runs/rows-1"):
        fit(table(tmp_path / "rows.csv", 60), test=table(tmp_path / "test.csv", 30, first=100))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not Run("runs/rows-1").busy


def test_a_saved_recipe_makes_the_same_run_from_any_folder(
    fit: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path / "rows.csv", 40)
    table(tmp_path / "test.csv", 20, first=100)
    first = fit("rows.csv", test="test.csv")
    recipe = (first.path / "recipe.toml").absolute()
    monkeypatch.chdir("/")
    again = worker.start("fit", resolve(recipe, {"run.out": str(tmp_path / "again")}))
    for name in ("metrics.jsonl", "model/model.safetensors"):
        assert (recipe.parent / name).read_bytes() == (again.path / name).read_bytes()
    assert again.verdict == Run(recipe.parent).verdict
