"""What a rule is, and how the rules of this room are found.

A rule is a module of this room (or an object behind an entry point of the group `tailor.curate.rules`). Its docstring
is its documentation: the first line is the title, the rest says what it finds, why that matters and by which source.
Its members:

    CODE      letter of the family and three digits, never given anew: `D101`
    SEVERITY  `block` (training on it is wrong), `warn` (a person should look), `inform`
    COST      what ignoring it costs, one sentence
    FIX       what to do about it, one sentence; a Hit may say it better

and at least one of

    look(row)       row-wise: the Hits of one Row, seen alone
    judge(corpus)   corpus-wise: the Hits of all rows, from the columns that every row left behind
    PROBLEMS        kinds of row that the reader refuses (`tailor.formats.base.Malformed`), reported under this code

and, where they help,

    collect(row)    what `judge` wants to know of a row beside the columns: a small value, or None for nothing
    mend(row)       the safe repair: {text of the row: text to put instead}; no entry for what stays
    DROPS           True where its Hits say `drop`: the safe repair is to leave the row out
    NEEDS           what must be at hand for it to run: `tokenizer` (a Row has its `rendering`), `model` (the Corpus has
                    `judged`), `run` (the Corpus has the `dynamics` of a training run)

A Row is met once, in any of several processes: a rule keeps nothing between rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from tailor import plugins
from tailor.curate.model import Need
from tailor.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

Severity = Literal["block", "warn", "inform"]
SEVERITIES: tuple[Severity, ...] = ("block", "warn", "inform")

KEPT = 10_000  # findings of one rule that are kept for reading; all are counted, so later ones need no evidence

FAMILIES = {
    "F": "format",
    "R": "roles",
    "M": "mask",
    "D": "duplicates",
    "L": "leaks",
    "C": "consistency",
    "Q": "quality",
    "P": "privacy",
    "K": "preference data",
    "V": "coverage",
}

NEEDS: dict[Need, str] = {
    "tokenizer": "Runs with `--model`; of the model only template and tokenizer are read.",
    "model": "Runs with `--model`, on `check.model_rows` rows.",
    "run": "Runs on a run folder: `tailor check RUN`.",
}


class Hit(Struct, frozen=True, kw_only=True):
    """One defect as a rule sees it; the checker makes a `records.Finding` of it.

    `rows` are indices into the corpus, the one to look at first; `look` leaves them out. `at` is the piece of the row's
    text where the defect stands, so that the column can be shown. `fix` and `severity` replace the rule's own. With
    `drop`, `--fix` leaves out the first of `rows`; with `put` it puts that in the place of `at`, where `at` stands once
    in the answer.
    """

    message: str
    rows: tuple[int, ...] = ()
    evidence: str = ""
    fix: str = ""
    at: str = ""
    severity: Severity | None = None
    drop: bool = False
    put: str | None = None


@dataclass(frozen=True)
class Rule:
    """A rule as the checker uses it; `name` is its file's name."""

    name: str
    code: str
    severity: Severity
    title: str
    explanation: str
    cost: str
    fix: str
    look: Callable[[Row], Iterable[Hit]] | None
    collect: Callable[[Row], Any] | None
    judge: Callable[[Corpus], Iterable[Hit]] | None
    mend: Callable[[Row], Mapping[str, str]] | None
    problems: tuple[str, ...]
    drops: bool
    needs: Need = ""


def load(name: str) -> Rule:
    """The rule in the file of this name. Raises ConfigError where there is none."""
    module = plugins.load("curate.rules", name)
    title, _, explanation = (module.__doc__ or "").strip().partition("\n")
    return Rule(
        name=name,
        code=module.CODE,
        severity=module.SEVERITY,
        title=title.rstrip("."),
        explanation=explanation.strip(),
        cost=module.COST,
        fix=module.FIX,
        look=getattr(module, "look", None),
        collect=getattr(module, "collect", None),
        judge=getattr(module, "judge", None),
        mend=getattr(module, "mend", None),
        problems=getattr(module, "PROBLEMS", ()),
        drops=getattr(module, "DROPS", False),
        needs=getattr(module, "NEEDS", ""),
    )


@functools.cache
def rules() -> dict[str, Rule]:
    """Every rule by its code, in the order of families and codes."""
    found = [load(name) for name in plugins.names("curate.rules")]
    order = list(FAMILIES)
    found.sort(key=lambda rule: (order.index(rule.code[0]), rule.code))
    return {rule.code: rule for rule in found}


def chosen(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> list[Rule]:
    """The rules to run: all, or those of `select`, without those of `ignore`.

    Each entry is a code, the beginning of codes (`D`, `D1`) or a rule's name. Raises ConfigError for what means none.
    """
    every = list(rules().values())
    selected = {rule.code for entry in select for rule in _meant(entry, every)} or {rule.code for rule in every}
    ignored = {rule.code for entry in ignore for rule in _meant(entry, every)}
    return [rule for rule in every if rule.code in selected - ignored]


def _meant(entry: str, every: list[Rule]) -> list[Rule]:
    meant = [rule for rule in every if rule.name == entry.lower() or rule.code.startswith(entry.upper())]
    if not entry or not meant:
        known = [rule.code for rule in every] + [rule.name for rule in every]
        close = did_you_mean(entry, known)
        fix = close if close.startswith("did") else f"families: {', '.join(FAMILIES)}; tailor check --explain lists all"
        raise ConfigError(f"there is no rule {entry!r}", fix=fix)
    return meant
