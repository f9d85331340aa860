"""Personal data in a row: what all rules of privacy share, `look` and `mend`, and the pseudonyms that replace values.

A pseudonym is worked out from the value alone, so one value has one pseudonym in every row and file, and two values
almost never share one. It lies where no real value can (reserved names and ranges, wrong check digits), so that it is
harmless and is not found again.
"""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Callable, Container, Iterable, Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit, Severity

if TYPE_CHECKING:
    from tailor.curate.rows import Row

Find = Callable[[str], Iterable[tuple[str, str]]]  # text -> (what it is, the value as it stands there)
Look = Callable[["Row"], Iterable[Hit]]
Mend = Callable[["Row"], dict[str, str]]

figures: Callable[[Row], bool] = operator.attrgetter("figures")

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def searching(
    find: Find,
    pseudonym: Callable[[str], str],
    where: Callable[[Row], bool] = figures,
    doubtful: Container[str] = (),
) -> tuple[Look, Mend]:
    """The `look` and the `mend` of a rule: one Hit a row for what `find` sees in it, and each value's pseudonym.

    `where` says of a row, fast, whether it may hold anything; by default, whether a long number stands in it. What
    `find` calls by a name among the `doubtful` ones is a warning.
    """

    def look(row: Row) -> Iterable[Hit]:
        return hits(row, find, doubtful) if where(row) else ()

    def mend(row: Row) -> dict[str, str]:
        return replaced(row, find, pseudonym) if where(row) else {}

    return look, mend


def hits(row: Row, find: Find, doubtful: Container[str] = ()) -> Iterator[Hit]:
    """One Hit a row for what `find` sees in it; values are shown in part, for a report is read by many."""
    found = {value: what for what, value in find(row.whole)}
    if found:
        (value, what), *more = found.items()
        beside = f", and {len(more)} more" if more else ""
        evidence = ", ".join(masked(value) for value in list(found)[:3])
        severity: Severity | None = "warn" if what in doubtful else None
        yield Hit(message=f"{what}{beside}", evidence=evidence, at=value, severity=severity)


def replaced(row: Row, find: Find, pseudonym: Callable[[str], str]) -> dict[str, str]:
    """The texts of the row with every value that `find` sees anywhere in it replaced by its pseudonym."""
    values = {value for _, value in find(row.whole)}
    if not values:
        return {}
    either = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
    pattern = re.compile(
        rf"(?<![^\W_]){either}(?![^\W_])" if len(values) == 1 else rf"(?<![^\W_])(?:{either})(?![^\W_])"
    )
    new = {text: pattern.sub(lambda match: pseudonym(match[0]), text) for _, text in row.texts}
    return {old: text for old, text in new.items() if old != text}


def masked(value: str) -> str:
    """The beginning of the value, on one line: enough to find it by, too little to use it."""
    value = " ".join(value.split())
    return f"{value[: min(4, len(value) // 4)]}…"


def digits(value: str, count: int) -> str:
    """So many decimal digits made from the value."""
    number = int.from_bytes(hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=32).digest(), "big")
    return str(number)[-count:] if count else ""


def shaped(value: str, seed: str, keep: int = 0) -> str:
    """The value with its digits and letters replaced after the first `keep` characters; marks and case stay."""
    fresh = iter(digits(seed, 60))
    made = [value[:keep]]
    for mark in value[keep:]:
        if mark.isdigit():
            mark = next(fresh, "0")
        elif mark.isalpha():
            letter = _LETTERS[int(next(fresh, "0") + next(fresh, "0")) % len(_LETTERS)]
            mark = letter.lower() if mark.islower() else letter
        made.append(mark)
    return "".join(made)


def bare(value: str) -> str:
    """The digits of a value."""
    return re.sub(r"\D", "", value)


def luhn(number: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1)."""
    total = sum(int(digit) for digit in number[-1::-2])
    return (total + sum(sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])) % 10 == 0
