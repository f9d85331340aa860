"""What the verbs share that read rows as they stand: the reading, what may be written, the table of what happened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tailor.errors import ConfigError

if TYPE_CHECKING:
    from tailor.cli._screen import Screen
    from tailor.config import DataConfig
    from tailor.errors import Problem
    from tailor.records import Example, Source


def stream(data: DataConfig, paths: Iterable[str], screen: Screen) -> Iterator[Example | Problem]:
    """The rows of `paths` and what is wrong with the others, read as `data` says."""
    from tailor import formats

    return formats.stream(
        list(paths), format=data.format, map=data.map, group=data.group, seen=screen.say, progress=screen.progress
    )


def sources(paths: Sequence[str]) -> list[Path]:
    """The files of the data. Raises ConfigError where one of them is mixed by weight, as rows are written once, and
    DataError where rows cannot be taken out of one as they stand."""
    from tailor import formats

    found = formats.inputs(paths)
    for file in found:
        if file.weight != 1:
            raise ConfigError(
                f"{file.path}:{file.weight:g}: weights are for training, rows are written once",
                fix="leave the weight out",
            )
        formats.layout(file.path)
    return [file.path for file in found]


def writable(targets: Iterable[Path], files: Sequence[Path], *, force: bool) -> None:
    """Raises ConfigError where a target is one of the data's files, has another ending, or is there already."""
    read = {file.resolve() for file in files}
    for target in targets:
        if target.resolve() in read:
            raise ConfigError(f"{target} is the data itself, which is never written over", fix="give another name")
        if target.exists() and not force:
            raise ConfigError(f"{target} is there already", fix="give another name, or --force to write over it")


def ending(target: Path, files: Sequence[Path]) -> None:
    """Raises ConfigError where the target's ending is not that of the data: rows keep their shape."""
    if target.suffix.lower() != files[0].suffix.lower():
        raise ConfigError(
            f"{target}: the rows keep the shape they have in {files[0].name}",
            fix=f"call it {target.with_suffix(files[0].suffix)}",
        )


def share(text: str | None, flag: str) -> float | None:
    """`20%` or `0.2` as 0.2. Raises ConfigError for what is no share."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)\s*", text)
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value < 1:
        raise ConfigError(f"{flag} {text}: this is no share of the rows", fix="write it as 20% or as 0.2")
    return value


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout: the first column and the last are texts, those between are numbers."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(columns):
        between = 0 < place < len(columns) - 1
        shown.add_column(name, justify="right" if between else "left", no_wrap=between, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(shown)


def failures(failed: Sequence[Source]) -> list[str]:
    """The note on rows that could not be repaired in their file."""
    if not failed:
        return []
    places = ", ".join(str(source) for source in failed[:5]) + (", …" if len(failed) > 5 else "")
    return [f"{len(failed):,} rows join several values and stay unrepaired: {places}"]
