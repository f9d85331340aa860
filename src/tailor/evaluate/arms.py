"""Arms: ways to do the task. Each builds the request for a row; `measure` runs one over held-out rows and scores it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tailor import plugins
from tailor.errors import DataError, Problem
from tailor.evaluate.scale import Scale, scale
from tailor.evaluate.stats import Interval, corpus_bootstrap, score_interval
from tailor.records import (
    ArmResult,
    Completer,
    Completion,
    Example,
    Message,
    Part,
    Progress,
    Reasoning,
    Request,
    Sampling,
    Scored,
    Text,
    ToolCall,
    ToolResult,
    message,
    quiet,
)

Builder = Callable[[Example], Request]
Answers = Callable[[Sequence[tuple[Request, Example]]], Iterator[tuple[int, list[Completion]]]]
"""(request, row) of each -> (index, completions) as they finish: written by a completer, or read."""


# ------------------------------------------------------------------------------------------------------- requests


def plain(example: Example) -> Request:
    """The row's own prompt as it stands, for the tuned arm."""
    return Request(messages=example.prompt, tools=example.tools)


def zero_shot(instructions: str = "") -> Builder:
    """The row's own prompt with `instructions` in its system turn, below the row's own system text."""
    return few_shot((), instructions)


def few_shot(shots: Sequence[Example], instructions: str = "") -> Builder:
    """As `zero_shot`, with fixed examples before the row's prompt as turns of the conversation.

    A shot gives its turns from the first user turn on: the system turn is the row's own.
    """
    turns = tuple(turn for shot in shots for turn in shot.messages if turn.role != "system")

    def request(example: Example) -> Request:
        own = example.prompt
        system, rest = (own[:1], own[1:]) if own and own[0].role == "system" else ((), own)
        text = "\n\n".join(part for part in (*(turn.text for turn in system), instructions) if part)
        head = (message("system", text),) if text else ()
        return Request(messages=head + turns + rest, tools=example.tools)

    return request


# ------------------------------------------------------------------------------------------------------- measuring


def written(completer: Completer, sampling: Sampling) -> Answers:
    """Answers that a completer writes.

    With `sampling.n` above 1 a row's score is the mean over its samples and `given`, which corpus metrics take, the
    first of them.
    """
    return lambda rows: completer.complete([asked for asked, _ in rows], sampling)


def measure(
    arm: str,
    answers: Answers,
    examples: Sequence[Example],
    *,
    metric: str,
    request: Builder,
    others: Sequence[str] = (),
    sink: Callable[[Scored], None],
    done: Mapping[int, Scored] = {},
    progress: Progress = quiet,
) -> tuple[ArmResult, list[Scored]]:
    """Run an arm over `examples` and score what `answers` gives for them by `metric` and the metrics `others`.

    Each row's line goes to `sink` as it finishes, so that a killed evaluation goes on: rows in `done` (row -> line) are
    taken from there and neither asked for nor given to `sink` again. The result does not depend on the order of
    finishing. Raises DataError where `done` holds lines of other rows, ConfigError where there is no such metric.
    """
    belong(arm, examples, done)
    scorers = {name: plugins.load("metrics", name) for name in dict.fromkeys((metric, *others))}
    writes = scale(metric).asks == "write"
    lines = dict(done)
    open_rows = [row for row in range(len(examples)) if row not in lines]
    progress(arm, len(lines), len(examples))
    asked = [(request(examples[row]), examples[row]) for row in open_rows]
    for index, completions in answers(asked) if asked else ():
        row = open_rows[index]
        line = _scored(row, examples[row], completions, scorers, metric)
        lines[row] = line if writes else msgspec.structs.replace(line, given="")  # it only read what was wanted
        sink(lines[row])
        progress(arm, len(lines), len(examples))
    ordered = [lines[row] for row in range(len(examples))]
    return summarise(arm, metric, ordered), ordered


def summarise(arm: str, metric: str, lines: Sequence[Scored]) -> ArmResult:
    """The result of an arm from its lines, whatever their order: score, 95% interval, and tokens and seconds in all."""
    if not lines:
        raise DataError(f"there are no held-out rows to measure {arm} on")
    lines = sorted(lines, key=lambda line: line.row)
    how = scale(metric)
    score, interval = _score(how, lines)
    names = dict.fromkeys(name for line in lines for name in line.others)
    others = {name: _other(scale(name), lines) for name in names}
    return ArmResult(
        name=arm,
        metric=metric,
        n=len(lines),
        score=score,
        ci=interval,
        prompt_tokens=sum(line.prompt_tokens for line in lines),
        completion_tokens=sum(line.completion_tokens for line in lines),
        seconds=sum(line.seconds for line in lines),
        others={name: value for name, (value, _) in others.items()},
        others_ci={name: interval for name, (_, interval) in others.items() if interval is not None},
    )


