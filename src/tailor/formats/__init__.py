"""A file -> Examples. One file of this room is one shape of rows; `read` finds out which shape a file is of.

The way of a row: `_open` gives bytes, `_records` and `_tables` cut them into rows with their places, `_json` decodes,
`_detect` chooses the shape, the shape (`chat`, `completion`, ...) makes the Example, `_file` keeps account of one file
and `read` of all. Nothing is dropped in silence: what cannot be used is a Problem with `file:line:column`.
"""

from __future__ import annotations

import codecs
import contextlib
import gc
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tailor.errors import ConfigError, DataError, Problem, did_you_mean
from tailor.formats._detect import shapes
from tailor.formats._file import FileReading, Options, read_file, stream_file
from tailor.formats._layout import Layout, layout
from tailor.formats._paths import inputs
from tailor.records import Example, Progress, Source, quiet

__all__ = ["Layout", "Reading", "inputs", "layout", "read", "stream"]


@dataclass(slots=True)
class Reading:
    """What came of the files. `rows_in` is always `len(examples) + len(bad)`.

    `seen` says per file what was recognised and why. `bad` are the malformed rows that `max_bad` allowed to drop.
    `left_out` are the rows that a mixing weight did not draw; they are not counted in `rows_in`.
    """

    examples: list[Example]
    rows_in: int
    bad: list[Problem]
    seen: str
    left_out: list[Source] = field(default_factory=list)


def read(
    paths: Sequence[str],
    *,
    format: str | None = None,
    map: Mapping[str, str] | None = None,
    max_bad: str = "0",
    group: str | None = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> Reading:
    """All rows of `paths` as Examples, in the order of the files.

    `paths` are files or globs, each with `:weight` where it is mixed in other than once: `b.jsonl:0.5` takes a half of
    its rows, chosen by a hash of `seed` and content, `b.jsonl:2` takes each twice. `format` names the shape where it is
    not to be detected. `map` renames keys of the rows (`{"prompt": "text"}`: the prompt stands under `text`). `max_bad`
    is how many malformed rows may be dropped, as a number or as a share of all (`1%`). `group` names the key, `a.b` for
    one within another, that says what rows share. `progress` counts bytes of the files as they lie on the disk.

    Raises DataError with every problem of every file where there are more than `max_bad`, where a file cannot be read
    to its end, or where no row is left; ConfigError for a format, map, group or weight that cannot be.
    """
    allowed = _allowance(max_bad)
    options = _options(format, map, group)
    found = inputs(paths)
    sizes = [file.path.stat().st_size for file in found]
    readings: list[FileReading] = []
    examples: list[Example] = []
    left_out: list[Source] = []
    notes: list[str] = []
    with _no_cycles():
        for number, file in enumerate(found):
            reading = read_file(file.path, options, _reporter(progress, sum(sizes[:number]), sum(sizes)))
            readings.append(reading)
            drawn, rest = _draw(reading.examples, file.weight, seed)
            examples += drawn
            left_out += rest
            taken = f" (weight {file.weight:g}: {len(drawn):,} taken)" if file.weight != 1 else ""
            notes.append(reading.seen + taken)
    progress("reading", sum(sizes), sum(sizes))
    bad = [problem for reading in readings for problem in reading.problems]
    _refuse(readings, bad, allowed)
    return Reading(examples, len(examples) + len(bad), bad, "\n".join(notes), left_out)


def stream(
    paths: Sequence[str],
    *,
    format: str | None = None,
    map: Mapping[str, str] | None = None,
    group: str | None = None,
    seen: Callable[[str], None] = lambda text: None,
    progress: Progress = quiet,
) -> Iterator[Example | Problem]:
    """Every row once, in bounded memory: the Examples of a file as they are read, then its Problems, file by file.

    Takes what `read` takes, but no row is refused, repeated or left out: weights and `max_bad` do not count. A file
    that cannot be read to its end gives a last Problem of the kind `unreadable`. `seen` is told of each file what was
    recognised.
    """
    options = _options(format, map, group)
    found = inputs(paths)
    sizes = [file.path.stat().st_size for file in found]
    for number, file in enumerate(found):
        reading = FileReading(str(file.path))
        yield from stream_file(file.path, options, _reporter(progress, sum(sizes[:number]), sum(sizes)), reading)
        with open(file.path, "rb") as opened:
            if opened.read(3) == codecs.BOM_UTF8:
                yield Problem(str(file.path), "begins with a byte-order mark", kind="byte-order-mark")
        yield from reading.problems
        if reading.fatal is not None:
            yield replace(reading.fatal.problem, kind=reading.fatal.problem.kind or "unreadable")
        seen(reading.seen)
    progress("reading", sum(sizes), sum(sizes))


def _options(format: str | None, map: Mapping[str, str] | None, group: str | None) -> Options:
    known = shapes()
    if format is not None and format not in known:
        raise ConfigError(f"there is no format called {format!r}", fix=did_you_mean(format, known))
    return Options(known, format, dict(map or {}), group)


def _reporter(progress: Progress, before: int, total: int) -> Callable[[int], None]:
    return lambda done: progress("reading", before + done, total)


@contextlib.contextmanager
def _no_cycles() -> Iterator[None]:
    """Rows form no reference cycles: looking for some among millions of them would take half the time."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


# --------------------------------------------------------------------------------------------------- weights


def _draw(examples: list[Example], weight: float, seed: int) -> tuple[list[Example], list[Source]]:
    """The rows taken under a mixing weight: each `floor(weight)` times, and the rest of the weight as a chance."""
    times, chance = int(weight), weight - int(weight)
    drawn = examples * times
    if not chance:
        return drawn, []
    lucky = [_lot(example, seed) < chance for example in examples]
    drawn += [example for example, won in zip(examples, lucky) if won]
    return drawn, [] if times else [example.source for example, won in zip(examples, lucky) if not won]


def _lot(example: Example, seed: int) -> float:
    """A number in [0, 1) that depends on seed and content alone: equal rows share their fate, wherever they stand."""
    digest = hashlib.blake2b(f"{seed}:{example.key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


# -------------------------------------------------------------------------------------------------- bad rows


def _allowance(max_bad: str) -> Callable[[int], int]:
    """rows -> how many of them may be dropped. Raises ConfigError for what is neither a number nor a share."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", max_bad)
    if match is None or (not match[2] and "." in match[1]) or (match[2] and float(match[1]) > 100):
        raise ConfigError(f"--max-bad {max_bad}: neither a number of rows nor a share", fix="write it as 5 or as 1%")
    if match[2]:
        share = float(match[1]) / 100
        return lambda rows: math.floor(share * rows)
    return lambda rows: int(match[1])


