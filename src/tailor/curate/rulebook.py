"""The page of all rules, made from the rules themselves: `python -m tailor.curate.rulebook docs/rules.md`."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from tailor.curate.rules.base import FAMILIES, NEEDS, Rule, rules

_HEAD = """# The rules of `tailor check`

Made from `src/tailor/curate/rules/` by `make docs`; a test compares. `tailor check --explain CODE` prints one of them.
*block*: training on it is wrong. *warn*: a person should look. *inform*: good to know; the exit code stays 0.
"""


def page() -> str:
    """The text of `docs/rules.md`."""
    lines = [_HEAD]
    every = list(rules().values())
    for family, members in groupby(every, key=lambda rule: rule.code[0]):
        held = list(members)
        lines += [f"## {family}: {FAMILIES[family]}\n", "| code | finds | severity | `--fix` |", "|---|---|---|---|"]
        lines += [
            f"| [{rule.code}](#{_anchor(rule)}) | {rule.title} | {rule.severity} | {_fixes(rule)} |" for rule in held
        ]
        lines.append("")
        lines += [_entry(rule) for rule in held]
    return "\n".join(lines)


def _entry(rule: Rule) -> str:
    told = [f"### {rule.code} {rule.name}\n", f"{rule.title}.\n", f"{rule.explanation}\n"]
    told += [f"{NEEDS[rule.needs]}\n"] if rule.needs else []
    return "\n".join([*told, f"If ignored: {rule.cost}.  ", f"Fix: {rule.fix}.\n"])


def _anchor(rule: Rule) -> str:
    return f"{rule.code} {rule.name}".lower().replace(" ", "-")


def _fixes(rule: Rule) -> str:
    return "yes" if rule.mend or rule.drops else ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
