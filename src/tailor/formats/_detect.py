"""Which shape the rows of a file are of, said in one line with the reason."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tailor import plugins
from tailor.errors import ConfigError, did_you_mean
from tailor.formats import table
from tailor.formats.base import Format, Malformed, Row

# Where two shapes use as many keys of a row the earlier one is meant.
ORDER = ("pairs", "rated", "chat", "sharegpt", "alpaca", "completion", "table", "text")


@functools.cache
def shapes() -> dict[str, Format]:
    """All shapes there are: the shipped ones in `ORDER`, then those of third parties."""
    names = plugins.names("formats")
    return {name: plugins.load("formats", name) for name in [*ORDER, *(name for name in names if name not in ORDER)]}


@dataclass(slots=True)
class Choice:
    """The shape that the rows of a file are read as; `map` renames their keys before (new name -> theirs)."""

    name: str
    format: Format
    reason: str
    map: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()  # those of the shape that most rows have
    unused: tuple[str, ...] = ()

    def recognise(self, row: Row) -> tuple[str, ...]:
        """The keys by which a row is of this shape."""
        if self.name == "table":
            mapped = tuple(new for new, old in self.map.items() if old in row)
            return mapped if len(mapped) == len(self.map) else ()
        return self.format.recognise(self.renamed(row))

    def renamed(self, row: Row) -> Row:
        """The row under the shape's names."""
        return rename(row, self.map) if self.map else row


def rename(row: Row, names: Mapping[str, str]) -> Row:
    """The row with its keys renamed (`names` is new -> old); a key whose name another takes is left out."""
    taken = set(names.values())
    kept = {key: value for key, value in row.items() if key not in taken and key not in names}
    return kept | {new: row[old] for new, old in names.items() if old in row}


def best(row: Row, known: Mapping[str, Format]) -> tuple[str, tuple[str, ...]]:
    """The shape that uses most keys of the row, and those keys; an empty name where none recognises it."""
    name = ""
    used: tuple[str, ...] = ()
    for candidate, shape in known.items():
        keys = shape.recognise(row)
        if len(keys) > len(used):
            name, used = candidate, keys
    return name, used


def choose(rows: Sequence[Row], known: Mapping[str, Format], format: str | None, names: Mapping[str, str]) -> Choice:
    """The shape of most of `rows`. Raises ConfigError for a format or map that does not fit, Malformed for no shape."""
    _check_map(rows, known, names)
    seen = [rename(row, names) for row in rows] if names else list(rows)
    votes = Counter(best(row, known)[0] for row in seen)
    if format is not None:
        return _forced(format, rows, seen, names)
    winner = votes.most_common(1)[0][0]
    used = Counter(key for row in seen for key in (known[winner].recognise(row) if winner else ()))
    if not names and len(used) < 2:
        columns = table.choose(rows, by_content=winner in ("", "text"))
        if columns is not None:
            return _table(columns, rows)
    if not winner:
        raise Malformed(*_no_shape(next(row for row in seen if not best(row, known)[0]), names))
    count = votes[winner]
    keys = [key for key, times in used.items() if 2 * times > count]
    reason = f"rows have {_and(keys)}" + (f" (map: {_said(names)})" if names else "")
    return Choice(winner, known[winner], reason, names, tuple(keys), _unused(rows, used, names))


def _forced(format: str, rows: Sequence[Row], seen: Sequence[Row], names: Mapping[str, str]) -> Choice:
    shape = plugins.load("formats", format)
    if format == "table" and not names:
        columns = table.choose(rows)
        if columns is None:
            raise Malformed(*_no_shape(seen[0], names))
        return _table(columns, rows)
    reason = "as asked for" + (f" (map: {_said(names)})" if names else "")
    return Choice(format, shape, reason, names, shape.KEYS, _unused(rows, shape.KEYS, names))


def _table(columns: table.Columns, rows: Sequence[Row]) -> Choice:
    said = ", ".join(f"{new}={old}" for new, old in columns.map.items())
    reason = f"{said} ({columns.reason}); say --map {said.replace(', ', ',')} with other names to change it"
    old = tuple(columns.map.values())
    return Choice("table", table, reason, columns.map, old, _unused(rows, old, {}))


def _check_map(rows: Sequence[Row], known: Mapping[str, Format], names: Mapping[str, str]) -> None:
    if not names:
        return
    targets = {key for shape in known.values() for key in shape.KEYS}
    keys = {key for row in rows for key in row}
    for new, old in names.items():
        if new not in targets:
            raise ConfigError(f"--map {new}={old}: no shape has a key {new!r}", fix=did_you_mean(new, targets))
        if old not in keys:
            raise ConfigError(f"--map {new}={old}: the rows have no {old!r}", fix=did_you_mean(old, keys))


def _no_shape(row: Row, names: Mapping[str, str]) -> tuple[str, tuple[()], str]:
    keys = ", ".join(list(row)[:12]) or "no keys"
    mapped = f" (after --map {_said(names)})" if names else ""
    what = f"no shape fits rows with the keys {keys}{mapped}"
    return what, (), f"say which is which, --map prompt=...,completion=..., or a --format: {', '.join(ORDER)}"


def _said(names: Mapping[str, str]) -> str:
    return ",".join(f"{new}={old}" for new, old in names.items())


def _and(keys: Sequence[str]) -> str:
    quoted = [repr(key) for key in keys]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _unused(rows: Sequence[Row], used: Collection[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """Keys of the rows that the shape leaves alone, to be said aloud."""
    used = {names.get(key, key) for key in used}
    return tuple(dict.fromkeys(key for row in rows for key in row if key not in used))
