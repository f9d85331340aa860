"""Rows -> the rows worth training on: clean, without contradictions and noise, and, on request, few that stand for all.

What leaves does so at one step, for one rule, and stands in the ledger with its place; what stays is as it was, but for
the safe repairs of the rules. Nothing is judged by a model here: `check` has found the defects, the other rows judge
labels, and `selectors/` choose.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tailor import plugins
from tailor.config import CheckConfig, CurateConfig
from tailor.curate import labels
from tailor.curate.answers import agree, form, overlap
from tailor.curate.check import inspected
from tailor.curate.corpus import Corpus
from tailor.curate.patch import Repair
from tailor.curate.rules.base import Hit, chosen, rules
from tailor.curate.rules.contradictions import CLEAR, UNLIKE
from tailor.curate.rules.wrong_labels import FEWEST
from tailor.curate.selectors.base import Pool
from tailor.errors import ConfigError, DataError, Problem
from tailor.records import Example, Ledger, Progress, Source, quiet

FIT = 0.3  # Cohen's kappa: below, words do not tell labels apart; 30% wrong labels on banking77 leave 0.55
FEW, MANY = 0.1, 0.2  # the doubt that a row may be under, where few are chosen and where all stay
HEAVY = 0.4  # share of rows from which leaving out is said to be a risk
ELSEWHERE = ("C101", "D101")  # rules whose rows have a step of their own
VOTED = 100  # answers to one question that are compared by what they say; more by being equal

Decide = Callable[[str, Sequence[tuple[str, int]]], int | None]
"""(question, [(answer, rows that give it)]) -> which answer is right; None for none of them."""


class Step(NamedTuple):
    """One step: what it left of the rows, and how many went for which reason."""

    name: str
    left: int
    why: dict[str, int]


class Gone(NamedTuple):
    """A row that left: `file:line`, at which step, by which rule, why, and the row that it had to give way to."""

    where: str
    step: str
    rule: str
    why: str
    beside: str = ""


@dataclass
class Curation:
    """What was kept and what became of the rest.

    `kept` is file -> line -> what is to be done to the row; `gone` has every row that is not in it. `labels` says of
    how many classes there were rows, and are; 0 where answers are no labels. The ledger adds up: in = train + dropped.
    """

    ledger: Ledger
    steps: list[Step]
    kept: dict[str, dict[int, Sequence[Repair]]]
    gone: list[Gone]
    notes: list[str] = field(default_factory=list)
    labels: tuple[int, int] = (0, 0)


def curate(
    rows: Iterable[Example | Problem],
    against: Iterable[Example | Problem] = (),
    *,
    settings: CurateConfig | None = None,
    check: CheckConfig | None = None,
    seed: int = 0,
    decide: Decide | None = None,
    workers: int = 1,
    progress: Progress = quiet,
) -> Curation:
    """The rows of `rows` that are worth training on; none of them shares a question or a group with `against`.

    `decide` is asked about contradictions where the settings say `ask`. The same rows give the same result. Raises
    ConfigError for what cannot be set, DataError for a file that cannot be read to its end and where no row is left.
    """
    settings, check = settings or CurateConfig(), check or CheckConfig()
    selector = plugins.load("curate.selectors", settings.by)
    _share(settings.keep, 0)
    left_out = {rule.code for rule in chosen(settings.leave_out)} if settings.leave_out else set()
    if settings.contradictions == "ask" and decide is None:
        raise ConfigError("contradictions = 'ask' needs somebody to ask", fix="choose majority or drop")
    problems: list[Problem] = []
    with ExitStack() as stack:
        corpus, hits, repairs = inspected(
            _readable(rows, problems), _readable(against, []), check, stack, workers=workers
        )
        work = _Work(corpus, problems, progress)
        mended = {source: [step.rule for step in steps if step.texts] for source, steps in repairs.items()}
        if corpus.against.any():
            work.held_out(hits)
        work.defective(hits, mended, left_out)
        work.contradicted(settings.contradictions, decide)
        work.copied(hits)
        few = settings.keep is not None
        if settings.doubt != "off":
            work.doubted(settings.doubt if settings.doubt != "auto" else FEW if few else MANY)
        if few:
            work.select(selector, settings.by, _share(settings.keep, work.rows_in), seed)
        kept: dict[str, dict[int, Sequence[Repair]]] = {}
        for index in np.flatnonzero(work.alive).tolist():
            source = corpus.source(index)
            kept.setdefault(source.file, {})[source.line] = tuple(repairs.get(source, ()))
        return work.finished(kept)


def _share(keep: int | str | None, rows: int) -> int:
    """How many of `rows` are to be kept. Raises ConfigError for what is neither a number nor a share."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", str(keep if keep is not None else rows))
    if match is None or (not match[2] and "." in match[1]) or (match[2] and float(match[1]) > 100):
        raise ConfigError(f"keep = {keep!r}: neither a number of rows nor a share", fix="write it as 200 or as 10%")
    if keep is not None and float(match[1]) == 0:
        raise ConfigError(f"keep = {keep!r} keeps nothing", fix="write it as 200 or as 10%")
    return max(1, round(float(match[1]) / 100 * rows)) if match[2] else int(match[1])


