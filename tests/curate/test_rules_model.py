"""Rules that need a model: its template and tokenizer, its probabilities, or what a training run left behind."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tailor import formats, render
from tailor.cli._model import model as at_hand
from tailor.config import CheckConfig, resolve
from tailor.curate.check import Report, check
from tailor.curate.dynamics import Dynamics
from tailor.curate.model import Model, Scores
from tailor.curate.rules.learned_late import lateness
from tailor.errors import RunError
from tailor.records import Example, Source
from tailor.run import Run
from tailor.testing.rules import RuleContract, chat, pair, write

TURNS = "{{ '<|bos|>' }}{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
OPEN = "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
ONE_SYSTEM = TURNS.replace(
    "{% for m in messages %}", "{% for m in messages if m.role != 'system' or m == messages[0] %}"
)
TWO_STARTS = TURNS.replace("{{ '<|bos|>' }}", "{{ '<|bos|><|bos|>' }}")
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TURNS
Handed = Callable[..., Model]


@pytest.fixture
def with_template(tiny: Path, tmp_path: Path) -> Handed:
    """Hands in the tiny model with another template; settings by their dotted names."""

    def make(template: str = TURNS, **settings: Any) -> Model:
        folder = tmp_path / f"model-{len(list(tmp_path.glob('model-*')))}"
        shutil.copytree(tiny, folder)
        (folder / "chat_template.jinja").write_text(template + OPEN)
        values = {key.replace("__", "."): value for key, value in settings.items()}
        return at_hand(resolve(None, {"model.name": str(folder), **values}), lambda note: None)

    return make


def found(rows: Sequence[Any], model: Model | None, *codes: str, **given: Any) -> Report:
    examples = rows if rows and isinstance(rows[0], Example) else list(formats.stream([str(rows[0])]))
    return check(examples, settings=CheckConfig(select=codes, **given), model=model)


class Rendered(RuleContract):
    """A rule that needs a tokenizer, with the tiny model's and a template."""

    template = TURNS
    model_settings: dict[str, Any] = {}

    @pytest.fixture(autouse=True)
    def _hand_in(self, with_template: Handed) -> None:
        self.model = with_template(self.template, **self.model_settings)

    def at_hand(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"model": self.model}


