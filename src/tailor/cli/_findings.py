"""What `tailor check` prints: for people, as one JSON document, or as SARIF for an editor or a code host."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tailor import __version__
from tailor.curate.check import Report
from tailor.curate.rules.base import FAMILIES, NEEDS, SEVERITIES, Rule, rules
from tailor.records import Finding, Source

COLOURS = {"block": "bold red", "warn": "yellow", "inform": "cyan"}
_LEVELS = {"block": "error", "warn": "warning", "inform": "note"}
_TABLES = (".gz", ".parquet", ".xlsx")


def document(report: Report) -> dict[str, Any]:
    """The one JSON document of a check."""
    findings = [
        {
            "code": finding.code,
            "severity": finding.severity,
            "message": finding.message,
            "rows": [{"file": row.file, "line": row.line} for row in finding.rows],
            "evidence": finding.evidence,
            "fix": finding.fix,
        }
        for finding in report.findings
    ]
    return {"rows": report.rows, "seconds": round(report.seconds, 3), "findings": findings, "counts": report.counts}


def sarif(report: Report) -> dict[str, Any]:
    """The findings as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the line."""
    columns = locate(report.findings)
    every = rules()
    results = []
    for number, finding in enumerate(report.findings):
        result: dict[str, Any] = {
            "ruleId": finding.code,
            "level": _LEVELS[finding.severity],
            "message": {"text": "\n".join(filter(None, (finding.message, finding.evidence, finding.fix)))},
        }
        places = [_location(row, columns.get(number, 0) if not i else 0) for i, row in enumerate(finding.rows)]
        result["locations"] = places[:1]
        if places[1:]:
            result["relatedLocations"] = places[1:]
        results.append(result)
    driver = {
        "name": "tailor",
        "version": __version__,
        "rules": [
            {
                "id": code,
                "name": every[code].name,
                "shortDescription": {"text": every[code].title},
                "fullDescription": {"text": every[code].explanation or every[code].title},
                "help": {"text": f"{every[code].fix}. If ignored: {every[code].cost}."},
                "defaultConfiguration": {"level": _LEVELS[every[code].severity]},
            }
            for code in report.counts
        ],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return {"$schema": schema, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _location(row: Source, column: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": Path(row.file).as_posix()}}
    if row.line:
        place["region"] = {"startLine": row.line} | ({"startColumn": column} if column else {})
    return {"physicalLocation": place}


def show(report: Report, console: Console, limit: int) -> None:
    """The findings for people: a block a rule, worst first, `limit` of each, the rest counted."""
    every = rules()
    shown: list[tuple[Rule, str, list[Finding], int]] = []
    for (severity, code), group in groupby(report.findings, key=lambda finding: (finding.severity, finding.code)):
        found = list(group)
        kept = sum(finding.code == code for finding in report.findings)
        missing = report.counts[code] - kept if found[0].severity == every[code].severity else 0
        shown.append((every[code], severity, found[:limit], len(found) + missing))
    columns = locate([finding for _, _, found, _ in shown for finding in found])
    number = 0
    for rule, severity, found, count in shown:
        console.print(
            Text.assemble((severity, COLOURS[severity]), f" {rule.code} ", (rule.title, "bold"), f": {count:,}")
        )
        for finding in found:
            _one(finding, columns.get(number, 0), console)
            number += 1
        if count > len(found):
            console.print(Text(f"  and {count - len(found):,} more", "dim"))
        fixes = {finding.fix for finding in found}
        if fixes == {rule.fix}:
            console.print(Text(f"  fix: {rule.fix}"))
        console.print(Text(f"  if ignored: {rule.cost}", "dim"))
        console.print()
    console.print(Text(summary(report)))


def _one(finding: Finding, column: int, console: Console) -> None:
    first = str(finding.rows[0]) if finding.rows and finding.rows[0].line else _file(finding)
    place = f"{first}:{column}" if column else first
    others = [str(row.line) if row.file == finding.rows[0].file else str(row) for row in finding.rows[1:]]
    rest = f" ({', '.join(others[:6])}{', …' if len(others) > 6 else ''})" if others else ""
    said = Text.assemble("  ", (place, "bold"), f" {finding.code} ", visible(finding.message), rest)
    console.print(said, soft_wrap=True)
    for line in finding.evidence.split("\n")[:6] if finding.evidence else ():
        text = visible(line)
        room = max(20, console.width - 6)
        console.print(Text(f"      {text if len(text) <= room else text[: room - 1] + '…'}", "dim"), soft_wrap=True)
    if finding.fix != rules()[finding.code].fix:
        console.print(Text(f"      fix: {visible(finding.fix)}"))


def _file(finding: Finding) -> str:
    return finding.rows[0].file if finding.rows else "all rows"


def summary(report: Report) -> str:
    """One line: rows, seconds, and how many findings of each severity."""
    severities = Counter(finding.severity for finding in report.findings)
    every = rules()
    kept = Counter(finding.code for finding in report.findings)
    for code, count in report.counts.items():
        severities[every[code].severity] += count - kept[code]
    told = ", ".join(f"{severities[severity]:,} {severity}" for severity in SEVERITIES if severities[severity])
    speed = f"{report.rows:,} rows in {report.seconds:.1f} s"
    return f"{speed}: {told}" if told else f"{speed}: nothing found"


def notes(report: Report, console: Console) -> None:
    """What has to be known of the check itself, a line each."""
    for note in report.notes:
        console.print(Text(note, "dim"), soft_wrap=True)


def timing(report: Report, console: Console) -> None:
    """Seconds of processor time a rule, the longest first."""
    for name, seconds in sorted(report.timing.items(), key=lambda item: -item[1]):
        title = rules()[name].title if name in rules() else "for all rules"
        console.print(Text(f"{seconds:8.3f} s  {name:8} {title}"), soft_wrap=True)


def explain(rule: Rule, console: Console) -> None:
    """What one rule is about."""
    head = (f"{rule.code} ", COLOURS[rule.severity]), (rule.title, "bold")
    console.print(Text.assemble(*head))
    console.print(Text(f"{FAMILIES[rule.code[0]]}, {rule.severity}, called {rule.name}\n", "dim"))
    console.print(Text(" ".join(rule.explanation.split("\n")) + "\n"))
    if rule.needs:
        console.print(Text(NEEDS[rule.needs].replace("`", "") + "\n"))
    console.print(
        Text(f"if ignored: {rule.cost}\nfix: {rule.fix}{' (--fix does it)' if rule.mend or rule.drops else ''}")
    )


def visible(text: str) -> str:
    """The text on one line, with what a terminal would act on or not show written out."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text.replace("\n", "⏎"))


# ------------------------------------------------------------------------------------------------- columns


def locate(findings: Sequence[Finding]) -> dict[int, int]:
    """Place in `findings` -> column, for those whose text can be found in the line of their first row."""
    found = {number: finding.column for number, finding in enumerate(findings) if finding.column}
    wanted: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, finding in enumerate(findings):
        if finding.at and finding.rows and not finding.rows[0].file.lower().endswith(_TABLES):
            wanted[finding.rows[0].file][finding.rows[0].line].append(number)
    for file, lines in wanted.items():
        if not Path(file).exists():  # a run's rows outlive the file that they came from
            continue
        for line, text in _lines(Path(file), lines):
            for number in lines[line]:
                column = _column(text, findings[number].at)
                if column:
                    found[number] = column
    return found


def _lines(path: Path, wanted: Iterable[int]) -> Iterable[tuple[int, str]]:
    left = set(wanted)
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if number in left:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8", "replace")
                left.discard(number)
                if not left:
                    return


def _column(line: str, at: str) -> int:
    spellings = (json.dumps(at, ensure_ascii=False)[1:-1], json.dumps(at)[1:-1], at.replace('"', '""'), at)
    return next((place + 1 for spelling in spellings if (place := line.find(spelling)) >= 0), 0)
