"""Train, validation and test rows that share nothing.

A file given for validation or test is honoured. Otherwise rows are set aside by a hash of their own content: of their
group where they have one, else of their prompt after normalising. A row's side depends on nothing else, so:

- the same data give the same split on any machine and in any order, and rows of one group or prompt stay together;
- adding rows never moves an old row into or out of the test rows. (Validation rows are capped; as the data outgrow the
  cap some go to train, none come from it. Where so few groups exist that a side would stay empty, the group next to
  the threshold fills it.)

The price of that promise: a label's share of the test rows is the same only in expectation, with binomial noise,
because filling quotas would make a row's side depend on the others. The notes say which labels a side lacks. Folds hold
every row out once, so nothing there has to stand still, and they are stratified exactly.

What still stands on two sides (a file's row that was asked before, a conversation that holds another's prompt) leaves
train for validation's sake, and both for test's sake; never the other way round. Every such row is in the Ledger.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from tailor.config import DataConfig, EvalConfig
from tailor.errors import ConfigError, DataError
from tailor.records import Example, Ledger, Message, Reasoning, Text, ToolResult

FOLDS_UNDER = 200  # rows: a fifth of fewer shows no difference under about 20 points; folds hold every row out once
_LONGEST_LABEL = 64
_ROWS_A_LABEL = 3
_ONE_UNIT = "all rows share one prompt or one group, so none can be held out"
_SPAN = float(1 << 64)


@dataclass(frozen=True)
class Fold:
    """One division of few rows: what is trained on, what chooses, what is held out (in no other fold's `test`)."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]


@dataclass
class Splits:
    """The rows of each side in the order they were read, and in words what was done.

    `folds` is set where rows are too few to set some aside for good: together they hold every row out once. `test` is
    then empty, and `train` and `validation` are for the training on all rows that follows the folds.
    """

    train: list[Example]
    validation: list[Example]
    test: list[Example]
    folds: list[Fold] | None = None
    notes: list[str] = field(default_factory=list)


def split(
    train: Sequence[Example],
    validation: Sequence[Example],
    test: Sequence[Example],
    *,
    data: DataConfig,
    eval: EvalConfig,
    ledger: Ledger,
    held_out: bool = True,
    lasting: bool = False,
) -> Splits:
    """Divide rows so that no prompt and no group stands on two sides; see the head of this file.

    `validation` and `test` are rows of files given for them, or empty; without `held_out` no test rows are set aside,
    for training that is not followed by a measurement. A `lasting` split is one of files: few rows are divided as many
    are, validation rows are not capped, and a `data.validation_share` of 0 sets none aside. Sets `ledger.train`,
    `validation` and `test` to the sides' sizes (with folds, to those of the training on all rows that follows them) and
    adds the rows that leave; `ledger.rows_in` is the reader's. Raises DataError where nothing is left to train on or to
    hold out, ConfigError where the shares leave nothing.
    """
    if data.test_share + data.validation_share >= 1:
        raise ConfigError(
            f"test_share {data.test_share:g} and validation_share {data.validation_share:g} leave nothing to train on",
            fix="let the two sum to less than 1",
        )
    if not train:
        raise DataError("there are no rows to train on")
    result = Splits(list(train), list(validation), list(test))
    with_folds = held_out and not lasting and not test and len(train) < FOLDS_UNDER
    if held_out and not test and not with_folds:
        leave = 1 if validation or not data.validation_share else 2  # units: one to train on, one to validate
        result.train, result.test = _set_aside(train, data.test_share, lambda place: place, leave=leave)
        result.notes.append(_set_aside_note("test", result.test, train, f"{data.test_share:.0%}"))
    _drop_shared(result, "test", ledger)
    _drop_shared(result, "validation", ledger)
    if with_folds and result.train:
        result.folds = _folds(result.train, result.validation, eval.folds, data.validation_share)
        result.notes.append(
            f"{len(result.train):,} rows are too few to set test rows aside: "
            f"{len(result.folds)} folds, every row held out once"
        )
    if not validation and data.validation_share:
        before = result.train
        result.train, result.validation = _set_aside(
            before, data.validation_share, lambda place: 1 - place, most=None if lasting else data.max_validation
        )
        wanted = f"{data.validation_share:.0%}" + ("" if lasting else f", at most {data.max_validation:,}")
        result.notes.append(_set_aside_note("validation", result.validation, before, wanted))
        _drop_shared(result, "validation", ledger)
    if not result.train:
        raise DataError(
            "every training row stands in the validation or test rows too, so nothing is left to train on",
            fix="give other files for validation and test, or none: tailor then sets rows aside by itself",
        )
    if not with_folds:
        result.notes += _label_notes(result)
    ledger.train, ledger.validation, ledger.test = len(result.train), len(result.validation), len(result.test)
    return result


# --------------------------------------------------------------------------------------------- what rows share


def prompt_keys(example: Example) -> list[bytes]:
    """Hashes of every prompt that the row holds, the last one being the row's own.

    A conversation holds one before each assistant turn, because each of those turns is trained on. Equal after NFKC,
    casefolding and collapsing of white space means equal.
    """
    digest = hashlib.blake2b(digest_size=16)
    if example.tools:
        digest.update(msgspec.json.encode(example.tools, order="sorted"))
    keys = []
    for turn in example.prompt:
        if turn.role == "assistant":
            keys.append(digest.digest())
        for piece in _pieces(turn):
            digest.update(b"\0" + piece)
    if example.text:
        digest.update(_plain(example.text))
    return [*keys, digest.digest()]


def _pieces(turn: Message) -> Iterator[bytes]:
    yield turn.role.encode()
    for part in turn.parts:
        if isinstance(part, Text | Reasoning):
            yield _plain(part.text)
        elif isinstance(part, ToolResult):
            yield _plain(part.content)
        else:
            yield msgspec.json.encode(part, order="sorted")


def _plain(text: str) -> bytes:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")


def _unit(example: Example) -> bytes:
    """What has to stay on one side: the row's group, else its prompt."""
    return b"group " + example.group.encode() if example.group is not None else prompt_keys(example)[-1]


def _place(unit: bytes) -> float:
    """Where a unit stands in [0, 1), from its content alone."""
    return int.from_bytes(hashlib.blake2b(unit, digest_size=8, person=b"tailor split").digest(), "big") / _SPAN


def _drop_shared(result: Splits, side: str, ledger: Ledger) -> None:
    """Take the rows that stand in `side` too out of the sides before it (train, validation, test)."""
    held = result.test if side == "test" else result.validation
    prompts = {prompt_keys(example)[-1] for example in held}
    groups = {example.group for example in held if example.group is not None}
    if not prompts:
        return
    for name in ("train", "validation") if side == "test" else ("train",):
        rows: list[Example] = getattr(result, name)
        kept: list[Example] = []
        gone: dict[str, list[Example]] = {"prompt": [], "group": []}
        for example in rows:
            if not prompts.isdisjoint(prompt_keys(example)):
                gone["prompt"].append(example)
            elif example.group in groups:
                gone["group"].append(example)
            else:
                kept.append(example)
        setattr(result, name, kept)
        for what, examples in gone.items():
            ledger.drop(f"its {what} stands in the {side} rows too", (example.source for example in examples))
            if examples:
                count = f"{len(examples):,} row{'s' if len(examples) > 1 else ''}"
                result.notes.append(f"{count} left {name}: the same {what} stands in the {side} rows")


# ------------------------------------------------------------------------------------------- setting rows aside


def _set_aside(
    rows: Sequence[Example], share: float, rank: Callable[[float], float], *, most: int | None = None, leave: int = 1
) -> tuple[list[Example], list[Example]]:
    """(rows that stay, rows set aside): units whose rank is under `share`, lowest first, up to `most` rows.

    At least one unit is set aside, and at least `leave` stay where there are that many more.
    """
    units = [_unit(example) for example in rows]
    sizes = Counter(units)
    ranked = sorted((rank(_place(unit)), unit) for unit in sizes)
    count = len(rows) if most is None else most
    taken: set[bytes] = set()
    for position, unit in ranked[: max(len(ranked) - leave, min(1, len(ranked) - 1))]:
        count -= sizes[unit]
        if taken and (position >= share or count < 0):
            break
        taken.add(unit)
    stay = [example for example, unit in zip(rows, units) if unit not in taken]
    aside = [example for example, unit in zip(rows, units) if unit in taken]
    return stay, aside


def _set_aside_note(side: str, aside: Sequence[Example], rows: Sequence[Example], wanted: str) -> str:
    if not aside:
        if side == "test":
            raise DataError(_ONE_UNIT, fix="give held-out rows with --test, or another --group")
        return "no validation rows: all training rows share one prompt or one group"
    by = "group" if any(example.group is not None for example in aside) else "prompt"
    return f"{side}: {len(aside):,} of {len(rows):,} rows set aside by a hash of their {by} (wanted {wanted})"


def _folds(rows: Sequence[Example], validation: list[Example], count: int, share: float) -> list[Fold]:
    """Units dealt label by label, in the order of their hash, to the fold with fewest rows.

    Where no validation rows were given, those of a fold come from the next one, so that each row chooses at most once.
    A row of another group that asks what a fold holds out does not train there.
    """
    units = [_unit(example) for example in rows]
    sizes = Counter(units)
    if len(sizes) < 2:
        raise DataError(
            _ONE_UNIT if len(rows) > 1 else "one row is not enough: nothing can be held out",
            fix="add rows, or give held-out rows with --test",
        )
    label_of = dict(zip(reversed(units), reversed(_labels(rows) or [""] * len(rows))))  # that of a unit's first row
    filled = [0] * min(count, len(sizes))
    fold_of: dict[bytes, int] = {}
    for unit in sorted(sizes, key=lambda unit: (label_of[unit], _place(unit))):
        fold_of[unit] = filled.index(min(filled))
        filled[fold_of[unit]] += sizes[unit]
    folds = []
    for fold in range(len(filled)):
        choosing = set() if validation else _choosing(fold_of, (fold + 1) % len(filled), sizes, share * len(rows))
        test = [example for example, unit in zip(rows, units) if fold_of[unit] == fold]
        held = validation or [example for example, unit in zip(rows, units) if unit in choosing]
        rest = [e for e, unit in zip(rows, units) if fold_of[unit] != fold and unit not in choosing]
        held = _without(held, test)
        folds.append(Fold(_without(rest, [*test, *held]), held, test))
    return folds


def _choosing(fold_of: dict[bytes, int], fold: int, sizes: Counter[bytes], wanted: float) -> set[bytes]:
    """Units of `fold` that hold about `wanted` rows, at least one; none where nothing would be left to train on."""
    chosen: set[bytes] = set()
    for unit in sorted((unit for unit, its in fold_of.items() if its == fold), key=_place):
        if wanted <= 0 or len(fold_of) < 3:
            break
        chosen.add(unit)
        wanted -= sizes[unit]
    return chosen


def _without(rows: Sequence[Example], held: Sequence[Example]) -> list[Example]:
    """The rows that hold no prompt of `held`."""
    prompts = {prompt_keys(example)[-1] for example in held}
    return [example for example in rows if prompts.isdisjoint(prompt_keys(example))]


# ------------------------------------------------------------------------------------------------------- labels


def _labels(rows: Sequence[Example]) -> list[str] | None:
    """The answer of each row where answers are labels: one short line, each given by several rows; else None."""
    answers = [example.answer.strip() for example in rows]
    if any(len(answer) > _LONGEST_LABEL or "\n" in answer or not answer for answer in answers):
        return None
    return answers if len(answers) >= _ROWS_A_LABEL * len(set(answers)) else None


def _label_notes(result: Splits) -> list[str]:
    labels = _labels([*result.train, *result.validation, *result.test])
    if labels is None:
        return []
    every = set(labels)
    notes = []
    sides = [name for name in ("train", "validation", "test") if getattr(result, name)]
    for name in sides:
        rows: Iterable[Example] = getattr(result, name)
        missing = sorted(every - {example.answer.strip() for example in rows})
        if missing:
            shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
            notes.append(f"{len(missing):,} of {len(every):,} labels have no {name} row: {shown}")
    return notes or [f"each of the {len(every):,} labels stands in {', '.join(sides[:-1])} and {sides[-1]}"]
