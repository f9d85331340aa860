"""Arms on preference pairs: which of its two answers an arm holds likelier, from log-probs alone.

Every arm is scored alike, the base model too, which has no reference to be held against: the answer with the higher
log-prob a token after the arm's own prompt is the one it prefers (the ranking of SimPO, Meng et al. 2024; summed
log-probs would rank short answers first). `preference` is the share of pairs in which that is the chosen answer,
`margin` the chosen answer's log-prob a token less the rejected one's, in nats. The tuned arm also gets
`reward-accuracy`, what DPO papers report: the share in which the chosen answer's summed log-prob rose more over the
base model's than the rejected one's did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from tailor.errors import DataError, Problem
from tailor.evaluate.arms import Builder, belong, show, summarise
from tailor.metrics.base import MARGIN, REFUSED, REWARD_ACCURACY
from tailor.records import ArmResult, Example, Progress, Request, Scored, quiet

METRIC = "preference"
BLOCK = 64  # pairs ranked in one go: enough to share what their prompts have in common


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Log-prob of an answer, in nats over its `tokens`, and the length of its prompt; the base model's where asked."""

    logprob: float
    tokens: float
    prompt_tokens: int
    base: float | None = None

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.logprob / self.tokens


Ranks = Callable[[Sequence[tuple[Request, Example]]], Sequence[tuple[Likelihood, Likelihood] | None]]
"""(prompt, pair) -> (chosen, rejected) of each; None where they are longer than the model's context."""


def as_chat(example: Example) -> Example:
    """A pair as the conversation that ends in its chosen answer; other rows as they are."""
    if example.kind != "pair":
        return example
    turns = (*example.messages, *example.chosen)
    return msgspec.structs.replace(example, kind="chat", messages=turns, chosen=(), rejected=())


def measure(
    arm: str,
    rank: Ranks,
    examples: Sequence[Example],
    *,
    request: Builder,
    written: Mapping[int, Scored] = {},
    written_metric: str = "",
    sink: Callable[[Scored], None],
    done: Mapping[int, Scored] = {},
    progress: Progress = quiet,
) -> tuple[ArmResult, list[Scored]]:
    """Rank the answers of every pair and score the arm by `preference`; `sink` and `done` as for `arms.measure`.

    `written` are the lines of answers that the same arm wrote itself, scored by `written_metric`: their scores, tokens
    and seconds stand beside the ranking. Raises DataError for rows that are no pairs.
    """
    strange = [Problem(str(row.source), f"is of kind {row.kind!r}") for row in examples if row.kind != "pair"]
    if strange:
        raise DataError("only preference pairs can be ranked", problems=strange)
    belong(arm, examples, done)
    lines = dict(done)
    open_rows = [row for row in range(len(examples)) if row not in lines]
    for start in range(0, len(open_rows), BLOCK):
        rows = open_rows[start : start + BLOCK]
        progress(arm, len(lines), len(examples))
        began = time.perf_counter()
        found = rank([(request(examples[row]), examples[row]) for row in rows])
        seconds = (time.perf_counter() - began) / len(rows)
        for row, likelihoods in zip(rows, found):
            line = _scored(row, examples[row], likelihoods, seconds)
            lines[row] = _beside(line, written[row], written_metric) if row in written else line
            sink(lines[row])
    progress(arm, len(lines), len(examples))
    ordered = [lines[row] for row in range(len(examples))]
    return summarise(arm, METRIC, ordered), ordered


def _scored(row: int, example: Example, likelihoods: tuple[Likelihood, Likelihood] | None, seconds: float) -> Scored:
    """The line of one pair; `given` is the answer that the arm prefers."""
    answers = [turns[-1].text for turns in (example.chosen, example.rejected)]
    right, others = False, {MARGIN: 0.0}
    if likelihoods is not None:
        chosen, rejected = likelihoods
        right = chosen.mean > rejected.mean
        others[MARGIN] = chosen.mean - rejected.mean
        if chosen.base is not None and rejected.base is not None:
            others[REWARD_ACCURACY] = float(chosen.logprob - chosen.base > rejected.logprob - rejected.base)
        detail = f"nats a token: chosen {chosen.mean:.3f}, rejected {rejected.mean:.3f}"
    return Scored(
        row=row,
        source=example.source,
        prompt=show(example.prompt),
        wanted=answers[0],
        given="" if likelihoods is None else answers[0 if right else 1],
        score=float(right),
        detail=REFUSED if likelihoods is None else detail,
        group=example.group,
        finish_reason="refused" if likelihoods is None else "stop",
        prompt_tokens=0 if likelihoods is None else chosen.prompt_tokens,
        seconds=seconds,
        others=others,
    )


def _beside(line: Scored, written: Scored, metric: str) -> Scored:
    """The line of a ranking with what the arm's own answer to the row came to."""
    return msgspec.structs.replace(
        line,
        completion_tokens=written.completion_tokens,
        seconds=line.seconds + written.seconds,
        others={**line.others, metric: written.score, **written.others},
    )