def _readable(rows: Iterable[Example | Problem], problems: list[Problem]) -> Iterator[Example]:
    """The rows that can be used; the others go to `problems`."""
    for row in rows:
        if isinstance(row, Example):
            yield row
        elif row.kind == "unreadable":
            raise DataError(row.what, where=row.where, fix=row.fix or "a part of a file is no set to choose from")
        elif row.kind != "byte-order-mark":
            problems.append(row)


class _Work:
    """The rows that are left, step by step."""

    def __init__(self, corpus: Corpus, problems: list[Problem], progress: Progress) -> None:
        self.corpus = corpus
        self.progress = progress
        self.alive = ~corpus.against
        self.rows_in = int(self.alive.sum()) + len(problems)
        self.notes: list[str] = []
        self.gone: list[Gone] = []
        self.steps = [Step("read", self.rows_in, {})]
        self.classes = self._classes()
        self.labels = len(self.classes)
        if problems:
            by_kind = {kind: rule.code for rule in rules().values() for kind in rule.problems}
            for problem in problems:
                rule = by_kind.get(problem.kind, by_kind["shape"])
                self.gone.append(Gone(problem.where, "unusable", rule, problem.what))
            why = Counter(f"{gone.rule}: {rules()[gone.rule].title.lower()}" for gone in self.gone)
            self.steps.append(Step("unusable", int(self.alive.sum()), dict(why)))

    def _classes(self) -> set[int]:
        """Keys of the labels that the rows have."""
        return set(self.corpus.answer_key[self.alive & self.corpus.asked].tolist()) if self.corpus.labelled else set()

    def leave(self, step: str, found: dict[int, tuple[str, str, int | None]]) -> None:
        """Takes out rows: index -> (rule, why, the row that it gives way to)."""
        indices = sorted(found)
        for index in indices:
            rule, why, beside = found[index]
            place = str(self.corpus.source(beside)) if beside is not None else ""
            self.gone.append(Gone(str(self.corpus.source(index)), step, rule, why, place))
        self.alive[indices] = False
        reasons = Counter(f"{rule}: {why}" for rule, why, _ in found.values())
        self.steps.append(Step(step, int(self.alive.sum()), dict(reasons.most_common())))
        lost = self.classes - self._classes()
        if lost:
            names = sorted(self._name(key) for key in lost)
            shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
            self.notes.append(f"{step}: {len(names):,} of {self.labels:,} labels lose all their rows: {shown}")
            self.classes -= lost

    def _name(self, key: int) -> str:
        return self.corpus.row(int(np.flatnonzero(self.corpus.answer_key == np.uint64(key))[0])).given(40)

    # ---------------------------------------------------------------------------------------------- defects

    def held_out(self, hits: dict[str, list[Hit]]) -> None:
        """What stands in the held-out rows too: the question, or the group."""
        corpus = self.corpus
        found: dict[int, tuple[str, str, int | None]] = {}
        groups = np.unique(corpus.group_key[corpus.against])
        for index in np.flatnonzero(self.alive & np.isin(corpus.group_key, groups[groups != 0])).tolist():
            found[index] = "L104", "its group is held out", None
        for code in sorted(hits):
            for hit in hits[code] if code.startswith("L") else ():
                index = hit.rows[0]
                if self.alive[index] and rules()[code].severity == "block":
                    found.setdefault(index, (code, hit.message, hit.rows[1] if len(hit.rows) > 1 else None))
        self.leave("held out", found)

    def defective(self, hits: dict[str, list[Hit]], mended: dict[Source, list[str]], left_out: set[str]) -> None:
        """Rows with a defect that blocks or was asked to be left out, where no repair takes it away."""
        found: dict[int, tuple[str, str, int | None]] = {}
        for rule in rules().values():
            for hit in hits.get(rule.code, ()) if rule.code not in ELSEWHERE else ():
                if not hit.rows or not self.alive[hit.rows[0]] or rule.code in mended.get(self._place(hit), ()):
                    continue
                blocks = (hit.severity or rule.severity) == "block" and rule.code[0] not in "LV"
                if hit.drop or blocks or rule.code in left_out:
                    beside = hit.rows[1] if len(hit.rows) > 1 else None
                    found.setdefault(hit.rows[0], (rule.code, rule.title.lower(), beside))
        self.leave("defects", found)

    def copied(self, hits: dict[str, list[Hit]]) -> None:
        """Rows that repeat another to the letter; after the contradictions, in which each of them has a vote."""
        title = rules()["D101"].title.lower()
        again = [hit.rows for hit in hits.get("D101", ()) if hit.drop and self.alive[hit.rows[0]]]
        self.leave("copies", {copy: ("D101", title, first) for copy, first in again})

    def _place(self, hit: Hit) -> Source:
        return self.corpus.source(hit.rows[0])

    # --------------------------------------------------------------------------------------- contradictions

    def contradicted(self, policy: str, decide: Decide | None) -> None:
        """The same question with answers that are not the same."""
        corpus = self.corpus
        found: dict[int, tuple[str, str, int | None]] = {}
        if corpus.many_answers:
            self.notes.append("most questions have several answers: taken as meant, none is a contradiction")
        for rows in () if corpus.many_answers else corpus.groups(corpus.question_key, corpus.asked & self.alive):
            camps = self._camps(rows)
            if len(camps) < 2:
                continue
            right: int | None = None
            if policy == "ask":
                assert decide is not None
                first = [corpus.row(camp[0]) for camp in camps]
                answers = [(row.answer, len(camp)) for row, camp in zip(first, camps)]
                right, why = decide(first[0].prompt, answers), "not the answer chosen for its question"
            elif policy == "majority" and len(camps[0]) > len(camps[1]):
                right, why = 0, "most rows answer its question otherwise"
            else:
                why = (
                    "as many rows answer its question otherwise" if policy == "majority" else "its question is disputed"
                )
            for number, camp in enumerate(camps):
                beside = camps[right][0] if right is not None else camps[0 if number else 1][0]
                if number != right:
                    found |= dict.fromkeys(camp, ("C101", why, beside))
        self.leave("contradictions", found)

    def _camps(self, rows: list[int]) -> list[list[int]]:
        """The rows of one question by what they answer, the largest camp first."""
        by_key: dict[int, list[int]] = {}
        for row, key in zip(rows, self.corpus.answer_key[rows].tolist()):
            by_key.setdefault(key, []).append(row)
        camps: list[list[int]] = []
        for same in by_key.values():
            met = (camp for camp in camps if len(by_key) <= VOTED and self._agree(camp[0], same[0]))
            joined = next(met, None)
            if joined is None:
                camps.append(list(same))
            else:
                joined += same
        return sorted((sorted(camp) for camp in camps), key=lambda camp: (-len(camp), camp[0]))

    def _agree(self, one: int, other: int) -> bool:
        """Whether two answers say the same, or are prose with words in common: a task may have several good ones."""
        a, b = self.corpus.row(one).answer, self.corpus.row(other).answer
        if agree(a, b, labels=self.corpus.labelled):
            return True
        return not self.corpus.labelled and not {form(a), form(b)} <= CLEAR and overlap(a, b) >= UNLIKE

    # ------------------------------------------------------------------------------------------------ noise

    def doubted(self, doubt: float) -> None:
        """Labels that the other rows speak against, at most labels.SAMPLE rows judging each other."""
        corpus = self.corpus
        rows = np.flatnonzero(self.alive & corpus.asked)
        if not corpus.labelled or len(rows) < FEWEST:
            return
        _, first = np.unique(corpus.row_key[rows], return_index=True)  # copies would vouch for each other
        rows = rows[np.sort(first)]
        parts = -(-len(rows) // labels.SAMPLE)
        found: dict[int, tuple[str, str, int | None]] = {}
        for part in range(parts):
            self.progress("judging labels", part, parts)
            judged = labels.judged_among(corpus, rows[part::parts])
            if judged is None or judged.fit < FIT:
                kappa = f"kappa {judged.fit:.2f}, {FIT} is wanted" if judged else "two rows of each are wanted"
                self.notes.append(f"no labels are judged: words do not tell them apart ({kappa})")
                continue
            for place in np.flatnonzero(judged.of_other - judged.of_own >= doubt).tolist():
                beside = int(judged.classes[judged.other[place]])
                found[int(judged.rows[place])] = "C401", f"another label scores {doubt:g} more than its own", beside
        keys = {int(corpus.row_key[row]): why for row, why in found.items()}
        for row in np.flatnonzero(self.alive & np.isin(corpus.row_key, np.array([*keys], np.uint64))).tolist():
            found.setdefault(row, keys[int(corpus.row_key[row])])
        self.progress("judging labels", parts, parts)
        before = int(self.alive.sum())
        self.leave("noise", found)
        if len(found) > HEAVY * before:
            self.notes.append(
                f"noise: {len(found) / before:.0%} of the rows leave; random errors cost less than so many rows, "
                "systematic ones more: compare with --doubt off"
            )

    # -------------------------------------------------------------------------------------------- selection

    def select(self, selector: Any, name: str, count: int, seed: int) -> None:
        """`count` of the rows that are left."""
        rows = np.flatnonzero(self.alive)
        if count >= len(rows):
            self.notes.append(f"selection: {count:,} rows were to be kept, and no more than {len(rows):,} are left")
            return
        strata = np.zeros(len(rows), np.int64)
        if self.corpus.labelled:
            strata = np.unique(self.corpus.answer_key[rows], return_inverse=True)[1]
        self.progress("choosing", 0, 1)
        stay = selector.choose(Pool(self.corpus, rows, strata, seed), count)
        self.progress("choosing", 1, 1)
        why = f"not one of the {count:,} rows {selector.WHY}"
        self.leave("selection", dict.fromkeys(np.setdiff1d(rows, stay).tolist(), (name, why, None)))

    def finished(self, kept: dict[str, dict[int, Sequence[Repair]]]) -> Curation:
        """The result. Raises DataError where nothing is left."""
        ledger = Ledger(rows_in=self.rows_in, train=int(self.alive.sum()))
        for gone in self.gone:
            ledger.drop(f"{gone.step}: {gone.rule}", [gone.where])
        ledger.check()
        if not ledger.train:
            raise DataError("not one row is left", fix="tailor check shows what is wrong with them")
        mended = sum(bool(steps) for lines in kept.values() for steps in lines.values())
        if mended:
            self.notes.append(f"{mended:,} of the rows kept are repaired; the ledger holds what was there")
        return Curation(ledger, self.steps, kept, self.gone, self.notes, (self.labels, len(self.classes)))
