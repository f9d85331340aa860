"""Arms: what is asked, how it is scored, and that neither order nor a kill changes the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from tailor.completers.fake import FakeCompleter
from tailor.errors import ConfigError, DataError
from tailor.evaluate import arms, stats
from tailor.evaluate.arms import few_shot, plain, show, summarise, zero_shot
from tailor.metrics import macro_f1
from tailor.records import (
    ArmResult,
    Completer,
    Completion,
    Example,
    Media,
    Message,
    Reasoning,
    Request,
    Sampling,
    Scored,
    Source,
    ToolCall,
    ToolResult,
    message,
)

GREEDY = Sampling(max_tokens=8)


def row(number: int, *, system: str = "", group: str | None = None) -> Example:
    head = (message("system", system),) if system else ()
    turns = (message("user", f"question {number}"), message("assistant", f"answer {number % 4}"))
    return Example(kind="chat", source=Source("test.jsonl", number + 1), messages=head + turns, group=group)


ROWS = [row(number) for number in range(60)]


def measure(
    arm: str, completer: Completer, rows: Sequence[Example], *, sampling: Sampling, **rest: Any
) -> tuple[ArmResult, list[Scored]]:
    return arms.measure(arm, arms.written(completer, sampling), rows, **rest)


class Shuffled:
    """Finishes the requests of another completer in an order of its own."""

    def __init__(self, inner: FakeCompleter, seed: int) -> None:
        self.inner = inner
        self.seed = seed

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        finished = list(self.inner.complete(requests, sampling))
        for place in np.random.default_rng(self.seed).permutation(len(finished)):
            yield finished[place]

    def stream(self, request: Request, sampling: Sampling) -> Iterator[str]:
        return self.inner.stream(request, sampling)


# ------------------------------------------------------------------------------------------------------ what is asked


def texts(request: Request) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in request.messages]


def test_plain_is_the_rows_own_prompt() -> None:
    tools = ({"type": "function", "function": {"name": "look"}},)
    example = Example(kind="chat", source=Source("a", 1), messages=row(1, system="Be kind.").messages, tools=tools)
    assert plain(example) == Request(messages=example.messages[:-1], tools=tools)


def test_instructions_stand_below_the_rows_own_system_text() -> None:
    ask = zero_shot("Answer in one word.")
    assert texts(ask(row(1))) == [("system", "Answer in one word."), ("user", "question 1")]
    assert texts(ask(row(1, system="Be kind."))) == [
        ("system", "Be kind.\n\nAnswer in one word."),
        ("user", "question 1"),
    ]
    assert zero_shot("")(row(1)) == plain(row(1))


def test_shots_are_turns_between_system_and_question() -> None:
    ask = few_shot([row(7, system="of the shot"), row(9)], "Rules.")
    assert texts(ask(row(1, system="Be kind."))) == [
        ("system", "Be kind.\n\nRules."),
        ("user", "question 7"),
        ("assistant", "answer 3"),
        ("user", "question 9"),
        ("assistant", "answer 1"),
        ("user", "question 1"),
    ]


def test_rows_that_wait_for_an_answer_are_asked_whole() -> None:
    example = Example(kind="prompt", source=Source("a", 1), messages=(message("user", "and now?"),))
    assert texts(plain(example)) == [("user", "and now?")]


# --------------------------------------------------------------------------------------------------------- measuring


def test_yes_no_metric_with_wilsons_interval_and_totals() -> None:
    sink: list[Scored] = []
    completer = FakeCompleter.knowing(ROWS, right=45, wrong="no idea at all")
    result, lines = measure(
        "tuned", completer, ROWS, metric="exact", request=plain, sampling=GREEDY, sink=sink.append, others=("macro-f1",)
    )
    assert result.score == 0.75 and result.n == 60 and result.name == "tuned" and result.metric == "exact"
    assert result.ci == stats.wilson(45, 60)
    assert (result.prompt_tokens, result.completion_tokens) == (2 * 60, 2 * 45 + 4 * 15)
    assert lines == sink and [line.row for line in lines] == list(range(60))
    first = lines[0]
    assert (first.prompt, first.wanted, first.source) == ("question 0", "answer 0", Source("test.jsonl", 1))
    assert first.given == ("answer 0" if first.score else "no idea at all")
    wrong = next(line for line in lines if line.score == 0)
    assert "wanted" in wrong.detail and set(wrong.others) == {"macro-f1"}
    assert result.others["macro-f1"] == macro_f1.aggregate([(line.wanted, line.given) for line in lines])


@pytest.mark.parametrize("metric", ["exact", "rouge-l", "macro-f1"])
def test_order_of_finishing_changes_nothing(metric: str) -> None:
    results = []
    for seed in (1, 2):
        completer = Shuffled(FakeCompleter.knowing(ROWS, right=40, wrong="answer"), seed)
        results.append(
            measure("x", completer, ROWS, metric=metric, request=plain, sampling=GREEDY, sink=lambda line: None)
        )
    assert results[0] == results[1]
    result, lines = results[0]
    assert summarise("x", metric, lines[::-1]) == result
    assert result.ci[0] < result.score < result.ci[1]


def test_a_killed_evaluation_goes_on_where_it_was() -> None:
    whole, _ = measure(
        "x",
        FakeCompleter.knowing(ROWS, right=40),
        ROWS,
        metric="exact",
        request=plain,
        sampling=GREEDY,
        sink=lambda line: None,
    )
    saved: list[Scored] = []

    def dies(line: Scored) -> None:
        if len(saved) == 25:
            raise KeyboardInterrupt
        saved.append(line)

    completer = FakeCompleter.knowing(ROWS, right=40)
    with pytest.raises(KeyboardInterrupt):
        measure("x", Shuffled(completer, 3), ROWS, metric="exact", request=plain, sampling=GREEDY, sink=dies)
    completer.calls.clear()
    ticks: list[tuple[str, int, int]] = []
    result, _ = measure(
        "x",
        completer,
        ROWS,
        metric="exact",
        request=plain,
        sampling=GREEDY,
        sink=saved.append,
        done={line.row: line for line in saved},
        progress=lambda what, done, total: ticks.append((what, done, total)),
    )
    assert result == whole
    assert len(completer.calls) == 35 and len(saved) == 60
    assert ticks[0] == ("x", 25, 60) and ticks[-1] == ("x", 60, 60)
    again, _ = measure(
        "x",
        FakeCompleter({}),
        ROWS,
        metric="exact",
        request=plain,
        sampling=GREEDY,
        sink=saved.append,
        done={line.row: line for line in saved},
    )
    assert again == whole and len(saved) == 60


def test_scores_of_other_rows_are_refused() -> None:
    _, lines = measure(
        "x",
        FakeCompleter.knowing(ROWS, right=4),
        ROWS,
        metric="exact",
        request=plain,
        sampling=GREEDY,
        sink=lambda line: None,
    )
    done = {line.row: line for line in lines}
    with pytest.raises(DataError, match=r"scores that tuned already has belong to other rows(.|\n)*and 10 more"):
        measure(
            "tuned",
            FakeCompleter({}),
            ROWS[30:],
            metric="exact",
            request=plain,
            sampling=GREEDY,
            sink=lambda line: None,
            done={row: line for row, line in done.items() if row < 30},
        )
    with pytest.raises(DataError, match="row 59"):
        measure(
            "tuned",
            FakeCompleter({}),
            ROWS[:59],
            metric="exact",
            request=plain,
            sampling=GREEDY,
            sink=lambda line: None,
            done=done,
        )


def test_samples_of_a_row_are_averaged() -> None:
    class Alternating(FakeCompleter):
        def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
            for index in range(len(requests)):
                yield (
                    index,
                    [
                        Completion(text=f"answer {index % 4}", ids=(1, 2), prompt_tokens=5, seconds=0.5),
                        Completion(text="wrong", ids=(3,), prompt_tokens=5, seconds=0.25),
                    ],
                )

    result, lines = measure(
        "x",
        Alternating({}),
        ROWS,
        metric="exact",
        request=plain,
        sampling=Sampling(n=2, temperature=1.0),
        sink=lambda line: None,
    )
    assert {line.score for line in lines} == {0.5} and result.score == 0.5
    assert lines[1].given == "answer 1"
    assert (result.prompt_tokens, result.completion_tokens, result.seconds) == (300, 180, 45.0)


def test_answers_that_are_read_count_by_their_tokens() -> None:
    sizes = [1 + number % 5 for number in range(60)]

    def read(asked: Sequence[tuple[Request, Example]]) -> Iterator[tuple[int, list[Completion]]]:
        for index, (_, example) in enumerate(asked):
            logprobs = (-index / 10,) * sizes[index]
            yield index, [Completion(text=example.answer, ids=tuple(range(sizes[index])), logprobs=logprobs)]

    result, lines = arms.measure(
        "x", read, ROWS, metric="answer-nll", request=plain, sink=lambda line: None, others=("perplexity",)
    )
    nats = np.average(np.arange(60) / 10, weights=sizes)
    assert (result.score, result.others["perplexity"]) == pytest.approx((nats, np.exp(nats)))
    assert {line.given for line in lines} == {""}  # nothing was written


def test_groups_reach_the_lines_and_the_interval() -> None:
    rows = [row(number, group=str(number // 6)) for number in range(60)]
    table = {f"question {n}": f"answer {n % 4}" if n < 45 else "no" for n in range(60)}
    result, lines = measure(
        "x", FakeCompleter(table), rows, metric="exact", request=plain, sampling=GREEDY, sink=lambda line: None
    )
    assert lines[59].group == "9"
    assert result.ci[1] - result.ci[0] > 1.8 * np.diff(stats.wilson(45, 60))[0]


def test_nothing_to_measure_and_unknown_metrics_are_errors() -> None:
    with pytest.raises(DataError, match="no held-out rows"):
        measure("x", FakeCompleter({}), [], metric="exact", request=plain, sampling=GREEDY, sink=lambda line: None)
    with pytest.raises(ConfigError, match="exact"):
        measure("x", FakeCompleter({}), ROWS, metric="exakt", request=plain, sampling=GREEDY, sink=lambda line: None)


def test_prompts_as_a_person_reads_them() -> None:
    assert show(row(3, system="hidden").prompt) == "question 3"
    talk = (
        message("user", "Weather?"),
        Message("assistant", (Reasoning("think"), ToolCall("look", {"city": "Oslo"}))),
        Message("tool", (ToolResult("rain"),)),
        Message("user", (Media("image", "map.png"),)),
    )
    assert show(talk) == (
        'user: Weather?\n\nassistant: think\nlook({"city":"Oslo"})\n\ntool: rain\n\nuser: [image map.png]'
    )
