"""What a run folder says, read once. A part that is missing or damaged becomes a sentence, not an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import Struct

from tailor.config import RunConfig
from tailor.errors import RunError
from tailor.records import ArmResult, Difference, Ledger, Scored, Verdict
from tailor.report.units import Units, units
from tailor.run import Run

T = TypeVar("T")


class Training(Struct, frozen=True):
    """What training came to: `train.json`, and the part `train` of the summary."""

    adapter: str | None = None
    steps: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    tokens_per_second: float | None = None
    peak_memory_bytes: int | None = None
    best_step: int | None = None
    judged_by: str | None = None


class Summary(Struct, frozen=True):
    """`summary.json`: the document of `--json`, and the notes on what was assumed. Any part may be missing."""

    run: str | None = None
    model: str | None = None
    method: str | None = None
    ledger: Ledger | None = None
    arms: tuple[ArmResult, ...] | None = None
    difference: Difference | None = None
    train: Training | None = None
    verdict: Verdict | None = None
    notes: tuple[str, ...] | None = None


class Choices(Struct, frozen=True):
    """`choices.json`: what was decided before the first measurement."""

    metric: str = ""
    instructions: str = ""
    notes: tuple[str, ...] = ()


class Mark(Struct, frozen=True):
    """What choosing and counting need of a `Scored` line; the texts of 40,000 rows are not held."""

    row: int
    score: float
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Metric(Struct, frozen=True):
    """A line of `metrics.jsonl`; a look at the validation rows carries `validation_loss`, a step `loss`."""

    step: int = 0
    tokens: int = 0
    loss: float | None = None
    validation_loss: float | None = None


class State(Struct, frozen=True):
    """`state.json`: what the run was doing last."""

    phase: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """A row of the table of arms; `ci` and `seconds` are None where the run stopped before all rows were scored."""

    name: str
    metric: str
    n: int
    score: float
    ci: tuple[float, float] | None
    prompt_tokens: float  # a request
    completion_tokens: float  # a request
    seconds: float | None
    cut: int  # answers that ran into the token limit
    others: Mapping[str, float] = field(default_factory=dict)
    others_ci: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the page shows, apart from the texts of its ten examples."""

    name: str
    path: str
    summary: Summary
    verdict: Verdict | None
    ledger: Ledger | None
    train: Training | None
    notes: tuple[str, ...]
    instructions: str
    units: Units
    arms: list[Arm]
    marks: dict[str, dict[int, Mark]]
    metrics: list[Metric]
    config: dict[str, Any]
    environment: dict[str, Any]
    finished: bool
    missing: list[str]

    @property
    def verb(self) -> str:
        """`fit`, or `train` for a run that was asked to do no more."""
        return "train" if self.environment.get("verb") == "train" else "fit"

    @property
    def pair(self) -> tuple[str, str | None] | None:
        """The arm the page is about and the one it is held against: those of the difference, else tuned and the best
        other arm. None where no row was scored."""
        if self.summary.difference:
            return self.summary.difference.arm, self.summary.difference.against
        best_first = sorted(self.arms, key=lambda arm: -self.units.sign * arm.score)
        ranked = [arm.name for arm in best_first if arm.name in self.marks]
        if not ranked:
            return None
        first = "tuned" if "tuned" in ranked else ranked[0]
        return first, next((name for name in ranked if name != first), None)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting by its dotted name; `changed` when it is not the default."""

    name: str
    value: Any
    changed: bool


def gather(run: Run) -> Facts:
    """Reads the run folder."""
    missing: list[str] = []
    summary = _document(run, "summary.json", Summary, missing)
    finished = summary is not None
    if summary is None:
        summary = Summary()
        if not missing:
            state = _document(run, "state.json", State, missing) or State()
            when = f" It was last at: {state.phase}, {state.time}." if state.phase else ""
            missing.append(f"The run is still at work or was stopped before its end.{when}")
    choices = _document(run, "choices.json", Choices, missing) or Choices()
    verdict = summary.verdict or _document(run, "verdict.json", Verdict, missing)
    ledger = _document(run, "data/ledger.json", Ledger, missing) or summary.ledger
    marks = {name: rows for name in _scored_arms(run) if (rows := _marks(run, name, missing))}
    metrics = list(_lines(run, "metrics.jsonl", Metric, missing))
    config: dict[str, Any] = _document(run, "config.json", dict[str, Any], missing) or {}
    environment: dict[str, Any] = _document(run, "environment.json", dict[str, Any], missing) or {}
    arms = _arms(run, summary, marks, choices.metric, missing)
    facts = Facts(
        name=run.path.resolve().name,
        path=summary.run or str(run.path),
        summary=summary,
        verdict=verdict,
        ledger=ledger,
        train=summary.train or _document(run, "train.json", Training, missing),
        notes=choices.notes if summary.notes is None else summary.notes,
        instructions=choices.instructions,
        units=units(arms[0].metric if arms else choices.metric),
        arms=arms,
        marks=marks,
        metrics=metrics,
        config=config,
        environment=environment,
        finished=finished,
        missing=missing,
    )
    missing += _gaps(facts)
    return facts


def texts(run: Run, arm: str, rows: set[int], missing: list[str]) -> dict[int, Scored]:
    """The full lines of the chosen `rows` of an arm; a damaged one is told in `missing`."""
    return {line.row: line for line in _lines(run, f"scores/{arm}.jsonl", Scored, missing) if line.row in rows}


def settings(config: Mapping[str, Any]) -> list[Setting]:
    """Every setting by its dotted name, marked where it is not the default."""
    defaults = dict(_flat(RunConfig().model_dump(mode="json")))
    return [Setting(name, value, name not in defaults or defaults[name] != value) for name, value in _flat(config)]


def flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(dotted name, value) of a nested document."""
    return list(_flat(values))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _document(run: Run, name: str, kind: type[T] | Any, missing: list[str]) -> T | None:
    if not run.has(name):
        return None
    try:
        found: T = run.read_as(name, kind)
        return found
    except RunError as error:
        missing.append(f"{error.what}.")
        return None


