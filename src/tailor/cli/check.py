"""`tailor check DATA`: every defect, with file:line:column, its cost and remedy; of a RUN, what was learned late."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Annotated

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tailor.cli._screen import Screen
    from tailor.config import RunConfig
    from tailor.curate.check import Report
    from tailor.curate.model import Model
    from tailor.run import Run

Codes = list[str] | None
Against = Annotated[
    list[str] | None, typer.Option("--against", help="Held-out rows that the data must share nothing with.")
]
Select = Annotated[Codes, typer.Option("--select", help="Rules to run: codes, families (D) or names.")]
Ignore = Annotated[Codes, typer.Option("--ignore", help="Rules to leave out.")]
Explain = Annotated[str | None, typer.Option("--explain", help="What a rule is about; `all` lists them.")]
Fix = Annotated[
    bool, typer.Option("--fix", help="Write NAME.fixed and a patch beside DATA; DATA itself stays as it is.")
]
Undo = Annotated[str | None, typer.Option("--undo", help="A patch of --fix: write the file as it was, byte for byte.")]
Folder = Annotated[str | None, typer.Option("--out", help="Folder for what --fix and --undo write.")]
Judge = Annotated[
    str | None,
    typer.Option("--model", help="Also run the rules that need one: thimble, a local folder, or a hub id."),
]
AsSarif = Annotated[bool, typer.Option("--sarif", help="SARIF 2.1.0 on stdout, for editors and CI.")]
Timing = Annotated[bool, typer.Option("--timing", help="Processor time a rule.")]


def command(
    data: options.Data = None,
    against: Against = None,
    select: Select = None,
    ignore: Ignore = None,
    explain: Explain = None,
    fix: Fix = False,
    undo: Undo = None,
    folder: Folder = None,
    model: Judge = None,
    recipe: options.Recipe = None,
    columns: options.Columns = None,
    over_length: options.OverLength = None,
    device: options.Device = None,
    threads: options.Threads = None,
    assign: options.Assign = None,
    as_json: options.AsJson = False,
    as_sarif: AsSarif = False,
    with_timing: Timing = False,
) -> None:
    """Look at every row; report each defect with file:line:column, what it costs, and what to do.

    DATA may be a run folder: its training rows are checked, and which of them were learned late. Exit code 1 where
    something is found that should not be trained on without a look, 0 where not, 2 where not one row can be read.
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
    select, ignore = options.codes(select), options.codes(ignore)
    run = _run(data, changed=fix or bool(recipe))
    if run is not None:
        data, recipe = None, str(run.path / "recipe.toml")
    config = options.settings(locals())
    report = _check(config, run, list(against or ()), repair=fix, with_model=model is not None)
    console = Console(highlight=False)
    if as_json:
        document(_findings.document(report))
    elif as_sarif:
        document(_findings.sarif(report))
    else:
        _findings.show(report, console, config.check.show)
    _findings.notes(report, Console(highlight=False, stderr=True))
    if fix:
        _fix(report, folder)
    if with_timing:
        _findings.timing(report, Console(highlight=False, stderr=as_json or as_sarif))
    if report.defective:
        raise typer.Exit(1 if report.rows else 2)  # 2: nothing could be read at all


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


def _run(data: list[str] | None, *, changed: bool) -> Run | None:
    """The run that stands for DATA; None where files do. Raises ConfigError where its rows are to be `changed`."""
    from pathlib import Path

    from tailor.run import Run

    if not data or len(data) > 1 or not (Path(data[0]) / "config.json").exists():
        return None
    if changed:
        raise ConfigError("a run's rows and settings are its own", fix="give the data to --fix and --recipe, not a run")
    return Run.open(data[0])


def _check(config: RunConfig, run: Run | None, against: list[str], *, repair: bool, with_model: bool) -> Report:
    from tailor.cli import _rows
    from tailor.cli._screen import Screen
    from tailor.curate.check import check
    from tailor.curate.dynamics import Dynamics
    from tailor.environment import cores
    from tailor.records import Example

    held_out = against if run is not None else [*against, *config.data.validation, *config.data.test]
    rows = list(run.lines("data/train.jsonl", Example)) if run is not None else None
    with Screen() as screen:
        return check(
            _rows.stream(config.data, config.data.train, screen) if rows is None else rows,
            _rows.stream(config.data, held_out, screen) if held_out else (),
            settings=config.check,
            repair=repair,
            workers=config.run.threads or cores(),
            progress=screen.progress,
            model=_model(config, screen) if with_model else None,
            dynamics=Dynamics.read(run, len(rows)) if run is not None and rows is not None else None,
        )


def _model(config: RunConfig, screen: Screen) -> Model:
    from tailor.cli._model import model

    return model(config, screen.say)