def _refuse(readings: Sequence[FileReading], bad: list[Problem], allowed: Callable[[int], int]) -> None:
    """Raises DataError unless the rows that are left can be worked with."""
    fatal = [reading.fatal for reading in readings if reading.fatal is not None]
    rows = sum(reading.rows for reading in readings)
    where = readings[0].name if len(readings) == 1 else ""
    if len(fatal) == 1 and not bad:
        raise fatal[0].as_error()
    if fatal:
        what = f"{len(fatal)} of {len(readings)} files cannot be read to the end"
        what += f", and {len(bad):,} rows cannot be used" if bad else ""
        raise DataError(what, where=where, problems=[*bad, *(error.problem for error in fatal)])
    if len(bad) > allowed(rows):
        mixed = [_mixture(reading) for reading in readings if reading.mixed]
        what = "; ".join([f"{len(bad):,} of {rows:,} rows cannot be used", *mixed])
        raise DataError(what, where=where, fix=f"mend them, or let them go: --max-bad {len(bad)}", problems=bad)
    if not any(reading.examples for reading in readings):
        raise DataError("not one row is left that can be used", where=where, problems=bad)


def _mixture(reading: FileReading) -> str:
    """The shapes that a file mixes, with the first row of each."""
    assert reading.choice is not None  # a row can be of another shape only where one was chosen
    ours = [f"{reading.choice.format.NAME} rows from {reading.examples[0].source}"] if reading.examples else []
    others = [f"{len(lines):,} {name} from {reading.name}:{lines[0]}" for name, lines in reading.mixed.items()]
    return f"shapes are mixed: {', '.join([*ours, *others])}"
