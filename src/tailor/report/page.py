"""The page: facts and drawings laid into `page.html`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tailor.records import Decision, Ledger
from tailor.report import charts, text
from tailor.report.examples import Sample, choose, samples, tally
from tailor.report.facts import Arm, Facts, Metric, flat, gather, settings, texts
from tailor.report.units import units
from tailor.run import Run

HERE = Path(__file__).parent
POINTS = 240  # of the training line; more than that is finer than the drawing

MEANING: dict[Decision, str] = {
    "tune": "The tuned model earns its place.",
    "prompt": "Keep the base model: untuned, it does as well.",
    "few-shot": "Keep the base model and show it examples.",
    "retrieve": "Keep the base model and look answers up.",
    "inconclusive": "These rows cannot tell yet.",
}
GROUPS = {
    "better": "Where {0} does better than {1}",
    "worse": "Where {0} does worse than {1}",
    "same": "Where both score the same, the worst first",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing in both sizes; the style sheet shows the one that fits."""

    wide: Markup
    narrow: Markup


def render(run: Run) -> str:
    """The page of a run as HTML."""
    facts = gather(run)
    shown = _samples(run, facts)
    context: dict[str, Any] = {
        "css": Markup((HERE / "style.css").read_text(encoding="utf-8")),
        "facts": facts,
        "summary": facts.summary,
        "verdict": facts.verdict,
        "headline": _headline(facts),
        "units": facts.units,
        "best_by": (facts.train.judged_by if facts.train else "") or "loss",
        "arms": facts.arms,
        "others": {name: units(name) for name in sorted({name for arm in facts.arms for name in arm.others})},
        "against": facts.pair[1] if facts.pair else None,
        "arms_figure": _arms_figure(facts),
        "difference": facts.summary.difference,
        "difference_figure": _difference_figure(facts),
        "tally": _tally(facts),
        "loss_figure": _loss_figure(facts),
        "bin": _bin(facts.metrics),
        "ledger": facts.ledger,
        "rows_figure": _rows_figure(facts.ledger),
        "adds_up": facts.ledger is None or _adds_up(facts.ledger),
        "groups": _grouped(facts, shown),
        "settings": settings(facts.config),
        "sections": _sections(facts.environment),
        "commands": _commands(facts),
    }
    return environment().get_template("page.html").render(context)


@cache
def environment() -> Environment:
    """Templates with escaping always on; every text that is put into the page passes `text.shown` first."""
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: tuple[Callable[..., str], ...] = (
        text.count, text.grade, text.probability, text.duration, text.size, text.plain
    )  # fmt: skip
    made.filters |= {function.__name__: function for function in filters}
    return made


def _safe(value: Any) -> Any:
    return text.shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _headline(facts: Facts) -> tuple[str, str]:
    """(the decision, what it means)."""
    if facts.verdict:
        return facts.verdict.decision.capitalize(), MEANING[facts.verdict.decision]
    if not facts.finished:
        return "No verdict yet", "This run has not come to its end."
    if facts.arms:
        return "No verdict", "The arms were measured and nothing was decided."
    return "Trained", "This run trained a model and measured nothing; tailor fit does both."


def _figure(draw: Callable[[int], Markup]) -> Figure:
    return Figure(draw(charts.WIDE), draw(charts.NARROW))


def _tone(arm: Arm, facts: Facts) -> charts.Tone:
    first, second = facts.pair or (None, None)
    return "tuned" if arm.name == first else "against" if arm.name == second else "other"


def _arms_figure(facts: Facts) -> Figure | None:
    if not facts.arms:
        return None
    rows = [_arm_row(arm, facts) for arm in facts.arms]
    counts = "per cent" if facts.units.percent else facts.units.counts
    axis = ", ".join(filter(None, [facts.arms[0].metric, counts]))
    limits = (0.0, facts.units.scale) if all(0 <= arm.score <= 1 for arm in facts.arms) else None
    if facts.units.sign < 0:
        limits = (0.0, math.inf)
    title = "Score of each arm with its 95% interval"
    return _figure(lambda width: charts.intervals("arms", rows, width=width, title=title, axis=axis, limits=limits))


def _arm_row(arm: Arm, facts: Facts) -> charts.Interval:
    scale, write = facts.units.scale, facts.units.score
    if arm.ci is None:
        return charts.Interval(arm.name, scale * arm.score, None, f"{write(arm.score)} so far", _tone(arm, facts))
    low, high = arm.ci
    spoken = f"{write(arm.score)} [{write(low)}, {write(high)}]"
    return charts.Interval(arm.name, scale * arm.score, (scale * low, scale * high), spoken, _tone(arm, facts))


def _difference_figure(facts: Facts) -> Figure | None:
    difference = facts.summary.difference
    if difference is None:
        return None
    scale, write = facts.units.scale, facts.units.gain
    rules = [charts.Rule(0.0, "no difference")]
    wanted = dict(flat(facts.config)).get("eval.minimum_gain")
    if isinstance(wanted, int | float) and wanted > 0:
        rules.append(charts.Rule(facts.units.sign * scale * wanted, "least gain wanted"))
    low, high = difference.ci
    spoken = f"{write(difference.mean)} [{write(low)}, {write(high)}]"
    row = charts.Interval("difference", scale * difference.mean, (scale * low, scale * high), spoken, "tuned")
    counts = "points" if facts.units.percent else facts.units.counts
    axis = ", ".join(filter(None, [f"{difference.arm} minus {difference.against}", counts]))
    title = "The paired difference with its 95% interval"
    return _figure(lambda width: charts.intervals("gain", [row], width=width, title=title, axis=axis, rules=rules))


