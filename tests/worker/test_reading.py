"""The likelihood of wanted answers and of texts: against plain transformers, the trainer's own loss, and whole runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import tailor
from tailor import render, worker
from tailor.cli import main
from tailor.config import resolve
from tailor.errors import ConfigError, DataError
from tailor.evaluate import arms
from tailor.metrics.answer_nll import score
from tailor.records import ArmResult, Completion, Example, Request, Scored, Source, message
from tailor.run import Run
from tailor.train.step import Step
from tailor.weights.load import Loaded, load
from tailor.worker.reading import reads


def chat(number: int, answer: str = "") -> Example:
    turns = (
        message("system", "Answer in the house style."),
        message("user", f"ticket {number} " * (1 + number % 4)),
        message("assistant", answer or f"code {number * 7 % 13} " + "done " * (number % 3)),
    )
    return Example(kind="chat", source=Source("rows.jsonl", number + 1), messages=turns)


def text(number: int) -> Example:
    words = f"clause {number}: the tenant pays on day {number % 9}. " * (1 + number % 5)
    return Example(kind="text", source=Source("rows.jsonl", number + 1), text=words)


class Reader:
    """A model in fp32 with its renderer, and what it reads."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.config = resolve(None, {"model.name": str(folder), "model.dtype": "fp32", **settings})
        self.loaded: Loaded = load(self.config.model)
        self.renderer = render.load(folder)

    def __call__(self, rows: Sequence[Example], request: Callable[[Example], Request] = arms.plain) -> list[Completion]:
        found = dict(reads(self.loaded, self.renderer, self.config)([(request(row), row) for row in rows]))
        return [found[number][0] for number in range(len(rows))]