def asked(question: str, answer: str, *before: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A chat row of one question."""
    return chat(*before, ("user", question), ("assistant", answer), **more)


SYSTEM = asked("What is it?", " a clock ", ("system", "Be brief."))
TOOL = {"type": "function", "function": {"name": "clock_time", "parameters": {"type": "object"}}}


class TestTemplateDropsRole(Rendered):
    name = "template-drops-role"
    template = ONE_SYSTEM
    fires = {
        "a system turn later on": (
            [
                SYSTEM,
                chat(("user", "a"), ("assistant", "b"), ("system", "in French"), ("user", "c"), ("assistant", "d")),
            ],
            {2},
        ),
        "tools that nobody sees": ([asked("How late is it?", "nine", tools=[TOOL])], {1}),
    }
    silent = {
        "turns that the template trims or joins": [SYSTEM, asked("two\nlines ", "an answer\n\nof é𝄞 \t two")],
        "the template's own marks, written out": [asked("what is <|end|>", "<|end|> ends a turn")],
        "rows without an answer": [{"messages": [{"role": "user", "content": "a"}]}],
        "answers in the history of a pair": [
            {"input": {"messages": SYSTEM["messages"] + [{"role": "user", "content": "Sure?"}]}}
            | {"preferred_output": [{"role": "assistant", "content": "Yes."}]}
            | {"non_preferred_output": [{"role": "assistant", "content": "No."}]}
        ],
    }


class TestDoubledSpecialTokens(Rendered):
    name = "doubled-special-tokens"
    fires = {"a token of this model's own": ([pair("a", "b"), pair("what ends a turn", "<|end|> does")], {2})}
    silent = {"tokens of other models": [pair("a </s> b", "<|im_end|>")], "its letters": [pair("|end|", "< |end| >")]}


class TestOverLength(Rendered):
    name = "over-length"
    model_settings = {"data__max_length": 40}
    fires = {"the longest first": ([pair("a", "b"), pair("a", "word " * 50), pair("a", "word " * 70)], {3})}
    silent = {"rows that fit": [pair("a", "word " * 20)]}


def test_a_row_that_the_template_refuses_or_the_tokenizer_garbles(with_template: Handed, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [asked("a", "b"), SYSTEM])
    (finding,) = found([file], with_template(NO_SYSTEM), "M201").findings
    assert finding.message == "the model's chat template refuses this row: no system role"
    assert finding.rows == (Source(file, 2),)

    model = with_template("{{ '<|bos|>' }}" + TURNS.partition("}}")[2])
    letters = Tokenizer(models.BPE(unk_token="<unk>"))
    letters.pre_tokenizer, letters.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    special = ["<unk>", "<|bos|>", "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>"]
    letters.train_from_iterator(["abc defg hijkl mnopqrst uvwxyz ."], trainers.BpeTrainer(special_tokens=special))
    folder = Path(model.read.__self__.folder)  # type: ignore[attr-defined]
    letters.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>", "bos_token": "<|bos|>"}))
    model = at_hand(resolve(None, {"model.name": str(folder), "model.thinking": True}), lambda note: None)
    file = write(tmp_path / "rows.jsonl", [pair("a b", "plain letters"), pair("a b", "naïve"), pair("né", "no")])
    assert [(finding.rows[0].line, finding.message) for finding in found([file], model, "M201").findings] == [
        (2, "the tokenizer loses ï of the answer"),
        (3, "the tokenizer loses é of a user turn"),
    ]


def test_a_template_that_begins_twice(with_template: Handed, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [pair("a", "b")])
    (finding,) = found([file], with_template(TWO_STARTS), "M202").findings
    assert finding.severity == "block"
    assert finding.message == "<|bos|> stands twice in a row once the template is applied"


def test_over_length_says_what_is_lost_until_something_is_chosen(with_template: Handed, tmp_path: Path) -> None:
    rows = [pair("a", "b"), pair("a", "word " * 50), pair("so " * 60, "yes")]
    file = write(tmp_path / "rows.jsonl", rows)
    model = with_template(data__max_length=40)
    (finding,) = found([file], model, "M301").findings
    renderer = render.load(Path(model.name))
    datums = [renderer.datums(example, 0)[0] for example in formats.stream([file])]
    long = [datum for datum in datums if len(datum) > 40]
    lost = sum(int((datum.weights[40:] > 0).sum()) for datum in long)
    assert (len(long), finding.severity) == (2, "block")
    assert f"2 rows are longer than the 40 tokens that {model.name} reads" in finding.message
    assert f"cutting loses {lost:,} of their {sum(datum.trained for datum in long):,} answer tokens" in finding.message
    for policy, words in (("drop", "they are dropped"), ("split", "split"), ("cut-prompt", "their oldest context")):
        chosen = with_template(data__max_length=40, data__over_length=policy)
        (finding,) = found([file], chosen, "M301").findings
        assert finding.severity == "inform"
        assert words in finding.message
    system = with_template(data__max_length=90, data__system="word " * 60)
    assert found([file], system, "M301").findings[0].rows[0].line == 3, "the system prompt of the settings counts"


# ------------------------------------------------------------------------------------------------ probabilities


def scored(answer: str, nll: float, alone: float = 9.0, least: float = -9.0, prompt: str = "") -> dict[str, Any]:
    """A row that tells the fake model below what to say of it."""
    return pair(f"{prompt} {nll} {alone} {least}", answer)


def _fake_scores(examples: Sequence[Example], progress: object) -> Scores:
    said = [re.findall(r"-?\d+\.\d+(?=\s|$)", example.messages[0].text)[-3:] for example in examples]
    table = np.array([list(map(float, row)) if len(row) == 3 else [np.nan] * 3 for row in said]).reshape(-1, 3)
    return Scores(table[:, 0], table[:, 1], table[:, 2], np.ones(len(table)))


class Scored(RuleContract):
    """A rule that needs probabilities, with a model that says what the rows tell it to."""

    def at_hand(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"model": Model("fake", 100, "refuse", lambda examples: [None] * len(examples), _fake_scores)}


def usual(count: int, level: float = 2.0) -> list[dict[str, Any]]:
    """Rows whose answers cost about the same."""
    return [scored(f"answer {n}", level + n % 7 / 10, level + 2, prompt=f"question {n}") for n in range(count)]


class TestAlreadyKnown(Scored):
    name = "already-known"
    fires = {"sure of every token": ([*usual(4), scored("b", 0.1, least=-0.6), scored("c", 0.0, least=-0.01)], {5})}
    silent = {"one token short of a half": [scored("b", 0.1, least=-0.7)], "unable to say": [pair("a", "b")]}


class TestSurprising(Scored):
    name = "surprising"
    fires = {
        "far above the rest": ([*usual(60), scored("garbage", 7.5)], {61}),
        "the worst 2% alone": ([*usual(60), *(scored(f"x{n}", 8.0 + n) for n in range(5))], {65}),
        "far above rows of the same label": (
            [scored("cheap" if n % 2 else "dear", 1 + n % 5 / 10 + 6 * (n % 2 == 0), prompt=str(n)) for n in range(60)]
            + [scored("cheap", 6.5)],
            {61},
        ),
    }
    silent = {
        "labels that cost what they cost": [
            scored("cheap" if n % 3 else "dear", 1 + n % 5 / 10 + 6 * (n % 3 == 0), prompt=str(n)) for n in range(90)
        ],
        "a model that knows all": [scored(f"a{n}", 0.001 * (n % 9), prompt=str(n)) for n in range(60)]
        + [scored("b", 0.9)],
        "too few to tell": [*usual(20), scored("garbage", 7.5)],
    }


class TestMismatchedPair(Scored):
    name = "mismatched-pair"
    fires = {
        "an answer that its prompt makes dearer": ([*usual(40), scored("elsewhere", 9.5, 6.0)], {41}),
        "said once where most are so": ([scored(f"a{n}", 5 + n % 7 / 10, 4.0, prompt=str(n)) for n in range(30)], {1}),
    }
    silent = {
        "a model that knows little": [scored(f"a{n}", 4 + n % 12 / 10, 4.9, prompt=str(n)) for n in range(60)],
        "too few to tell": [*usual(10), scored("elsewhere", 9.5, 6.0)],
    }


def test_a_sample_is_judged_where_there_are_many_rows_and_said(tmp_path: Path) -> None:
    rows = [scored(f"a{n}", 0.0, least=-0.01, prompt=f"question {n}") for n in range(60)]
    model = Scored().at_hand([])["model"]

    def judged(rows: list[dict[str, Any]], most: int) -> tuple[set[str], Report]:
        file = write(tmp_path / "rows.jsonl", rows)
        report = found([file], model, "M302", model_rows=most)
        lines = {row.line for finding in report.findings for row in finding.rows}
        return {rows[line - 1]["completion"] for line in lines}, report

    some, report = judged(rows, 20)
    assert len(some) == 20
    assert report.notes == ["M302 judged 20 of 60 rows, chosen by their content (check.model_rows)"]
    assert judged(rows[::-1], 20)[0] == some
    assert len(judged([*rows, scored("new", 0.0, least=-0.01)], 20)[0] & some) >= 19
    assert judged(rows, 60)[1].notes == []


def passages(count: int) -> list[Example]:
    file = Path(render.__file__).parents[1] / "examples" / "passages" / "train.jsonl"
    return [row for row in formats.stream([str(file)]) if isinstance(row, Example)][:count]


def permuted(rows: list[Example], every: int) -> tuple[list[Example], np.ndarray]:
    """Each `every`th row with the answer of the next of them that has another one; which rows that are."""
    from msgspec.structs import replace

    wrong = np.zeros(len(rows), bool)
    wrong[::every] = True
    picked = np.flatnonzero(wrong)
    made = list(rows)
    for at in picked.tolist():
        prompt = rows[at].messages[0].text
        other = next(row.messages[-1] for row in [*rows[at + 1 :], *rows] if row.messages[-1].text not in prompt)
        made[at] = replace(rows[at], messages=(*rows[at].messages[:-1], other))
    return made, wrong


@pytest.fixture(scope="module")
def thimble() -> Model:
    return at_hand(resolve(None, {"model.name": "thimble", "model.dtype": "fp32", "run.threads": 1}), lambda note: None)


def test_scores_are_those_of_plain_transformers(thimble: Model) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from tailor.weights.locate import EMBEDDED

    rows = passages(6)
    scores = thimble.score(rows, lambda *_: None)
    model = AutoModelForCausalLM.from_pretrained(EMBEDDED / "thimble", dtype=torch.float32)
    tokenizer = render.load(EMBEDDED / "thimble").tokenizer

    def plain(question: str, answer: str) -> Any:
        head = tokenizer.encode(f"<|bos|><|user|>{question}<|end|><|assistant|>")
        tail = tokenizer.encode(f"{answer}<|end|>")
        with torch.no_grad():
            logprobs = model(torch.tensor([head + tail])).logits[0].log_softmax(-1)
        return logprobs[torch.arange(len(head) - 1, len(head) + len(tail) - 1), tail]

    for at, row in enumerate(rows):
        with_prompt = plain(row.messages[0].text, row.messages[1].text)
        assert scores.nll[at] == pytest.approx(-with_prompt.mean().item(), abs=1e-4)
        assert scores.least[at] == pytest.approx(with_prompt.min().item(), abs=1e-4)
        assert scores.alone[at] == pytest.approx(-plain("", row.messages[1].text).mean().item(), abs=1e-4)
        assert scores.tokens[at] == len(with_prompt)


def test_permuted_answers_are_found_on_a_model_that_knows_the_task(thimble: Model) -> None:
    rows, wrong = permuted(passages(60), 10)
    scores = thimble.score(rows, lambda *_: None)
    ifd = scores.nll / scores.alone
    assert ifd[~wrong].max() < 0.5 < 1 < np.median(ifd[wrong])
    assert mannwhitneyu(ifd[wrong], ifd[~wrong]).statistic == wrong.sum() * (~wrong).sum(), "AUROC 1"
    lines = {row.source.line: flag for row, flag in zip(rows, wrong)}
    findings = found(rows, thimble, "M304").findings
    hit = [lines[finding.rows[0].line] for finding in findings]
    assert all(hit)
    assert len(hit) >= wrong.sum() - 1
    assert not found(passages(60), thimble, "M304", "M303").findings
    (shifted,) = found(permuted(passages(60), 1)[0], thimble, "M304").findings
    assert shifted.severity == "inform"


def test_what_is_known_is_what_greedy_decoding_writes(thimble: Model) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from tailor.weights.locate import EMBEDDED

    rows, _ = permuted(passages(12), 4)
    (finding,) = found(rows, thimble, "M302").findings
    known = {row.line for row in finding.rows}
    assert finding.message == f"thimble already gives {len(known)} of 12 answers to the letter ({len(known) / 12:.1%})"
    model = AutoModelForCausalLM.from_pretrained(EMBEDDED / "thimble", dtype=torch.float32)
    tokenizer = render.load(EMBEDDED / "thimble").tokenizer
    for row in rows:
        head = tokenizer.encode(f"<|bos|><|user|>{row.messages[0].text}<|end|><|assistant|>")
        out = model.generate(torch.tensor([head]), max_new_tokens=24, do_sample=False, pad_token_id=0)[0, len(head) :]
        written = tokenizer.decode(out.tolist()).partition("<|end|>")[0]
        assert (row.source.line in known) == (written == row.messages[1].text)


# ---------------------------------------------------------------------------------------------------- after a run


class TestLearnedLate(RuleContract):
    name = "learned-late"
    fires = {
        "learned when all else was": ([pair(f"q{n}", f"a{n}") for n in range(40)] + [pair("late", "b")], {41}),
        "late for its label": (
            [pair(f"q{n} {'slow' if n % 2 else ''}", "hard" if n % 2 else "easy") for n in range(60)]
            + [pair("slow", "easy")],
            {61},
        ),
    }
    silent = {
        "a label that is harder than another": [
            pair(f"q{n} {'slow' if n % 2 else ''}", "hard" if n % 2 else "easy") for n in range(60)
        ],
        "a row that was dear once, when it came first": [pair(f"q{n}", f"a{n}") for n in range(40)]
        + [pair("first", "b")],
        "late by a little, where all is sure": [pair(f"sure {n}", f"a{n}") for n in range(40)]
        + [pair("surely late", "b")],
        "too few to tell": [pair(f"q{n}", f"a{n}") for n in range(10)] + [pair("late", "b")],
    }

    def at_hand(self, rows: Sequence[Any]) -> dict[str, Any]:
        """A run of four epochs, as the prompts tell it."""
        curves = []
        for number, row in enumerate(rows):
            prompt = row["prompt"] if isinstance(row, dict) else ""
            level = 0.1 * (number % 5)
            curve = [3 + level, 0.4 + level, 0.2 + 0.1 * level, 0.1 + 0.1 * level]
            for word, other in (
                ("slow", [3 + level, 1.6 + level, 0.9, 0.6]),
                ("sure", [3 + level, 0.02 + 0.01 * level, 0.01, 0.01]),
                ("first", [9.0, 0.4, 0.2, 0.1]),
                ("surely", [3.0, 0.2, 0.1, 0.1]),
                ("late", [3.0, 2.9, 2.5, 1.9]),
            ):
                curve = other if word in prompt.split() and prompt != "surely late" else curve
            curves.append([3.0, 0.2, 0.1, 0.1] if prompt == "surely late" else curve)
        loss = np.array(curves, np.float32).reshape(-1, 4)
        return {"dynamics": Dynamics(loss, -loss)}


def lines_of(path: Path, visits: Iterator[tuple[list[int], list[float]]] | list[tuple[list[int], list[float]]]) -> Run:
    run = Run(path)
    for step, (rows, loss) in enumerate(visits, 1):
        run.append("row_losses.jsonl", {"step": step, "rows": rows, "loss": loss, "least": [-2 * x for x in loss]})
    return run


def test_losses_of_a_run_by_row_and_visit(tmp_path: Path) -> None:
    run = lines_of(tmp_path / "a", [([2, 0], [1.0, 2.0]), ([1, 2], [3.0, 4.0]), ([0], [5.0])])
    found = Dynamics.read(run, 4)
    nan = np.nan
    np.testing.assert_array_equal(found.loss, np.array([[2, 5], [3, nan], [1, 4], [nan, nan]], np.float32))
    np.testing.assert_array_equal(found.least, -2 * found.loss)
    with pytest.raises(RunError, match="does not fit the run's 2 rows"):
        Dynamics.read(run, 2)
    with pytest.raises(RunError, match="recorded no losses"):
        Dynamics.read(Run(tmp_path / "b"), 2)
    assert lateness(Dynamics.read(lines_of(tmp_path / "c", [([0, 1], [1.0, 2.0])]), 2), np.zeros(2)) is None