def _tally(facts: Facts) -> dict[str, Any] | None:
    """Rows better, same and worse, as numbers and as a bar."""
    first, second = facts.pair or (None, None)
    if first not in facts.marks or second not in facts.marks:
        return None
    counts = tally(facts.marks[first], facts.marks[second], facts.units.sign)
    total = sum(counts.values())
    if not total:
        return None
    words = {"better": f"{first} better", "same": "same score", "worse": f"{first} worse"}
    parts = [charts.Part(words[group], number, group) for group, number in counts.items()]
    return {"parts": parts, "total": total, "bar": charts.bar("tally", parts, title="Rows compared one by one")}


def _loss_figure(facts: Facts) -> Figure | None:
    train = _binned([(line.tokens, line.loss) for line in facts.metrics if line.loss is not None])
    held = [(float(line.tokens), line.validation_loss) for line in facts.metrics if line.validation_loss is not None]
    series = []
    if train:
        series.append(charts.Line("train", train, "other"))
    if held:
        series.append(charts.Line("validation", held, "tuned", dots=True))
    if not series:
        return None
    axis = "loss, nats a token" if facts.summary.method in (None, "sft") else f"loss of {facts.summary.method}"
    return _figure(
        lambda width: charts.lines(
            "loss", series, width=width, title="Loss over trained tokens", axis=axis, best=_best(facts)
        )
    )


def _best(facts: Facts) -> tuple[float, str] | None:
    """Where the kept checkpoint stands on the axis of tokens."""
    step = facts.train.best_step if facts.train else None
    looks = [line for line in facts.metrics if line.validation_loss is not None]
    if step is None and looks:
        step = min(looks, key=lambda line: line.validation_loss or 0.0).step
    at = next((line.tokens for line in facts.metrics if line.step == step), None)
    loss = next((line.validation_loss for line in looks if line.step == step), None)
    if at is None:
        return None
    return float(at), f"best: step {step:,}" + (f", {text.number(loss)}" if loss is not None else "")


def _bin(metrics: Sequence[Metric]) -> int:
    """How many steps one point of the training line is the mean of."""
    return -(-sum(line.loss is not None for line in metrics) // POINTS)


def _binned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most `POINTS` points, each the mean of as many neighbours, at the tokens of the last of them."""
    width = -(-len(points) // POINTS) or 1
    bins = [points[at : at + width] for at in range(0, len(points), width)]
    return [(float(part[-1][0]), sum(loss for _, loss in part) / len(part)) for part in bins]


def _ledger_parts(ledger: Ledger) -> list[charts.Part]:
    return [
        charts.Part("train", ledger.train, "train"),
        charts.Part("validation", ledger.validation, "validation"),
        charts.Part("test", ledger.test, "test"),
        charts.Part("dropped", sum(ledger.dropped.values()), "dropped"),
    ]


def _rows_figure(ledger: Ledger | None) -> dict[str, Any] | None:
    if ledger is None:
        return None
    parts = _ledger_parts(ledger)
    drawn = charts.bar("rows", parts, title="What became of the rows") if any(part.count for part in parts) else None
    return {"parts": parts, "bar": drawn}


def _adds_up(ledger: Ledger) -> bool:
    return ledger.rows_in == sum(part.count for part in _ledger_parts(ledger))


def _samples(run: Run, facts: Facts) -> list[Sample]:
    first, second = facts.pair or (None, None)
    if first is None or first not in facts.marks:
        return []
    chosen = choose(facts.marks[first], facts.marks.get(second or "", {}), sign=facts.units.sign)
    rows = {row for row, _ in chosen}
    names = [name for name in (second, first) if name in facts.marks]
    return samples(chosen, {name: texts(run, name, rows, facts.missing) for name in names if name})


def _grouped(facts: Facts, shown: Sequence[Sample]) -> list[tuple[str, list[Sample]]]:
    """The samples under their headings."""
    first, second = facts.pair or (None, None)
    compared = second in facts.marks
    return [
        (GROUPS[group].format(first, second) if compared else f"Worst rows of {first}", list(members))
        for group, members in groupby(shown, key=lambda sample: sample.group)
    ]


def _sections(document: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, Any]]]]:
    """`environment.json` as one table a section; what stands outside any section comes first."""
    loose = [(key, value) for key, value in document.items() if not isinstance(value, dict)]
    nested = [(key, flat(value)) for key, value in document.items() if isinstance(value, dict) and value]
    return [("general", loose), *nested] if loose else nested


def _commands(facts: Facts) -> list[tuple[str, str]]:
    """(what for, what to type)."""
    run = shlex.quote(facts.path)
    recipe = shlex.quote(str(Path(facts.path) / "recipe.toml"))
    going_on = [] if facts.finished else [("go on where it stopped", f"tailor {facts.verb} --resume {run}")]
    return [
        *going_on,
        ("do all of it again", f"tailor {facts.verb} --recipe {recipe} --out {shlex.quote(facts.path + '-again')}"),
        ("talk to the model", f"tailor chat {run}"),
        ("score it on new rows", f"tailor eval {run} NEW_ROWS.jsonl"),
        ("write this page again", f"tailor report {run}"),
    ]
