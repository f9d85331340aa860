"""Every error that tailor raises on purpose.

Each says what is wrong, where, and what to do about it, so that the command line can print it without a traceback:

    TailorError                 exit code 2
    ├── DataError               rows that cannot be used; carries every problem found, not only the first
    ├── ConfigError             a setting, flag or recipe key that cannot be used
    ├── ModelError              a model, tokenizer, template or adapter that cannot be used
    ├── RunError                a run folder that is missing, locked or incomplete
    ├── ResourceError           disk full, out of memory, a device or an optional package that is not there
    ├── TrainingError           a run that cannot go on (the loss is not a number)
    └── Cancelled               stopped by the user with its work saved; exit code 130
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class TailorError(Exception):
    """What is wrong (`what`), where it was seen (`where`, `file:line:column` for data) and the remedy (`fix`)."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where, fix)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.fix}" if self.fix else text


@dataclass(frozen=True, slots=True)
class Problem:
    """One unusable row: `where` is `file:line` or `file:line:column`; `kind` is the sort of fault, where it has one."""

    where: str
    what: str
    fix: str = ""
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.fix})" if self.fix else "")


class DataError(TailorError):
    """Rows that cannot be used. `problems` holds all of them; the text shows the first `SHOWN` and counts the rest."""

    SHOWN = 20

    def __init__(self, what: str, *, where: str = "", fix: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(what, where=where, fix=fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"  {problem}" for problem in self.problems[: self.SHOWN]]
        if len(self.problems) > self.SHOWN:
            lines.append(f"  and {len(self.problems) - self.SHOWN:,} more")
        if self.fix:
            lines.append(f"  {self.fix}")
        return "\n".join(lines)


class ConfigError(TailorError):
    """A setting that cannot be used."""


class ModelError(TailorError):
    """A model, tokenizer, chat template or adapter that cannot be used."""


class RunError(TailorError):
    """A run folder that is missing, locked by another process, or incomplete."""


class ResourceError(TailorError):
    """The machine lacks something: disk, memory, a device, an optional package."""


class TrainingError(TailorError):
    """Training cannot go on."""


class Cancelled(TailorError):
    """The user stopped the work; what was done is saved."""

    exit_code = 130


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The remedy for a mistyped name: the closest known one, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
