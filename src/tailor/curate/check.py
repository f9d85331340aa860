"""Rows -> findings: each row is read once, every rule sees it, and what they found is counted, worst first.

The way of a row: the reader gives an Example (or the Problem of a row that cannot be used), it is spooled, and a chunk
of the spool is scanned (row-wise rules, columns) in this process or another. When all are in, the corpus-wise rules
judge the columns. What comes out depends on the rows alone, not on how many processes took part.
"""

from __future__ import annotations

import gc
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
import numpy as np

from tailor.config import CheckConfig
from tailor.curate.corpus import COLUMNS, KINDS, Corpus
from tailor.curate.dynamics import Dynamics
from tailor.curate.model import Model, Need, Read
from tailor.curate.patch import Repair, mended
from tailor.curate.rows import Row, key, question_keys
from tailor.curate.rules.base import KEPT, SEVERITIES, Hit, Rule, chosen, load
from tailor.curate.rules.base import rules as every_rule
from tailor.curate.spool import CHUNK_BYTES, CHUNK_ROWS, Chunk, Spool, encoded, workshop
from tailor.errors import Problem
from tailor.records import Example, Finding, Progress, Source, quiet

_OF_FILES = ("unreadable", "byte-order-mark")  # kinds of Problem that are about a file, not a row of it
_PLACE = re.compile(r"(.*?)(?::(\d+))?(?::(\d+))?")


