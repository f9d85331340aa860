"""`tailor check DATA`: every defect, with file:line:column, what it costs, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tailor.cli._screen import Screen
    from tailor.config import RunConfig
    from tailor.curate.check import Report
    from tailor.errors import Problem
    from tailor.records import Example

Codes = list[str] | None


def command(
    data: options.Data = None,
    against: Annotated[
        list[str] | None, typer.Option("--against", help="Held-out rows that the data must share nothing with.")
    ] = None,
    select: Annotated[Codes, typer.Option("--select", help="Rules to run: codes, families (D) or names.")] = None,
    ignore: Annotated[Codes, typer.Option("--ignore", help="Rules to leave out.")] = None,
    explain: Annotated[str | None, typer.Option("--explain", help="What a rule is about; `all` lists them.")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write NAME.fixed and a patch beside DATA; DATA itself stays as it is.")
    ] = False,
    undo: Annotated[
        str | None, typer.Option("--undo", help="A patch of --fix: write the file as it was, byte for byte.")
    ] = None,
    folder: Annotated[str | None, typer.Option("--out", help="Folder for what --fix and --undo write.")] = None,
    recipe: options.Recipe = None,
    columns: options.Columns = None,
    threads: options.Threads = None,
    assign: options.Assign = None,
    as_json: options.AsJson = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="SARIF 2.1.0 on stdout, for editors and CI.")] = False,
    with_timing: Annotated[bool, typer.Option("--timing", help="Processor time a rule.")] = False,
) -> None:
    """Look at every row; report each defect with file:line:column, what it costs, and what to do.

    Exit code 1 where something is found that should not be trained on without a look, 0 where not, 2 where not one row
    can be read.
    """
    from rich.console import Console

    from tailor.cli import _findings
    from tailor.cli._print import document

    if explain is not None:
        _explain(explain)
        return
    if undo is not None:
        _undo(undo, folder)
        return
    if as_json and as_sarif:
        raise ConfigError("--json and --sarif are two documents", fix="choose one")
    select, ignore = _codes(select), _codes(ignore)
    config = options.settings(locals())
    report = _check(config, list(against or ()), repair=fix)
    console = Console(highlight=False)
    if as_json:
        document(_findings.document(report))
    elif as_sarif:
        document(_findings.sarif(report))
    else:
        _findings.show(report, console, config.check.show)
    if fix:
        _fix(report, folder)
    if with_timing:
        _findings.timing(report, Console(highlight=False, stderr=as_json or as_sarif))
    if report.defective:
        raise typer.Exit(1 if report.rows else 2)  # 2: nothing could be read at all


def _codes(given: Codes) -> Codes:
    """`--select D,F001 --select L` as a list of three."""
    return [code.strip() for entry in given or () for code in entry.split(",") if code.strip()]


def _explain(name: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from tailor.cli import _findings
    from tailor.curate.rules.base import chosen

    console = Console(highlight=False)
    if name == "all":
        for rule in chosen():
            line = Text.assemble((rule.code, _findings.COLOURS[rule.severity]), f" {rule.title} ({rule.name})")
            console.print(line)
        return
    for rule in chosen([name]):
        _findings.explain(rule, console)


def _undo(patch: str, folder: str | None) -> None:
    from pathlib import Path

    from rich.console import Console

    from tailor.curate.patch import undo

    restored = undo(Path(patch), Path(folder) if folder else None)
    Console(highlight=False).print(f"{restored}: as it was before the repair", soft_wrap=True)


def _fix(report: Report, folder: str | None) -> None:
    """Writes the repaired files and their patches, and says so on stderr."""
    from collections import defaultdict
    from pathlib import Path

    from rich.console import Console

    from tailor import formats
    from tailor.curate.patch import Repair, write

    console = Console(stderr=True, highlight=False)
    by_file: dict[str, dict[int, list[Repair]]] = defaultdict(dict)
    for source, repairs in report.repairs.items():
        by_file[source.file][source.line] = repairs
    if not by_file:
        console.print("nothing that can safely be repaired without asking")
    for name, lines in by_file.items():
        fixed, patch = _fresh(Path(name), Path(folder) if folder else Path(name).parent)
        changed, failed = write(Path(name), formats.layout(Path(name)), lines, fixed, patch)
        rows = f"{changed:,} row" + ("s" if changed != 1 else "")
        console.print(f"{rows} repaired in {fixed}; tailor check --undo {patch} leads back", soft_wrap=True)
        if failed:
            places = ", ".join(str(source.line) for source in failed[:10])
            console.print(
                f"{len(failed):,} rows join several values and were left as they are: {places}", soft_wrap=True
            )


def _fresh(file: Path, folder: Path) -> tuple[Path, Path]:
    """Names for the repaired file and its patch that nothing has yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        stem = f"{file.stem}.fixed" + (f"-{number}" if number > 1 else "")
        fixed, patch = folder / f"{stem}{file.suffix}", folder / f"{stem}.patch.jsonl"
        if not fixed.exists() and not patch.exists():
            return fixed, patch
    raise AssertionError  # count never ends


def _check(config: RunConfig, against: list[str], *, repair: bool) -> Report:
    from tailor.cli._screen import Screen
    from tailor.curate.check import check

    held_out = [*against, *config.data.validation, *config.data.test]
    with Screen() as screen:
        return check(
            _rows(config, config.data.train, screen),
            _rows(config, held_out, screen) if held_out else (),
            settings=config.check,
            repair=repair,
            workers=config.run.threads or _cores(),
            progress=screen.progress,
        )


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _rows(config: RunConfig, paths: Any, screen: Screen) -> Iterator[Example | Problem]:
    from tailor import formats

    return formats.stream(
        list(paths),
        format=config.data.format,
        map=config.data.map,
        group=config.data.group,
        seen=screen.say,
        progress=screen.progress,
    )
