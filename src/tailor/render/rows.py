"""A data set rendered: every row accounted for, none cut in silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from tailor.errors import ConfigError, DataError, Problem, did_you_mean
from tailor.records import Datum, Example, Ledger, Progress, message, quiet
from tailor.render.cache import RowCache
from tailor.render.renderer import Renderer
from tailor.render.shorten import TooLong, cut_prompt, split

POLICIES = ("refuse", "drop", "split", "cut-prompt")
BLOCK = 256  # rows rendered and tokenised in one go

Make = Callable[[Example, int], list[Datum]]


def render_rows(
    examples: Sequence[Example],
    renderer: Renderer,
    make: Make,
    *,
    max_length: int,
    over_length: str,
    ledger: Ledger,
    cache: Path | None = None,
    progress: Progress = quiet,
) -> list[list[Datum]]:
    """The Datums of every Example that is kept, in order; `datum.group` is the index of its Example in `examples`.

    `make(example, group)` is the method's view of a row (its `datums`). No Datum is longer than `max_length` tokens:
    rows that are fall under `over_length` (refuse | drop | split | cut-prompt). Rows with nothing to train on are
    dropped. The ledger is told the tokens that came in (those of all Datums) and every row dropped, with its place;
    the caller counts the rows kept. What was split or cut is said in `renderer.notes`. Tokenised rows are kept in the
    folder `cache`.

    Raises DataError with every row that the template cannot write, or with every row that is too long.
    """
    if over_length not in POLICIES:
        raise ConfigError(f"over_length = {over_length!r} is unknown", fix=did_you_mean(over_length, POLICIES))
    store = RowCache(cache, renderer.fingerprint)
    with renderer.remembering(store):
        try:
            rows = _render(examples, renderer, make, progress)
            ledger.tokens_in += sum(_tokens(row) for row in rows)
            fitting = _Fitting(examples, make, max_length, ledger)
            kept = fitting.apply(over_length, rows)
        finally:
            store.save()
    renderer.notes.extend(fitting.notes)
    empty = [i for i, row in kept.items() if not _trained(row)]
    ledger.drop("nothing to train on", [examples[i].source for i in empty], sum(_tokens(kept[i]) for i in empty))
    for i in empty:
        del kept[i]
    if rows and not kept:
        raise DataError(
            "no row is left to train on",
            problems=[Problem(place, reason) for reason, places in ledger.dropped_at.items() for place in places],
        )
    return list(kept.values())


def with_system(example: Example, system: str | None) -> Example:
    """`example` with the system prompt `system`, where it has none of its own."""
    if system is None or not example.messages or example.messages[0].role == "system":
        return example
    return msgspec.structs.replace(example, messages=(message("system", system), *example.messages))


def _render(examples: Sequence[Example], renderer: Renderer, make: Make, progress: Progress) -> list[list[Datum]]:
    rows: list[list[Datum]] = []
    problems: list[Problem] = []
    for i, example in enumerate(examples):
        if i % BLOCK == 0:
            progress("rendering", i, len(examples))
            renderer.prefetch(examples[i : i + BLOCK])
        try:
            rows.append(make(example, i))
        except DataError as error:
            problems.append(Problem(error.where or str(example.source), error.what, error.fix))
    progress("rendering", len(examples), len(examples))
    if problems:
        raise DataError(f"{_count(len(problems), 'row')} cannot be written in the model's template", problems=problems)
    return rows


@dataclass
class _Fitting:
    """The over-length policies over one data set."""

    examples: Sequence[Example]
    make: Make
    limit: int
    ledger: Ledger

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    def apply(self, policy: str, rows: list[list[Datum]]) -> dict[int, list[Datum]]:
        """The rows that fit, or were made to, by the index of their Example."""
        kept = dict(enumerate(rows))
        long = [i for i, row in kept.items() if any(len(datum) > self.limit for datum in row)]
        if not long:
            return kept
        if policy == "drop":
            reason = f"longer than {self.limit:,} tokens"
            self.ledger.drop(reason, [self.examples[i].source for i in long], sum(_tokens(rows[i]) for i in long))
            return {i: row for i, row in kept.items() if i not in set(long)}
        if policy == "refuse":
            self._refuse({i: rows[i] for i in long}, {})
        stuck: dict[int, str] = {}
        for i in long:
            try:
                kept[i] = self._shorten(policy, i, rows[i])
            except TooLong as problem:
                stuck[i] = str(problem)
        if stuck:
            self._refuse({i: rows[i] for i in stuck}, stuck)
        self._account(policy, [rows[i] for i in long], [kept[i] for i in long])
        return kept

    def _shorten(self, policy: str, index: int, datums: list[Datum]) -> list[Datum]:
        make = partial(_of_group, self.make, index)
        if policy == "split":
            pieces = split(self.examples[index], datums, make, self.limit)
        else:
            pieces = cut_prompt(self.examples[index], make, self.limit)
        if _trained(pieces) != _trained(datums):
            raise TooLong(
                f"that would change what is trained on ({_trained(datums):,} to {_trained(pieces):,} tokens), "
                "because the template writes a turn differently without the turns before it"
            )
        return pieces

    def _account(self, policy: str, before: list[list[Datum]], after: list[list[Datum]]) -> None:
        lost = sum(max(_tokens(a) - _tokens(b), 0) for a, b in zip(before, after, strict=True))
        self.ledger.tokens_dropped += lost
        rows = f"{_count(len(before), 'row')} longer than {self.limit:,} tokens"
        if policy == "split":
            self.notes.append(f"{rows} split into {sum(map(len, after)):,} pieces; no answer token is lost")
        else:
            self.notes.append(f"{rows} lost their oldest context ({lost:,} tokens); no answer token is lost")

    def _refuse(self, long: dict[int, list[Datum]], reasons: dict[int, str]) -> None:
        """Raises DataError, the longest rows first."""
        problems, lost = [], 0
        for i in sorted(long, key=lambda i: -max(map(len, long[i]))):
            gone = max(int((datum.weights[self.limit :] > 0).sum()) for datum in long[i])
            lost += gone
            what = f"{max(map(len, long[i])):,} tokens; cutting it would lose {_count(gone, 'answer token')}"
            problems.append(Problem(str(self.examples[i].source), what, reasons.get(i, "")))
        raise DataError(
            f"{_count(len(long), 'row')} longer than {self.limit:,} tokens; "
            f"cutting would lose {_count(lost, 'answer token')}",
            problems=problems,
            fix="choose --over-length drop, split or cut-prompt, or shorten these rows"
            if not reasons
            else "choose --over-length drop, or shorten these rows",
        )


def _of_group(make: Make, group: int, example: Example) -> list[Datum]:
    return make(example, group)


def _tokens(row: Sequence[Datum]) -> int:
    return sum(map(len, row))


def _trained(row: Sequence[Datum]) -> int:
    return sum(datum.trained for datum in row)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