def _lines(run: Run, name: str, kind: type[T], missing: list[str]) -> Iterator[T]:
    """The lines of a file up to the first damaged one, which is told."""
    try:
        yield from run.lines(name, kind)
    except RunError as error:
        told = f"{name} is read only up to a {error.what} (line {error.where.rpartition(':')[2]})."
        if told not in missing:
            missing.append(told)


def _scored_arms(run: Run) -> list[str]:
    """Names of the arms that have scores, baselines first as they were measured, tuned last."""
    known = ["zero-shot", "few-shot", "retrieved", "rag"]
    found = [path.stem for path in (run.path / "scores").glob("*.jsonl")]
    return sorted(found, key=lambda name: (name == "tuned", known.index(name) if name in known else len(known), name))


def _marks(run: Run, arm: str, missing: list[str]) -> dict[int, Mark]:
    return {mark.row: mark for mark in _lines(run, f"scores/{arm}.jsonl", Mark, missing)}


def _arms(
    run: Run, summary: Summary, marks: Mapping[str, Mapping[int, Mark]], metric: str, missing: list[str]
) -> list[Arm]:
    """The measured arms, and after them those of which only some rows are scored."""
    results = list(summary.arms or ())
    begun = [name for name in marks if name not in {result.name for result in results}]
    for name in begun.copy():
        result = _document(run, f"scores/{name}.json", ArmResult, missing)
        if result:
            results.append(result)
            begun.remove(name)
    done = [_measured(result, marks.get(result.name, {})) for result in results]
    return done + [_begun(name, metric or "score", list(marks[name].values())) for name in begun]


def _measured(result: ArmResult, marks: Mapping[int, Mark]) -> Arm:
    n = max(result.n, 1)
    return Arm(
        name=result.name,
        metric=result.metric,
        n=result.n,
        score=result.score,
        ci=result.ci,
        prompt_tokens=result.prompt_tokens / n,
        completion_tokens=result.completion_tokens / n,
        seconds=result.seconds,
        cut=_cut(marks.values()),
        others=result.others,
        others_ci=result.others_ci,
    )


def _begun(name: str, metric: str, marks: Sequence[Mark]) -> Arm:
    n = len(marks)
    return Arm(
        name=name,
        metric=metric,
        n=n,
        score=sum(mark.score for mark in marks) / n,
        ci=None,
        prompt_tokens=sum(mark.prompt_tokens for mark in marks) / n,
        completion_tokens=sum(mark.completion_tokens for mark in marks) / n,
        seconds=None,
        cut=_cut(marks),
    )


def _cut(marks: Iterable[Mark]) -> int:
    return sum(mark.finish_reason == "length" for mark in marks)


def _gaps(facts: Facts) -> list[str]:
    """What a complete run has and this one lacks, in words."""
    gaps = []
    if not facts.arms:
        gaps.append("No arm was measured, so nothing says whether training helped.")
    elif any(arm.ci is None for arm in facts.arms):
        gaps.append("Some arms are not measured to the end; what they show is the mean of the rows so far.")
    if facts.arms and facts.summary.difference is None:
        gaps.append("There is no paired difference: it takes two arms, measured to the end.")
    if not any(line.loss is not None or line.validation_loss is not None for line in facts.metrics):
        gaps.append("There is no training log: no step was trained.")
    if facts.ledger is None:
        gaps.append("There is no ledger: the rows were not divided yet.")
    if not facts.environment:
        gaps.append("There is no record of versions and machine.")
    return gaps
