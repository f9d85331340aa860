"""From `defects.jsonl` to `defects.md`, a section of `RESULTS.md`. Only the standard library is used here.

Means are over sets first, then over rules, so that a rule with many sets counts as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

Line = dict[str, Any]
BENCH = Path(__file__).resolve().parent
RATES = (0.01, 0.03, 0.10)
AT_LEAST = {"C101": (0.99, 0.98), "L101": (0.99, 0.98)}  # recall, precision; all others
OTHERS = (0.85, 0.80)
EXEMPT = ("C401",)


def recall(line: Line) -> float:
    """Share of the injected rows that a finding names."""
    return line["found"] / max(1, line["injected"])


def precision(line: Line) -> float:
    """Share of the rows flagged beyond those of the clean set that are right; 1 where nothing was flagged."""
    return line["right"] / (line["right"] + line["wrong"]) if line["right"] + line["wrong"] else 1.0


def strict(line: Line) -> float:
    """The same with all that was said of the clean set counted as wrong."""
    flagged = line["right"] + line["wrong"] + line["known"]
    return line["right"] / flagged if flagged else 1.0


def brief(line: Line) -> str:
    """A line of the data for the screen."""
    if line["set"].startswith("clean/"):
        return f"{line['set']}: {sum(line['counts'].values())} findings of {len(line['counts'])} rules"
    variants = ", ".join(f"{name} {a}/{b}" for name, (a, b) in line["variants"].items() if a < b)
    text = f"{line['set']}/{line['code']}/{line['rate']:g}: recall {recall(line):.3f}, precision {precision(line):.3f}"
    text += f" ({line['found']} of {line['injected']}, {line['wrong']} wrong, {line['known']} known)"
    return text + f" {line['seconds']:.2f} s" + (f"; short: {variants}" if variants else "")


def write(lines: Sequence[Line]) -> None:
    """Writes the section, and prints what falls short."""
    page = _page(lines)
    (BENCH / "defects.md").write_text("\n".join(page) + "\n", encoding="utf-8")


def _page(lines: Sequence[Line]) -> list[str]:
    rows = [line for line in lines if line["rate"]]
    page = [
        "Defects put into clean data (`defects.py`, `injectors/`), and what the rule of each finds. The injectors know",
        "nothing of the rules. A finding flags the row that it names first, and is right where it names an injected",
        "row: of two copies either may come first. Beside each injected row stands one that only looks like it, where",
        "such rows could be thought of (*decoys*); what is said of them is wrong. What the rule says of the clean set",
        "already is neither right nor wrong, for it is mostly true; *strict* is the precision with all of it counted",
        "as wrong.",
        "",
    ]
    page += ["| rate | rules | mean recall | mean precision | rules below 0.85 / 0.80 |", "|---|---|---|---|---|"]
    for rate in RATES:
        found = by_rule([line for line in rows if line["rate"] == rate])
        if found:
            means = fmean(figures[0] for figures in found.values()), fmean(figures[1] for figures in found.values())
            page.append(f"| {rate:.0%} | {len(found)} | {means[0]:.3f} | {means[1]:.3f} | {_short(found) or 'none'} |")
    page += _turned(rows)
    for rate in RATES:
        page += ["", f"### {rate:.0%} of the rows", "", *_table([line for line in rows if line["rate"] == rate], rows)]
    page += _wholes([line for line in lines if not line["rate"] and line.get("injected")])
    page += _ranking([line for line in rows if "auroc" in line])
    page += _truths([line for line in lines if line["set"].startswith("truth/")])
    page += _clean([line for line in lines if line["set"].startswith("clean/")])
    return page


def _turned(rows: Sequence[Line]) -> list[str]:
    """What the mean of K104 is made of."""
    at = {line["set"]: line for line in rows if line["code"] == "K104" and line["rate"] == 0.03}
    if not at:
        return []
    shown = ", ".join(f"*{name}* {recall(line):.2f} / {precision(line):.2f}" for name, line in sorted(at.items()))
    return [
        "",
        f"The line of K104 is the mean of an easy set and a hard one (3%: {shown}). In *notes* a clinical",
        "note stands against the patient's own words; in *rasbt* pairs are polite or rude, or merely reworded: ridge,",
        "naive Bayes and logistic models of their words rank the turned ones alike (AUROC 0.98), and whoever wants to",
        "find 0.85 of them at 3% is wrong in half of what he names, with any of the three.",
    ]


def by_rule(lines: Iterable[Line]) -> dict[str, tuple[float, float, float]]:
    """code -> mean recall, precision and strict precision over its sets."""
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        groups[line["code"]].append(line)
    return {
        code: (fmean(map(recall, group)), fmean(map(precision, group)), fmean(map(strict, group)))
        for code, group in sorted(groups.items())
    }


def _short(found: dict[str, tuple[float, float, float]]) -> str:
    """The rules that miss what they have to reach."""
    return ", ".join(
        f"{code} {a:.2f} / {b:.2f}"
        for code, (a, b, _) in found.items()
        if code not in EXEMPT and (a < AT_LEAST.get(code, OTHERS)[0] or b < AT_LEAST.get(code, OTHERS)[1])
    )


def _table(lines: Sequence[Line], all_lines: Sequence[Line]) -> list[str]:
    every = sorted({line["set"] for line in all_lines})
    found = by_rule(lines)
    page = [
        "| rule | injected | recall | precision | strict | decoys flagged | ms per 1,000 rows | sets |",
        "|---|" + "---|" * 7,
    ]
    for code, (a, b, c) in found.items():
        group = [line for line in lines if line["code"] == code]
        decoys = sum(line["decoys"] for line in group)
        lured = f"{sum(line['lured'] for line in group)} of {decoys}" if decoys else ""
        cost = 1e6 * sum(line["seconds"] for line in group) / sum(line["rows"] for line in group)
        sets = sorted(line["set"] for line in group)
        count = sum(line["injected"] for line in group)
        figures = f"{count:,} | {a:.3f} | {b:.3f} | {c:.3f} | {lured} | {cost:.1f}"
        page.append(f"| {code} | {figures} | {', '.join(sets)} |")
    page += ["", f"A rule does not apply to the sets that its line does not name; all of them: {', '.join(every)}."]
    return page


def _wholes(lines: Sequence[Line]) -> list[str]:
    lines = [line for line in lines if not line["set"].startswith(("truth/", "clean/"))]
    if not lines:
        return []
    page = ["", "### Defects of a whole set or file", "", "Silent on the clean set, and here:", ""]
    page += ["| rule | set | how it was broken | said |", "|---|---|---|---|"]
    for line in sorted(lines, key=lambda line: (line["code"], line["set"])):
        how = " ".join(line["variants"]).replace("_", " ")
        page.append(f"| {line['code']} | {line['set']} | {how} | {'yes' if line['found'] else '**no**'} |")
    return page


def _ranking(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    page = [
        "",
        "### Wrong labels as a ranking",
        "",
        "Rows by how little the other rows speak for their label; k is how many are wrong.",
        "",
    ]
    page += ["| set | rate | AUROC | precision at k |", "|---|---|---|---|"]
    for line in sorted(lines, key=lambda line: (line["set"], line["rate"])):
        page.append(f"| {line['set']} | {line['rate']:.0%} | {line['auroc']:.3f} | {line['precision_at_k']:.2f} |")
    return page


def _truths(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    page = [
        "",
        "### Real truths",
        "",
        "The near rows of gpteacher are known without the rule: the header of the tool-use prompt is taken off by its",
        "lines, every pair of rows is then compared exactly (Jaccard of the runs of five bytes in question and answer,",
        "0.8 and more), and a row counts that is near an earlier one. By how often lines stand there, those that 5% of",
        "the rows have are header, and so is a label before a colon that half of them have (`toolformer access:`),",
        "not the rarer lists of tools behind it. *Whole header* knows the format and takes off those lists as well,",
        "which the rule keeps: what varies is content. Of the rows of E2E that people corrected many say what is asked",
        "for in other words, or say more than it; C502 is right to be silent there.",
        "",
        "| data | rule | true | recall | precision | what is compared |",
        "|---|---|---|---|---|---|",
    ]
    for line in sorted(lines, key=lambda line: (line["set"], line["code"])):
        shown = f"{precision(line):.3f}" if line["right"] + line["wrong"] else ""
        data = line["set"].removeprefix("truth/")
        page.append(
            f"| {data} | {line['code']} | {line['injected']:,} | {recall(line):.3f} | {shown} | {line['about']} |"
        )
    return page


def _clean(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    page = [
        "",
        "### What is said of the clean sets",
        "",
        "Findings by rule; blocking ones in bold.",
        "",
    ]
    page += ["| set | rows | findings |", "|---|---|---|"]
    for line in sorted(lines, key=lambda line: line["set"]):
        shown = [f"**{code} {n}**" if code in line["blocking"] else f"{code} {n}" for code, n in line["counts"].items()]
        page.append(f"| {line['set'].removeprefix('clean/')} | {line['rows']:,} | {', '.join(shown) or 'none'} |")
    return page


def said_of_clean(bench: Any, sets: Iterable[Any]) -> list[Line]:
    """A line for each clean set: how many findings each rule has, and which are blocking."""
    lines = []
    for clean in sets:
        bench.before(clean, "")
        report = bench.reports[clean.name]
        blocking = sorted({finding.code for finding in report.findings if finding.severity == "block"})
        line = {
            "set": f"clean/{clean.name}",
            "code": "",
            "rate": 0.0,
            "rows": report.rows,
            "variants": {},
            "injected": 0,
        }
        lines.append(line | {"counts": report.counts, "blocking": blocking})
    return lines
