"""The proof of `tailor check`: defects put into clean data, and what each rule finds of them.

    python bench/defects.py                       # all that is not measured yet, then the tables
    python bench/defects.py --only Q103 --only snips/D101/0.03
    python bench/defects.py --again C4            # measure these once more; the newest counts
    python bench/defects.py --show Q103           # measure again and print what was missed and what was wrongly found

A measurement is a rule on a set at a rate: `SET/CODE/RATE`. Each is a line in `defects.jsonl`; `defects.md`, a section
of `RESULTS.md`, is made from these lines. One core, about fifteen minutes.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import injectors
import proof
import truths
from clean import sets
from injectors.base import DEFECTS, Clean, Defect, Row, lines
from tailor import formats
from tailor.config import CheckConfig
from tailor.curate.check import Report, check
from tailor.curate.rules.base import rules

BENCH = Path(__file__).resolve().parent
DATA = BENCH / "defects.jsonl"
RATES = (0.01, 0.03, 0.10)
ACROSS = ("L", "V104")  # rules that compare with held-out rows
TRIES = 40  # rows that may refuse a defect, for each that takes it

Names = dict[tuple[str, int], Row]


@dataclass
class Broken:
    """A set with defects in it: the rows as they stand, and which of them have the defect or only look so."""

    rows: list[Row]
    bad: dict[int, str]  # place in `rows` -> the variant
    decoys: dict[int, str]


# --------------------------------------------------------------------------------------------------- injecting


def inject(clean: Clean, code: str, rate: float, spared: frozenset[int] = frozenset()) -> Broken:
    """The set with the defect `code` in `rate` of its rows, and as many rows that only look like it.

    Rows whose numbers are in `spared` stay as they are: the rule speaks of them already.
    """
    dice = random.Random(f"{clean.name}/{code}/{rate}")
    found = [
        defect for defect in DEFECTS if defect.code == code and defect.fits(clean) and defect.kind in ("edit", "more")
    ]
    count = max(1, round(rate * len(clean.rows)))
    rows = list(clean.rows)
    free = [at for at in range(len(rows)) if at not in spared]
    dice.shuffle(free)
    marked: dict[bool, dict[int, str]] = {False: {}, True: {}}
    added: list[tuple[Row, bool, str]] = []
    for right in (False, True):
        variants = [defect for defect in found if defect.right == right]
        for number in range(count if variants else 0):
            for _ in range(TRIES):
                if not free:
                    break
                at = free.pop()
                first = variants[number % len(variants)]  # each variant takes its turn
                made = first.make(rows[at].copy(), dice, clean)
                if made is None:
                    continue
                made.id = rows[at].id if first.kind == "edit" else -1
                if first.kind == "edit":
                    rows[at] = made
                    marked[right][at] = first.make.__name__
                else:
                    added.append((made, right, first.make.__name__))
                break
    names = marked[True] | marked[False]
    order = [(float(at), row, at in marked[True], names.get(at, "")) for at, row in enumerate(rows)]
    order += [(dice.random() * len(rows), row, right, name) for row, right, name in added]
    order.sort(key=lambda entry: entry[0])
    bad = {place: name for place, (_, _, right, name) in enumerate(order) if name and not right}
    decoys = {place: name for place, (_, _, right, name) in enumerate(order) if name and right}
    return Broken([row for _, row, _, _ in order], bad, decoys)


# ------------------------------------------------------------------------------------------- the set as files


def write(rows: Sequence[Row], clean: Clean, folder: Path, side: str) -> Iterator[tuple[Path, list[int], list[int]]]:
    """Writes a file for each shape; gives its path, the places of its rows, and the line that each begins on."""
    for shape in dict.fromkeys(row.shape for row in rows):
        places = [at for at, row in enumerate(rows) if row.shape == shape]
        chosen = [rows[at] for at in places]
        path = folder / f"{clean.name}-{side}-{shape}.{'csv' if shape == 'table' else 'jsonl'}"
        written = _cells(chosen, clean.columns) if shape == "table" else [line + b"\n" for line in lines(chosen)]
        path.write_bytes(b"".join(written))
        head = written[: len(written) - len(chosen)]
        line = 1 + sum(part.count(b"\n") for part in head)
        begins = []
        for part in written[len(head) :]:
            begins.append(line)
            line += part.count(b"\n")
        yield path, places, begins


def _cells(rows: Sequence[Row], columns: tuple[str, str]) -> list[bytes]:
    def line(cells: Iterable[str]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        return text.getvalue().encode()

    return [line(columns)] + [row.raw + b"\n" if row.raw else line((row.question, row.answer)) for row in rows]


Damage = Callable[[bytes], tuple[str, bytes]]


def looked(
    clean: Clean, rows: Sequence[Row], codes: Sequence[str] = (), damage: Damage | None = None
) -> tuple[Report, dict[tuple[str, int], int]]:
    """The report on `rows`, and where each of them stands: (file, line) -> place. `damage` changes the file itself."""

    across = not codes or any(code.startswith(ACROSS) for code in codes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {}
        paths = []
        for path, places, begins in write(rows, clean, folder, "train"):
            if damage is not None:
                suffix, data = damage(path.read_bytes())
                path = path.with_name(path.name + suffix)
                path.write_bytes(data)
            paths.append(str(path))
            found |= {(str(path), line): at for line, at in zip(begins, places)}
        held = [str(path) for path, _, _ in write(clean.held, clean, folder, "held")] if across else []
        named = dict(zip(("prompt", "completion"), clean.columns)) if rows[0].shape == "table" else {}

        def read(files: list[str]) -> Any:
            return formats.stream(files, map=named, group=clean.group) if files else ()

        report = check(read(paths), read(held), settings=CheckConfig(select=tuple(codes)))
    return report, found


# ----------------------------------------------------------------------------------------------------- scoring


@dataclass
class Spoken:
    """What a rule says of a set: for each finding the places of the rows that it names, the first one first."""

    findings: list[tuple[int, ...]]
    seconds: float

    @classmethod
    def of(cls, report: Report, places: dict[tuple[str, int], int], *codes: str) -> Spoken:
        """Rows of the held-out side, and files, have no place and are left out of a finding."""
        named = [
            tuple(places[source.file, source.line] for source in finding.rows if (source.file, source.line) in places)
            for finding in report.findings
            if finding.code in codes
        ]
        return cls(named, sum(report.timing.get(code, 0.0) for code in codes))


def score(broken: Broken, spoken: Spoken, before: frozenset[int]) -> dict[str, Any]:
    """Counts of one measurement. `before` are the numbers of the rows that the rule named first in the clean set.

    A finding flags one row, the one it names first, and is right where it names a row with the defect at all: of two
    copies either may come first. A row with the defect is found where a finding names it. What was said of the clean
    set already is neither right nor wrong here; `strict` counts it as wrong.
    """
    right, wrong, known, lured = set(), set(), set(), set()
    found: set[int] = set()
    for rows in spoken.findings:
        if not rows:
            continue
        if not broken.bad.keys().isdisjoint(rows):
            right.add(rows[0])
            found |= broken.bad.keys() & set(rows)
        elif broken.rows[rows[0]].id in before and rows[0] not in broken.decoys:
            known.add(rows[0])
        else:
            wrong.add(rows[0])
            if not broken.decoys.keys().isdisjoint(rows):
                lured.add(rows[0])
    variants: dict[str, list[int]] = {}
    for at, name in broken.bad.items():
        entry = variants.setdefault(name, [0, 0])
        entry[0] += at in found
        entry[1] += 1
    return {
        "injected": len(broken.bad),
        "found": len(found),
        "right": len(right),
        "wrong": len(wrong - right),
        "known": len(known - right - wrong),
        "decoys": len(broken.decoys),
        "lured": len(lured - right),
        "variants": variants,
        "missed": sorted(broken.bad.keys() - found),
        "false": sorted(wrong - right),
    }


# ---------------------------------------------------------------------------------------------------- measuring


@dataclass
class Bench:
    """Clean sets and what was said of them."""

    baselines: dict[str, dict[str, frozenset[int]]]
    reports: dict[str, Report]

    def before(self, clean: Clean, code: str) -> frozenset[int]:
        """Numbers of the rows that the rule names first in the clean set."""
        if clean.name not in self.baselines:
            report, places = looked(clean, clean.rows)
            found: dict[str, set[int]] = {}
            for finding in report.findings:
                if finding.rows:
                    source = finding.rows[0]
                    found.setdefault(finding.code, set()).add(places.get((source.file, source.line), -1))
            self.baselines[clean.name] = {name: frozenset(rows) for name, rows in found.items()}
            self.reports[clean.name] = report
        return self.baselines[clean.name].get(code, frozenset())


def measured(bench: Bench, clean: Clean, code: str, rate: float, show: bool = False) -> dict[str, Any]:
    """One line of the data."""
    also = {name for defect in DEFECTS if defect.code == code and defect.fits(clean) for name in defect.also}
    codes = sorted({code} | also & set(rules()))
    before = frozenset[int]().union(*(bench.before(clean, name) for name in codes))
    broken = inject(clean, code, rate, before)
    report, places = looked(clean, broken.rows, codes)
    row = {"set": clean.name, "code": code, "rate": rate, "rows": len(broken.rows)}
    row |= score(broken, spoken := Spoken.of(report, places, *codes), before)
    if show:
        _show(broken, row)
    for key in ("missed", "false"):
        del row[key]
    if code == "C401":
        row |= truths.ranking(clean, broken)
    return row | {"seconds": round(spoken.seconds, 4), "date": date.today().isoformat()}


def measured_whole(bench: Bench, clean: Clean, code: str, found: Sequence[Defect]) -> list[dict[str, Any]]:
    """A line for each way to break the set as a whole, none where the rule speaks of the clean set as well."""
    kept = []
    if bench.before(clean, code):
        return kept
    for defect in found:
        dice = random.Random(f"{clean.name}/{code}")
        rows = [row.copy() for row in clean.rows]
        if defect.kind == "whole":
            rows = defect.make(rows, dice, clean)
            report, _ = looked(clean, rows, [code])
        else:
            report, _ = looked(clean, rows, [code], partial(defect.make, dice=dice, clean=clean))
        said = bool(report.counts.get(code))
        row = {"set": clean.name, "code": code, "rate": 0.0, "rows": len(rows), "injected": int(not defect.right)}
        row |= {"found": int(said and not defect.right), "right": int(said and not defect.right)}
        row |= {"wrong": int(said and defect.right), "known": 0, "decoys": int(defect.right), "lured": 0}
        row |= {"variants": {defect.make.__name__: [int(said != defect.right), 1]}}
        kept.append(row | {"seconds": round(report.timing.get(code, 0.0), 4), "date": date.today().isoformat()})
    return kept


def _show(broken: Broken, row: dict[str, Any]) -> None:
    for word, places, names in (("missed", row["missed"], broken.bad), ("wrongly found", row["false"], broken.decoys)):
        for at in places[:8]:
            shown = broken.rows[at]
            text = (
                shown.raw.decode("utf-8", "replace") if shown.raw else json.dumps(shown.document(), ensure_ascii=False)
            )
            print(f"  {word} {row['set']} {names.get(at, '')}: {text[:700]}")


def name(row: dict[str, Any]) -> str:
    """SET/CODE/RATE."""
    return f"{row['set']}/{row['code']}/{row['rate']:g}"


def jobs(clean_sets: Iterable[Clean]) -> Iterator[tuple[Clean, str, float]]:
    """Every measurement there is, for rules that exist; rate 0 stands for defects of whole sets."""
    for clean in clean_sets:
        for code in rules():
            kinds = {
                defect.kind for defect in DEFECTS if defect.code == code and defect.fits(clean) and not defect.right
            }
            if kinds & {"edit", "more"}:
                yield from ((clean, code, rate) for rate in RATES)
            if kinds & {"whole", "file"}:
                yield clean, code, 0.0


def read() -> list[dict[str, Any]]:
    """The newest line of every measurement that there still is (whole sets and truths: of every variant)."""
    newest = {}
    wanted = {f"{clean.name}/{code}/{rate:g}" for clean, code, rate in jobs(sets().values())}
    variants = {defect.make.__name__ for defect in DEFECTS}
    if DATA.exists():
        for line in DATA.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            known = name(row) in wanted and variants.issuperset(row["variants"])
            if not known and not row["set"].startswith(("truth/", "clean/")):
                continue
            newest[name(row), *(row["variants"] if not row["rate"] else ())] = row
    return list(newest.values())


def keep(rows: Iterable[dict[str, Any]]) -> None:
    """Appends lines to the data and prints them in brief."""
    with open(DATA, "a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(proof.brief(row), flush=True)


def main() -> None:
    """Measures what is wanted and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="measurements whose name holds it")
    parser.add_argument("--again", action="append", default=[], metavar="TEXT", help="the same, measured or not")
    parser.add_argument("--show", action="append", default=[], metavar="TEXT", help="the same, with what went wrong")
    parser.add_argument("--report", action="store_true", help="write the tables and measure nothing")
    options = parser.parse_args()
    assert injectors.base.DEFECTS
    again = options.again + options.show
    done = {name(row) for row in read()}
    bench = Bench({}, {})
    for clean, code, rate in () if options.report else jobs(sets().values()):
        this = f"{clean.name}/{code}/{rate:g}"
        wanted = any(text in this for text in again) or (this not in done and not again)
        if wanted and (not options.only or any(text in this for text in options.only)):
            if rate:
                keep([measured(bench, clean, code, rate, any(text in this for text in options.show))])
            else:
                whole = [d for d in DEFECTS if d.code == code and d.kind in ("whole", "file") and d.fits(clean)]
                keep(measured_whole(bench, clean, code, whole))
    if not options.report and not options.only:
        keep(
            row for row in truths.measured(sets()) if any(text in name(row) for text in again) or name(row) not in done
        )
    if not options.only and not again and not options.report:
        keep(proof.said_of_clean(bench, sets().values()))
    proof.write(read())


if __name__ == "__main__":
    main()