def plain_logprobs(folder: Path, ids: Sequence[int], trained: Sequence[bool]) -> np.ndarray:
    """log p of the trained tokens by transformers alone."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, :-1]
    found = logits.log_softmax(-1)[range(len(ids) - 1), ids[1:]].numpy()
    return found[np.array(trained[1:])]


def test_answers_have_the_log_probs_of_a_plain_transformers_model(tiny: Path) -> None:
    reader = Reader(tiny)
    rows = [chat(number) for number in range(70)]  # more than one block
    ask = arms.few_shot(rows[5:7], "Be short.")
    for row, given in list(zip(rows, reader(rows, ask)))[::23]:
        prompt = reader.renderer.prompt_ids(ask(row))
        answer = reader.renderer.tokenizer.encode(row.answer)
        assert given.ids[:-1] == tuple(answer) and given.ids[-1] in reader.renderer.stop_ids
        assert (given.prompt_tokens, given.text) == (len(prompt), row.answer)
        trained = [False] * len(prompt) + [True] * len(given.ids)
        np.testing.assert_allclose(given.logprobs, plain_logprobs(tiny, [*prompt, *given.ids], trained), atol=1e-4)


@pytest.mark.parametrize("make", [chat, text])
def test_an_arms_score_is_the_validation_loss_on_the_same_rows(
    tiny: Path, tmp_path: Path, make: Callable[[int], Example]
) -> None:
    rows = [make(number) for number in range(30)]
    reader = Reader(tiny, **{"run.out": str(tmp_path / "run"), "method": {"type": "sft"}})
    run = Run.create(reader.config)
    step = Step(run, reader.loaded, dict(reader.loaded.model.named_parameters()), share=True, max_grad_norm=1.0)
    datums = [datum for number, row in enumerate(rows) for datum in reader.renderer.datums(row, number)]
    result, lines = arms.measure(
        "tuned",
        reads(reader.loaded, reader.renderer, reader.config),
        rows,
        metric="answer-nll",
        others=("perplexity", "bits-per-byte"),
        request=arms.plain,
        sink=lambda line: None,
    )
    loss = step.validate(datums).loss
    assert result.score == pytest.approx(loss, rel=1e-5)
    assert result.completion_tokens == sum(datum.trained for datum in datums)
    assert result.others["perplexity"] == pytest.approx(math.exp(loss), rel=1e-5)
    size = sum(len(line.wanted.encode()) for line in lines)
    assert result.others["bits-per-byte"] == pytest.approx(loss * result.completion_tokens / math.log(2) / size)
    assert result.ci[0] < result.score < result.ci[1]
    assert math.log(result.others_ci["perplexity"][0]) == pytest.approx(result.ci[0])
    assert all(line.given == "" and line.wanted for line in lines)


def test_a_long_text_is_read_in_windows_each_token_once(tiny: Path) -> None:
    whole = Example(kind="text", source=Source("a", 1), text="the tenant pays on day one, and so on. " * 8)
    (given,) = Reader(tiny)([whole])
    (cut,) = Reader(tiny, **{"data.max_length": 20})([whole])
    assert cut.ids == given.ids
    np.testing.assert_allclose(cut.logprobs[:19], given.logprobs[:19], atol=1e-4)
    assert not np.allclose(cut.logprobs[19:], given.logprobs[19:], atol=1e-4)
    assert len(Reader(tiny)([Example(kind="text", source=Source("a", 1), text=whole.text * 20)])[0].ids) > 512


def test_an_answer_that_no_longer_fits_counts_as_a_guess(tiny: Path) -> None:
    rows = [chat(0), chat(1, "word " * 600)]
    fits, over = Reader(tiny)(rows)
    assert (fits.finish_reason, over.finish_reason) == ("stop", "refused")
    assert set(over.logprobs) == {-math.log(4096)} and len(over.ids) > 600
    assert score(rows[1], over).value == pytest.approx(math.log(4096))


def test_rows_that_hold_no_token_to_predict_are_all_named(tiny: Path) -> None:
    rows = [text(0), *(Example(kind="text", source=Source("a.jsonl", line)) for line in (1, 2))]
    with pytest.raises(DataError, match=r"a\.jsonl:1: holds no token.*\n.*a\.jsonl:2"):
        Reader(tiny)(rows)


def test_a_turn_that_training_passes_over_is_still_scored(tiny: Path) -> None:
    row = Example(
        kind="chat", source=Source("a", 1), messages=(message("user", "hi"), message("assistant", "there", 0.0))
    )
    assert len(Reader(tiny)([row])[0].ids) > 1


# ------------------------------------------------------------------------------------------------------ whole runs

SETTINGS: dict[str, Any] = {"optim__epochs": 4, "optim__learning_rate": 3e-3, "eval__shots": 2}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path.name


def texts(path: Path, count: int, first: int = 0) -> str:
    return write(path, [{"text": text(number).text} for number in range(first, first + count)])


def answers(path: Path, count: int, first: int = 0) -> str:
    rows = range(first, first + count)
    return write(path, [{"prompt": f"ticket {n}", "completion": f"thank you, we look at {n % 5} today"} for n in rows])


def test_plain_text_comes_to_a_verdict(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    held = texts(tmp_path / "test.jsonl", 25, first=100)
    run = tailor.fit(texts(tmp_path / "clauses.jsonl", 60), test=held, model__name=str(tiny), **SETTINGS)
    summary = run.read("summary.json")
    assert [arm["name"] for arm in summary["arms"]] == ["zero-shot", "tuned"]
    assert run.config.eval.arms == ("zero-shot", "tuned")
    before, after = summary["arms"]
    assert before["metric"] == "answer-nll" and before["n"] == 25 and before["prompt_tokens"] == 0
    assert after["score"] < before["score"]
    assert after["others"]["perplexity"] == pytest.approx(math.exp(after["score"]))
    assert summary["difference"]["mean"] == pytest.approx(after["score"] - before["score"])
    assert summary["difference"]["ci"][1] < 0
    assert run.verdict.decision == "tune"
    assert "nats a token against" in run.verdict.sentence and "(lower is better)" in run.verdict.sentence
    assert "a gain of" in run.verdict.sentence
    assert any("few-shot: left out" in note for note in summary["notes"])
    page = run.report.read_text(encoding="utf-8")
    assert "Lower is better." in page and "Nothing was written" in page and ">wanted<" not in page

    again = worker.evaluate(run.path, [held])
    assert [arm.score for arm in again["arms"]] == [before["score"], after["score"]]


def test_few_texts_are_held_out_in_folds(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = texts(tmp_path / "clauses.jsonl", 30)
    run = tailor.fit(data, model__name=str(tiny), optim__epochs=1, eval__folds=2)
    lines = list(run.lines("scores/tuned.jsonl", Scored))
    assert sorted(line.source.line for line in lines) == list(range(1, 31))
    result = run.read_as("scores/tuned.json", ArmResult)
    nats = sum(line.score * line.completion_tokens for line in lines)
    assert result.score == pytest.approx(nats / result.completion_tokens)


def test_tool_calls_are_read(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]

    def row(number: int) -> dict[str, Any]:
        call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": f'{{"day": {number % 5}}}'}}
        asked = {"role": "user", "content": f"weather {number}"}
        return {"messages": [asked, {"role": "assistant", "content": "", "tool_calls": [call]}], "tools": tools}

    data = write(tmp_path / "rows.jsonl", [row(number) for number in range(40)])
    held = write(tmp_path / "test.jsonl", [row(number) for number in range(100, 112)])
    run = tailor.fit(data, test=held, model__name=str(tiny), **SETTINGS)
    tuned = run.read_as("scores/tuned.json", ArmResult)
    assert tuned.metric == "answer-nll" and tuned.others["bits-per-byte"] < 20
    assert any("tool calls and no text to compare" in note for note in run.read("summary.json")["notes"])
    assert worker.evaluate(run.path, [held], arms=["tuned"])["arms"][0].score == tuned.score
    with pytest.raises(DataError, match="no answer to score against"):
        worker.evaluate(run.path, [held], arms=["tuned"], metric="exact")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eval__metric": "rouge-l"}, "'rouge-l' scores answers, and plain text has none"),
        ({"eval__instructions": "Be kind."}, "no prompt that instructions could stand in"),
        ({"eval__arms": ["few-shot"]}, "no prompt that examples could stand before"),
    ],
)
def test_what_plain_text_cannot_have(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        tailor.fit(texts(tmp_path / "clauses.jsonl", 60), model__name=str(tiny), **settings)


def test_answers_are_read_instead_of_written(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tailor.worker.arms.LocalCompleter", None)  # nothing is generated
    data, held = answers(tmp_path / "rows.jsonl", 45), answers(tmp_path / "test.jsonl", 24, first=100)
    settings = {**SETTINGS, "model__name": str(tiny), "test": held}
    run = tailor.fit(data, eval__metric="answer-nll", **settings)
    summary = run.read("summary.json")
    arms = {arm["name"]: arm for arm in summary["arms"]}
    assert list(arms) == ["zero-shot", "few-shot", "tuned"]
    assert len({arm["completion_tokens"] for arm in arms.values()}) == 1
    assert arms["few-shot"]["prompt_tokens"] > arms["zero-shot"]["prompt_tokens"]
    on_validation = {name: run.read(f"scores/validation/{name}.json")["score"] for name in ("zero-shot", "few-shot")}
    assert summary["difference"]["against"] == min(on_validation, key=lambda name: on_validation[name])
    assert summary["train"]["judged_by"] == "loss"
    assert run.verdict.decision == "tune"

    worse = tailor.fit(data, eval__metric="answer-nll", **{**settings, "optim__learning_rate": 1e-6, "run__out": "b"})
    assert worse.verdict.decision != "tune" or worse.read("summary.json")["difference"]["mean"] > -0.1
    monkeypatch.setattr("sys.argv", ["tailor", "compare", str(run.path), "b"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out
    assert "minus b: -" in said and ": better (answer-nll: lower is better)" in said
    monkeypatch.setattr("sys.argv", ["tailor", "compare", str(run.path), "b", "--json"])
    with pytest.raises(SystemExit):
        main()
    document = json.loads(capsys.readouterr().out)
    assert (document["metric"], document["against"]) == ("answer-nll", "b") and document["ci"][1] < 0

    other = worker.evaluate(run.path, [held], arms=["zero-shot", "tuned"], metric="bits-per-byte")
    assert [arm.metric for arm in other["arms"]] == ["bits-per-byte"] * 2
    assert other["arms"][1].score == pytest.approx(arms["tuned"]["others"]["bits-per-byte"])
    assert other["difference"].ci[1] < 0