@dataclass
class Report:
    """What a check found. `findings` are worst first, at most KEPT of a rule; `counts` has all of them by code.

    `repairs` says what may safely be done: place of a row -> the repairs of it, in order; only where asked for.
    `timing` is CPU seconds a rule over all processes, and of `reading` and the `columns` that all share.
    `notes` say once what a reader of the findings has to know: which rules could not run, which judged a sample.
    """

    rows: int
    seconds: float
    findings: list[Finding]
    counts: dict[str, int]
    timing: dict[str, float] = field(default_factory=dict)
    repairs: dict[Source, list[Repair]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def defective(self) -> bool:
        """Whether anything stands here that a person should look at and no repair takes away."""
        for finding in self.findings:
            repairs = self.repairs.get(finding.rows[0], ()) if finding.rows else ()
            if finding.severity != "inform" and finding.code not in [repair.rule for repair in repairs]:
                return True
        return False


def check(
    rows: Iterable[Example | Problem],
    against: Iterable[Example | Problem] = (),
    *,
    settings: CheckConfig | None = None,
    repair: bool = False,
    workers: int = 1,
    progress: Progress = quiet,
    model: Model | None = None,
    dynamics: Dynamics | None = None,
) -> Report:
    """Looks for every defect in `rows`, and for what they share with the held-out rows `against`.

    With `repair` it works out what may safely be done. `workers` processes take part from about 16,000 rows on. Rules
    that need a `model`, or the `dynamics` of the run that trained exactly these rows, run where it is given.
    Raises ConfigError for a rule that does not exist.
    """
    settings = settings or CheckConfig()
    began = time.perf_counter()
    rules = chosen(settings.select, settings.ignore)
    with ExitStack() as stack:
        stack.callback(gc.enable if gc.isenabled() else gc.disable)
        gc.disable()
        crew = workshop(workers, stack)
        run = _Run(rules, Corpus(settings, crew.spool, crew, model, dynamics, progress))
        run.read([(rows, False), (against, True)])
        run.judge(progress)
        return run.report(began, repair=repair)


def inspected(
    rows: Iterable[Example], against: Iterable[Example], settings: CheckConfig, stack: ExitStack, *, workers: int = 1
) -> tuple[Corpus, dict[str, list[Hit]], dict[Source, list[Repair]]]:
    """What `check` reports, uncapped, for those who go on from there: the columns, all hits by code, all repairs."""
    crew = workshop(workers, stack)
    run = _Run(chosen(settings.select, settings.ignore), Corpus(settings, crew.spool, crew))
    run.read([(rows, False), (against, True)])
    run.judge(quiet)
    return run.corpus, run.hits, run.repairs()


def collected(rows: Iterable[Example | Problem], settings: CheckConfig, stack: ExitStack, workers: int = 1) -> Corpus:
    """The rows as a Corpus, before any rule has looked at them: for what is chosen by the same columns."""
    crew = workshop(workers, stack)
    run = _Run([], Corpus(settings, crew.spool, crew))
    run.read([(rows, False)])
    return run.corpus


# -------------------------------------------------------------------------------------------------- a chunk


class Scan(msgspec.Struct):
    """What became of one chunk: columns, the hits of row-wise rules, what rules collected, and seconds."""

    columns: dict[str, Any]
    hits: dict[str, list[Hit]]
    collected: dict[str, list[tuple[int, Any]]]
    timing: dict[str, float]


_loaded: dict[str, Rule] = {}


def scan(spool: Spool, chunk: Chunk, names: tuple[str, ...], read: Read | None = None) -> Scan:
    """All row-wise work on a chunk; `read` gives the renderings of training rows."""
    clock = time.process_time
    before = clock()
    rows = spool.rows(chunk)
    done = Scan(_columns(rows), {}, {}, {"columns": clock() - before})
    if read is not None and not chunk.against:
        before = clock()
        for row, rendering in zip(rows, read([row.example for row in rows]), strict=True):
            row.rendering = rendering
        done.timing["rendering"] = clock() - before
    for name in names:
        found = _loaded.get(name)
        if found is None:
            found = _loaded[name] = load(name)
        before = clock()
        if found.look is not None:
            look = found.look
            hits = [msgspec.structs.replace(hit, rows=(row.index,)) for row in rows for hit in look(row)]
            if hits:
                done.hits[found.code] = hits
        if found.collect is not None:
            collect = found.collect
            values = [(row.index, value) for row in rows if (value := collect(row)) is not None]
            if values:
                done.collected[found.code] = values
        done.timing[found.code] = clock() - before
    return done


def _columns(rows: list[Row]) -> dict[str, Any]:
    table: list[tuple[int, ...]] = []
    for row in rows:
        example = row.example
        tools = msgspec.json.encode(example.tools, order="sorted").decode() if example.tools else ""
        prompt_key = key(row.plain_prompt, tools) if row.prompt else 0
        answer_key = key(row.plain_answer) if row.plain_answer else 0
        question, facts = question_keys(row.plain_prompt, tools) if row.prompt else (0, 0)
        rest = [turn.text for turn in example.rejected]
        table.append(
            (
                prompt_key,
                answer_key,
                question,
                key(str(prompt_key), str(answer_key), str(example.rating), *rest),
                key(row.prompt, row.answer),
                key(example.group) if example.group is not None else 0,
                facts,
                len(row.prompt),
                len(row.answer),
                KINDS.index(example.kind),
                row.against,
            )
        )
    names = list(COLUMNS)[: len(table[0])]
    return {name: np.array(column, COLUMNS[name]) for name, column in zip(names, zip(*table))}


# ------------------------------------------------------------------------------------------------- all of it


class _Run:
    """One check, from the rows to the report."""

    def __init__(self, rules: list[Rule], corpus: Corpus) -> None:
        at_hand: dict[Need, object] = {"tokenizer": corpus.model, "model": corpus.model, "run": corpus.dynamics}
        self.waiting = [rule for rule in rules if rule.needs and at_hand[rule.needs] is None]
        self.rules = rules = [rule for rule in rules if rule not in self.waiting]
        self.corpus = corpus
        self.by_problem = {kind: rule for rule in rules for kind in rule.problems}
        self.problems: list[tuple[Rule, Problem]] = []
        self.malformed = 0
        self.hits: dict[str, list[Hit]] = {rule.code: [] for rule in rules}
        self.parts: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self.collected: dict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
        self.timing: defaultdict[str, float] = defaultdict(float)
        self.files: dict[str, int] = {}

    # -------------------------------------------------------------------------------------------- reading

    def read(self, sides: list[tuple[Iterable[Example | Problem], bool]]) -> None:
        """Spools and scans every row, and gathers the columns."""
        names = tuple(rule.name for rule in self.rules if rule.look or rule.collect)
        tokenized = any(rule.needs == "tokenizer" for rule in self.rules)
        read = self.corpus.model.read if tokenized and self.corpus.model is not None else None
        tasks = ((chunk, names, read) for rows, against in sides for chunk in self._chunks(rows, against))
        for done in self.corpus.crew.run(scan, tasks):
            for name, column in done.columns.items():
                self.parts[name].append(column)
            for code, hits in done.hits.items():
                self.hits[code] += hits
            for code, values in done.collected.items():
                indices, kept = self.collected[code]
                indices += [index for index, _ in values]
                kept += [value for _, value in values]
            for name, seconds in done.timing.items():
                self.timing[name] += seconds
        corpus = self.corpus
        corpus.files = list(self.files)
        for name, parts in self.parts.items():
            setattr(corpus, name, np.concatenate([np.empty(0, COLUMNS[name]), *parts]).astype(COLUMNS[name]))
        corpus.collected = {
            code: (np.array(indices, np.int64), values) for code, (indices, values) in self.collected.items()
        }

    def _chunks(self, rows: Iterable[Example | Problem], against: bool) -> Iterator[Chunk]:
        """Spools the rows, a chunk at a time."""
        lines: list[bytes] = []
        places: list[tuple[int, int]] = []
        size = 0
        clock = time.process_time
        before = clock()
        for row in rows:
            if isinstance(row, Problem):
                self._malformed(row)
                continue
            line = encoded(row)
            lines.append(line)
            size += len(line)
            places.append((self.files.setdefault(row.source.file, len(self.files)), row.source.line))
            if len(lines) == CHUNK_ROWS or size >= CHUNK_BYTES:
                chunk = self._spooled(lines, places, against)
                self.timing["reading"] += clock() - before
                yield chunk
                lines, places, size = [], [], 0
                before = clock()
        self.timing["reading"] += clock() - before
        if lines:
            yield self._spooled(lines, places, against)

    def _spooled(self, lines: list[bytes], places: list[tuple[int, int]], against: bool) -> Chunk:
        offset, length = self.corpus.spool.add(lines)
        chunks = self.corpus.chunks
        start = chunks[-1].start + chunks[-1].count if chunks else 0
        chunk = Chunk(start, len(lines), offset, length, against)
        chunks.append(chunk)
        starts = offset + np.cumsum([0, *(len(line) + 1 for line in lines)])[:-1]
        self.parts["offset"].append(starts)
        self.parts["file"].append(np.array([file for file, _ in places]))
        self.parts["line"].append(np.array([line for _, line in places]))
        return chunk

    def _malformed(self, problem: Problem) -> None:
        self.malformed += problem.kind not in _OF_FILES
        known = any(problem.kind in rule.problems for rule in every_rule().values())
        found = self.by_problem.get(problem.kind if known else "shape")
        if found is not None:
            self.problems.append((found, problem))

    # -------------------------------------------------------------------------------------------- judging

    def judge(self, progress: Progress) -> None:
        """The corpus-wise rules, one after the other."""
        for number, rule in enumerate(self.rules):
            progress("judging", number, len(self.rules))
            if rule.judge is not None and len(self.corpus):
                before = time.process_time() + self.corpus.crew.seconds
                self.hits[rule.code] += rule.judge(self.corpus)
                self.timing[rule.code] += time.process_time() + self.corpus.crew.seconds - before
        progress("judging", len(self.rules), len(self.rules))

    # ------------------------------------------------------------------------------------------- the report

    def report(self, began: float, *, repair: bool) -> Report:
        """Everything found, worst first: by severity, then by code, then by place."""
        findings: list[Finding] = []
        counts: dict[str, int] = {}
        problems: dict[str, list[Problem]] = defaultdict(list)
        for found, problem in self.problems:
            problems[found.code].append(problem)
        for rule in self.rules:
            hits = self.hits[rule.code]
            hits.sort(key=lambda hit: hit.rows[:1])
            told = [_of_problem(rule, problem) for problem in problems[rule.code][:KEPT]]
            findings += told + [self._finding(rule, hit) for hit in hits[: KEPT - len(told)]]
            if hits or told:
                counts[rule.code] = len(hits) + len(problems[rule.code])
        findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
        repairs = self.repairs() if repair else {}
        rows = len(self.corpus) + self.malformed
        seconds = time.perf_counter() - began
        return Report(rows, seconds, findings, counts, dict(self.timing), repairs, self._notes())

    def _notes(self) -> list[str]:
        notes = []
        for flag, needs in (("--model", ("tokenizer", "model")), ("a run: tailor check RUN", ("run",))):
            waiting = [rule.code for rule in self.waiting if rule.needs in needs]
            if waiting:
                rules = f"{len(waiting)} rules wait" if len(waiting) > 1 else "1 rule waits"
                notes.append(f"{rules} for {flag} ({', '.join(waiting)})")
        asked = [rule.code for rule in self.rules if rule.needs == "model"]
        if asked and len(self.corpus) and len(self.corpus.judged.rows) < self.corpus.judged.of:
            judged = f"{len(self.corpus.judged.rows):,} of {self.corpus.judged.of:,} rows"
            notes.append(f"{', '.join(asked)} judged {judged}, chosen by their content (check.model_rows)")
        return notes

    def repairs(self) -> dict[Source, list[Repair]]:
        """Rule by rule; the next rule sees the row as the last one left it. Held-out rows are left as they are."""
        todo: dict[int, list[Repair]] = defaultdict(list)
        for rule in self.rules:
            for hit in self.hits[rule.code]:
                if hit.drop and not self.corpus.against[hit.rows[0]]:
                    todo[hit.rows[0]] = [Repair(rule.code, None)]
        for rule in self.rules:
            put: dict[int, list[Hit]] = defaultdict(list)
            for hit in self.hits[rule.code]:
                if hit.put is not None or (rule.mend and hit.rows):
                    put[hit.rows[0]].append(hit)
            for index, hits in sorted(put.items()):
                steps = todo[index]
                if self.corpus.against[index] or any(step.texts is None for step in steps):
                    continue
                row = self.corpus.row(index)
                for step in steps:
                    row = Row(mended(row.example, step.texts or {}), index)
                texts = (dict(rule.mend(row)) if rule.mend else {}) or _put(row, hits)
                if texts:
                    steps.append(Repair(rule.code, texts))
        return {self.corpus.source(index): steps for index, steps in sorted(todo.items()) if steps}

    def _finding(self, rule: Rule, hit: Hit) -> Finding:
        return Finding(
            code=rule.code,
            severity=hit.severity or rule.severity,
            message=hit.message,
            rows=tuple(self.corpus.source(index) for index in hit.rows),
            evidence=hit.evidence,
            fix=hit.fix or rule.fix,
            at=hit.at,
        )


def _put(row: Row, hits: list[Hit]) -> dict[str, str]:
    """The texts of the answer in which hits say what to put, whole and repaired."""
    found = {}
    for text in {text for role, text in row.texts if role in ("assistant", "text") and text in row.answer}:
        repaired = text
        for hit in hits:
            if hit.put is not None and hit.at and repaired.count(hit.at) == 1:
                repaired = repaired.replace(hit.at, hit.put)
        if repaired != text:
            found[text] = repaired
    return found


def _of_problem(rule: Rule, problem: Problem) -> Finding:
    match = _PLACE.fullmatch(problem.where)
    assert match is not None  # every part of the pattern may be empty
    place = Source(match[1], int(match[2] or 0))
    return Finding(
        code=rule.code,
        severity=rule.severity,
        message=problem.what,
        rows=(place,),
        fix=problem.fix or rule.fix,
        column=int(match[3] or 0),
    )


assert set(COLUMNS) <= {field.name for field in fields(Corpus)}