def _score(how: Scale, lines: Sequence[Scored]) -> tuple[float, Interval]:
    if how.aggregate is None:
        return _mean(how, lines, np.array([line.score for line in lines]))
    statistic = how.statistic(lines)
    assert statistic is not None
    interval, _ = corpus_bootstrap(statistic, len(lines), [line.group for line in lines], paired=False)
    return statistic(np.arange(len(lines))), interval


def _other(how: Scale, lines: Sequence[Scored]) -> tuple[float, Interval | None]:
    """(score, interval) of a metric shown beside; a corpus metric would have to be drawn again and goes without."""
    if how.aggregate is not None:
        return how.aggregate([(line.wanted, line.given) for line in lines]), None
    return _mean(how, lines, np.array([line.others.get(how.metric, 0.0) for line in lines]))


def _mean(how: Scale, lines: Sequence[Scored], values: NDArray[np.float64]) -> tuple[float, Interval]:
    """(mean, interval); a geometric mean by way of the logarithms."""
    weights, groups = how.weights(lines), [line.group for line in lines]
    if how.kind == "geometric":
        values = np.log(values)
    mean, (low, high) = float(np.average(values, weights=weights)), score_interval(values, groups, weights)
    if how.kind == "geometric":
        return float(np.exp(mean)), (float(np.exp(low)), float(np.exp(high)))
    return mean, (low, high)


def _scored(
    row: int, example: Example, completions: Sequence[Completion], scorers: Mapping[str, ModuleType | Any], metric: str
) -> Scored:
    scores = {name: [scorer.score(example, each) for each in completions] for name, scorer in scorers.items()}
    means = {name: float(np.mean([score.value for score in each])) for name, each in scores.items()}
    weights = {name: each[0].weight for name, each in scores.items()}
    first = completions[0]
    return Scored(
        row=row,
        source=example.source,
        prompt=show(example.prompt),
        wanted=wanted(example),
        given=first.text,
        score=means[metric],
        detail=scores[metric][0].detail,
        group=example.group,
        finish_reason=first.finish_reason,
        prompt_tokens=first.prompt_tokens,
        completion_tokens=sum(len(each.ids) for each in completions),
        seconds=sum(each.seconds for each in completions),
        others={name: mean for name, mean in means.items() if name != metric},
        weights={name: weight for name, weight in weights.items() if weight != 1},
    )


def wanted(example: Example) -> str:
    """What an arm should say: the answer, or all of a plain text."""
    return example.text if example.kind == "text" else example.answer


def show(messages: Sequence[Message]) -> str:
    """Turns as a person reads them: one user turn as its text, several with their roles; a system turn is left out.

    The system turn is the same on every row as a rule, and stands in the settings of the run.
    """
    turns = [(turn.role, "\n".join(_part_text(turn.parts))) for turn in messages if turn.role != "system"]
    if len(turns) == 1:
        return turns[0][1]
    return "\n\n".join(f"{role}: {text}" for role, text in turns)


def _part_text(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Text | Reasoning):
            yield part.text
        elif isinstance(part, ToolCall):
            yield f"{part.name}({msgspec.json.encode(part.arguments).decode()})"
        elif isinstance(part, ToolResult):
            yield part.content
        else:
            yield f"[{part.kind} {part.source}]"


def belong(arm: str, examples: Sequence[Example], done: Mapping[int, Scored]) -> None:
    """Raises DataError unless every line of `done` is of the row whose number it bears."""
    problems = [
        Problem(str(line.source), f"is the score of row {row} of other data")
        for row, line in sorted(done.items())
        if row >= len(examples) or (line.source, line.wanted) != (examples[row].source, wanted(examples[row]))
    ]
    if problems:
        raise DataError(
            f"the scores that {arm} already has belong to other rows",
            problems=problems,
            fix=f"remove scores/{arm}.jsonl from the run folder to measure this arm again",
        )
