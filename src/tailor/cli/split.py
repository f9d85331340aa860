"""`tailor split DATA --out FOLDER`: train, validation and test rows that share nothing, each row always on its side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError

if TYPE_CHECKING:
    from tailor.config import DataConfig, RunConfig
    from tailor.curate.split import Splits
    from tailor.records import Example, Ledger

SIDES = ("train", "validation", "test")


def command(
    data: options.Data = None,
    folder: Annotated[str | None, typer.Option("--out", "-o", help="The folder to write to.")] = None,
    test: Annotated[str | None, typer.Option("--test", help="Share of the test rows; 20% if not given.")] = None,
    validation: Annotated[
        str | None, typer.Option("--validation", help="Share of the validation rows; 10% if not given, 0 for none.")
    ] = None,
    group: options.Group = None,
    force: options.Force = False,
    recipe: options.Recipe = None,
    columns: options.Columns = None,
    max_bad: options.MaxBad = None,
    assign: options.Assign = None,
    as_json: options.AsJson = False,
) -> None:
    """Divide rows so that no question and no group stands on two sides; DATA itself stays as it is.

    The side of a row follows from a hash of its group, else of its question: rows that are added later never move it.
    Rows are written as they stood, in the shape of DATA; ledger.jsonl names those that fit on no side.
    """
    from tailor.cli import _rows
    from tailor.cli._print import document

    shares = _rows.share(test, "--test"), _rows.share(validation, "--validation")
    config = options.settings({name: value for name, value in locals().items() if name not in ("test", "validation")})
    if folder is None:
        raise ConfigError("it is not said where the rows go", fix="name a folder: tailor split data.jsonl --out parts")
    files = _rows.sources(config.data.train)
    targets = {side: Path(folder) / f"{side}{files[0].suffix}" for side in SIDES}
    _rows.writable([*targets.values(), Path(folder) / "ledger.jsonl"], files, force=force)
    found, ledger = _split(config, _shares(config.data, *shares))
    written = _write(found, ledger, files, targets, Path(folder) / "ledger.jsonl")
    if as_json:
        document(_document(found, ledger, written, Path(folder)))
    else:
        _show(found, ledger, written, Path(folder))


def _shares(data: DataConfig, test: float | None, validation: float | None) -> DataConfig:
    """The settings with these shares."""
    test = data.test_share if test is None else test
    validation = data.validation_share if validation is None else validation
    if not test:
        raise ConfigError("--test 0 sets nothing aside", fix="give a share, such as 20%")
    return data.model_copy(update={"test_share": test, "validation_share": validation})


def _split(config: RunConfig, data: DataConfig) -> tuple[Splits, Ledger]:
    from tailor import formats
    from tailor.cli._screen import Screen
    from tailor.curate.split import split
    from tailor.records import Ledger

    with Screen() as screen:
        reading = formats.read(
            list(data.train),
            format=data.format,
            map=data.map,
            max_bad=data.max_bad,
            group=data.group,
            progress=screen.progress,
        )
        screen.say(reading.seen)
        ledger = Ledger(rows_in=reading.rows_in)
        ledger.drop("malformed", (problem.where for problem in reading.bad))
        found = split(reading.examples, (), (), data=data, eval=config.eval, ledger=ledger, lasting=True)
    ledger.check()
    return found, ledger


def _write(
    found: Splits, ledger: Ledger, files: Sequence[Path], targets: dict[str, Path], book: Path
) -> dict[str, Path]:
    """Writes the sides that have rows and the ledger; the files written."""
    from tailor import formats
    from tailor.curate.extract import extract, keep_books

    written = {}
    for side, target in targets.items():
        rows: Sequence[Example] = getattr(found, side)
        target.unlink(missing_ok=True)  # of another split, that had such rows
        if rows:
            wanted: dict[str, dict[int, tuple[()]]] = {}
            for row in rows:
                wanted.setdefault(row.source.file, {})[row.source.line] = ()
            extract(files, formats.layout, wanted, target)
            written[side] = target
    gone = [
        {"where": where, "step": "split", "why": why} for why, places in ledger.dropped_at.items() for where in places
    ]
    keep_books(book, ledger, gone, {}, str(book.parent))
    return written


def _document(found: Splits, ledger: Ledger, written: dict[str, Path], folder: Path) -> dict[str, Any]:
    return {
        "rows_in": ledger.rows_in,
        **{side: {"rows": len(getattr(found, side)), "file": str(written.get(side, ""))} for side in SIDES},
        "dropped": ledger.dropped,
        "ledger": str(folder / "ledger.jsonl"),
        "notes": found.notes,
    }


def _show(found: Splits, ledger: Ledger, written: dict[str, Path], folder: Path) -> None:
    from rich.console import Console
    from rich.text import Text

    from tailor.cli import _rows

    rows = []
    for side, target in written.items():
        count = len(getattr(found, side))
        rows.append((side, f"{count:,}", f"{count / ledger.rows_in:.1%}", str(target)))
    for why, count in ledger.dropped.items():
        rows.append(("left out", f"{count:,}", f"{count / ledger.rows_in:.1%}", why))
    _rows.table(("side", "rows", "share", "file"), rows)
    console = Console(highlight=False)
    for note in found.notes:
        console.print(Text(note), soft_wrap=True)
    console.print(Text.assemble("ledger  ", (str(folder / "ledger.jsonl"), "bold")), soft_wrap=True)
