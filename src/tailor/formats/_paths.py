"""What the user names as data -> files and the weights they are mixed with."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tailor.errors import ConfigError, DataError, Problem, did_you_mean

_WEIGHTED = re.compile(r"(.+):(\d+(?:\.\d*)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class Input:
    """A file, and how many times its rows are taken: 0.5 is a seeded half of them, 2 each of them twice."""

    path: Path
    weight: float = 1.0


def inputs(paths: Sequence[str]) -> list[Input]:
    """The files that `paths` name: files, globs, each with `:weight` where it is not 1. A name that is a file is taken
    as it stands, so colons in names do no harm. Raises DataError with every name that leads to no file."""
    if isinstance(paths, str):
        paths = [paths]
    found: list[Input] = []
    problems: list[Problem] = []
    for name in paths:
        spelled, weight = _split_weight(name)
        files = [Path(spelled)] if Path(spelled).is_file() else _matches(spelled)
        found += [Input(file, weight) for file in files]
        if not files:
            problems.append(_missing(spelled))
    _refuse_twice(found)
    if not paths:
        raise DataError("no data files are given", fix="name at least one: tailor check rows.jsonl")
    if len(problems) == 1:
        raise DataError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
    if problems:
        raise DataError(f"{len(problems)} of the named files are not there", problems=problems)
    return found


def _refuse_twice(found: Sequence[Input]) -> None:
    seen: set[Path] = set()
    for file in found:
        real = file.path.resolve()
        if real in seen:
            raise ConfigError(f"{file.path} is named twice", fix=f"write {file.path}:2 if its rows should count double")
        seen.add(real)


def _matches(pattern: str) -> list[Path]:
    # Path.glob knows no absolute patterns
    files = map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207
    return [file for file in files if file.is_file()]


def _split_weight(name: str) -> tuple[str, float]:
    if Path(name).exists():
        return name, 1.0
    match = _WEIGHTED.fullmatch(name)
    if match is None:
        return name, 1.0
    weight = float(match[2])
    if not 0 < weight <= 100:
        raise ConfigError(f"the weight of {match[1]} is {match[2]}", fix="a weight is above 0 and at most 100")
    return match[1], weight


def _missing(name: str) -> Problem:
    path = Path(name)
    if path.is_dir():
        return Problem(name, "this is a folder", f"name its files: {path / '*.jsonl'}")
    if glob.has_magic(name):
        return Problem(name, "no file matches this pattern")
    siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    close = did_you_mean(path.name, siblings) if siblings else ""
    return Problem(name, "there is no such file", close if close.startswith("did") else "")
