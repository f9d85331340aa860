"""`tailor curate DATA -o OUT`: a clean, covering part of the rows, and what became of the others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError

if TYPE_CHECKING:
    from tailor.config import RunConfig
    from tailor.curate.curation import Curation

_NO_TARGET = "it is not said where the rows go"


def command(
    data: options.Data = None,
    target: Annotated[
        str | None, typer.Option("--out", "-o", help="The file to write; its ledger is beside it.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option("--keep", help="How many rows: 200 or 10%; all clean ones if not given.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="How they are chosen: facility, random or longest.")] = None,
    contradictions: Annotated[
        str | None, typer.Option("--contradictions", help="majority, drop, or ask: same question, other answer.")
    ] = None,
    doubt: Annotated[
        str | None,
        typer.Option("--doubt", help="Leave out rows whose label scores this much less than another: 0.1, auto, off."),
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option("--leave-out", help="Rules whose rows go too, beside those that block: C2,Q1.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="Held-out rows: what shares a question or group with them goes."),
    ] = None,
    group: options.Group = None,
    force: options.Force = False,
    seed: options.Seed = None,
    recipe: options.Recipe = None,
    columns: options.Columns = None,
    threads: options.Threads = None,
    assign: options.Assign = None,
    as_json: options.AsJson = False,
) -> None:
    """Clean, resolve contradictions, leave out noise, choose rows that stand for all; DATA itself stays as it is.

    Rows are written as they stood, in the shape of DATA. OUT.ledger.jsonl says of every row that is not among them at
    which step it left, by which rule, and why.
    """
    from tailor.cli import _rows
    from tailor.cli._print import document

    leave_out = options.codes(leave_out)
    config = options.settings(locals())
    if target is None:
        raise ConfigError(_NO_TARGET, fix="name the file: tailor curate data.jsonl -o clean.jsonl")
    files = _rows.sources(config.data.train)
    out = Path(target)
    ledger = out.with_name(f"{out.stem}.ledger.jsonl")
    _rows.ending(out, files)
    _rows.writable([out, ledger], files, force=force)
    found = _curate(config, list(against or ()))
    notes = found.notes + _write(found, files, out, ledger)
    if as_json:
        document(_document(found, out, ledger, notes))
    else:
        _show(found, out, ledger, notes)


def _curate(config: RunConfig, against: list[str]) -> Curation:
    from tailor.cli import _rows
    from tailor.cli._screen import Screen
    from tailor.curate.curation import curate
    from tailor.environment import cores

    asking = config.curate.contradictions == "ask"
    if asking and not sys.stdin.isatty():
        raise ConfigError("--contradictions ask: there is no terminal to ask at", fix="choose majority or drop")
    with Screen() as screen:
        return curate(
            _rows.stream(config.data, config.data.train, screen),
            _rows.stream(config.data, against, screen) if against else (),
            settings=config.curate,
            check=config.check,
            seed=config.run.seed,
            decide=_ask if asking else None,
            workers=config.run.threads or cores(),
            progress=screen.progress,
        )


def _ask(question: str, answers: Sequence[tuple[str, int]]) -> int | None:
    """Shows a question and its answers; the number of the right one, or None for none."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print(f"\n{' '.join(question.split())[-500:]}")
    for number, (answer, rows) in enumerate(answers, 1):
        console.print(f"  {number}  {' '.join(answer.split())[:200]}  ({rows:,} row{'s' if rows > 1 else ''})")
    while True:
        said = console.input("which is right? (0: none, all leave) ").strip()
        if said.isdecimal() and int(said) <= len(answers):
            return int(said) - 1 if int(said) else None


def _write(found: Curation, files: Sequence[Path], out: Path, ledger: Path) -> list[str]:
    from tailor import formats
    from tailor.cli import _rows
    from tailor.curate.extract import extract, keep_books

    failed = extract(files, formats.layout, found.kept, out)
    keep_books(ledger, found.ledger, (gone._asdict() for gone in found.gone), found.kept, str(out))
    return _rows.failures(failed)


def _document(found: Curation, out: Path, ledger: Path, notes: list[str]) -> dict[str, Any]:
    return {
        "rows_in": found.ledger.rows_in,
        "kept": found.ledger.train,
        "out": str(out),
        "ledger": str(ledger),
        "steps": [step._asdict() for step in found.steps],
        "labels": {"before": found.labels[0], "after": found.labels[1]} if found.labels[0] else None,
        "notes": notes,
    }


def _show(found: Curation, out: Path, ledger: Path, notes: list[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    from tailor.cli import _rows

    rows = []
    for step in found.steps:
        went = sum(step.why.values())
        why = "; ".join(f"{reason} ({count:,})" if len(step.why) > 1 else reason for reason, count in step.why.items())
        rows.append((step.name, f"{step.left:,}", f"-{went:,}" if went else "", why))
    _rows.table(("step", "rows left", "went", "why"), rows)
    console = Console(highlight=False)
    if found.labels[0]:
        console.print(f"labels: {found.labels[1]:,} of {found.labels[0]:,}")
    for note in notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)
    console.print(Text.assemble("rows    ", (str(out), "bold")), soft_wrap=True)
    console.print(Text.assemble("ledger  ", (str(ledger), "bold")), soft_wrap=True)
