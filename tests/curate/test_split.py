"""Splits share nothing, stand still, and account for every row."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailor.config import DataConfig, EvalConfig
from tailor.curate.split import Splits, split
from tailor.errors import ConfigError, DataError
from tailor.records import Example, Ledger, Source, ToolResult, message
from tailor.records import Message as Turn

SHARED = Path(__file__).parents[2].parent / "shared"


def row(prompt: str, answer: str = "yes", *, line: int = 1, group: str | None = None, file: str = "a") -> Example:
    turns = (message("user", prompt), message("assistant", answer))
    return Example(kind="chat", source=Source(file, line), messages=turns, group=group)


def rows(count: int, *, labels: int = 5, start: int = 0) -> list[Example]:
    return [row(f"question {n}", f"label {n % labels}", line=n) for n in range(start, start + count)]


def run(
    train: Sequence[Example],
    validation: Sequence[Example] = (),
    test: Sequence[Example] = (),
    **data: object,
) -> tuple[Splits, Ledger]:
    ledger = Ledger(rows_in=len(train) + len(validation) + len(test))
    config = DataConfig(**data)  # type: ignore[arg-type]
    result = split(train, validation, test, data=config, eval=EvalConfig(), ledger=ledger)
    ledger.check()
    return result, ledger


def prompt_of(example: Example) -> str:
    return " ".join(example.messages[0].text.casefold().split())


# ------------------------------------------------------------------------------------------------------- properties


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(200, 300), prompts=st.integers(1, 200), groups=st.integers(0, 9))
def test_no_prompt_and_no_group_stands_on_two_sides(seed: int, count: int, prompts: int, groups: int) -> None:
    random = Random(seed)
    data = [
        row(
            random.choice(["Prompt {}", "prompt  {} "]).format(random.randrange(prompts)),
            str(random.randrange(4)),
            line=line,
            group=random.choice([None, f"group {random.randrange(groups)}"]) if groups else None,
        )
        for line in range(count)
    ]
    try:
        result, ledger = run(data)
    except DataError as error:
        assert "nothing is left to train on" in str(error) or "none can be held out" in str(error)
        return
    sides = [result.train, result.validation, result.test]
    for left, right in ((0, 1), (0, 2), (1, 2)):
        assert not {prompt_of(e) for e in sides[left]} & {prompt_of(e) for e in sides[right]}
        assert {e.group for e in sides[left]} & {e.group for e in sides[right]} <= {None}
    kept = [example.source.line for side in sides for example in side]
    gone = [int(place.split(":")[1]) for places in ledger.dropped_at.values() for place in places]
    assert sorted(kept + gone) == list(range(count))


@settings(max_examples=20, deadline=None)
@given(count=st.integers(200, 400), more=st.integers(1, 200), seed=st.integers(0, 1000))
def test_adding_rows_moves_no_old_row(count: int, more: int, seed: int) -> None:
    old = rows(count)
    new = [*old, *rows(more, start=10_000)]
    Random(seed).shuffle(new)
    before, _ = run(old)
    after, _ = run(new)
    for side in ("train", "validation", "test"):
        was = {example.key for example in getattr(before, side)}
        now = {example.key for example in getattr(after, side)}
        assert was <= now


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=2, max_size=150))
def test_folds_hold_every_row_out_once_and_share_no_prompt(numbers: list[int]) -> None:
    data = [row(f"Prompt {n}", str(n % 3), line=line) for line, n in enumerate(numbers)]
    if len(set(numbers)) == 1:
        with pytest.raises(DataError, match="none can be held out"):
            run(data)
        return
    result, ledger = run(data)
    assert result.folds is not None
    assert result.test == [] and ledger.train + ledger.validation == len(data)
    held = [example.source.line for fold in result.folds for example in fold.test]
    assert sorted(held) == list(range(len(data)))
    for fold in result.folds:
        assert fold.train and fold.test
        sides = [{prompt_of(e) for e in side} for side in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, sides)) == len(set().union(*sides))
        assert len(fold.train) + len(fold.validation) + len(fold.test) == len(data)


# ----------------------------------------------------------------------------------------------------- what happens


def test_sizes_order_and_repeatability() -> None:
    data = rows(3000)
    result, ledger = run(data)
    assert len(result.test) == pytest.approx(600, abs=70)
    assert len(result.validation) == pytest.approx(300, abs=55)
    assert (ledger.train, ledger.validation, ledger.test) == tuple(
        len(side) for side in (result.train, result.validation, result.test)
    )
    for side in (result.train, result.validation, result.test):
        assert [e.source.line for e in side] == sorted(e.source.line for e in side)
    backwards, _ = run(data[::-1])
    assert {e.key for e in backwards.test} == {e.key for e in result.test}
    assert result.folds is None


def test_validation_rows_are_capped_and_only_ever_go_to_train() -> None:
    before, _ = run(rows(1000), max_validation=40)
    after, _ = run(rows(2000), max_validation=40)
    assert len(before.validation) == len(after.validation) == 40
    old = {example.key for example in rows(1000)}
    assert {e.key for e in after.validation} & old <= {e.key for e in before.validation}
    assert {e.key for e in before.test} <= {e.key for e in after.test}


def test_given_files_are_honoured() -> None:
    train, validation, test = rows(50), rows(10, start=500), rows(20, start=900)
    result, ledger = run(train, validation, test)
    assert (result.train, result.validation, result.test) == (train, validation, test)
    assert result.folds is None and ledger.dropped == {}


def test_shared_rows_leave_the_earlier_side() -> None:
    train = [*rows(30), row("Where  is\tmy CARD?", line=77), row("only mine", line=78), row("ｆｕｌｌ width", line=79)]
    validation = [row("only mine", line=1, file="v"), row("where is my card?", line=2, file="v"), *rows(5, start=600)]
    test = [row("Where is my card?", "other answer", line=1, file="t"), row("full width", line=2, file="t")]
    result, ledger = run(train, validation, test)
    assert result.test == test
    assert [e.source.file for e in result.validation].count("v") == 1
    assert [e.source.line for e in result.train] == list(range(30))
    assert ledger.dropped_at == {
        "its prompt stands in the test rows too": ["a:77", "a:79", "v:2"],
        "its prompt stands in the validation rows too": ["a:78"],
    }
    assert "2 rows left train: the same prompt stands in the test rows" in result.notes
    assert "1 row left validation: the same prompt stands in the test rows" in result.notes


def test_rows_of_a_test_group_leave_train() -> None:
    train = [row(f"t{n}", line=n, group=str(n % 10)) for n in range(40)]
    test = [row("held", line=1, file="t", group="3")]
    result, ledger = run(train, rows(3, start=800), test)
    assert all(example.group != "3" for example in result.train)
    assert ledger.dropped == {"its group stands in the test rows too": 4}


def test_a_conversation_that_holds_a_test_prompt_leaves_train() -> None:
    def talk(*texts: str) -> tuple[Turn, ...]:
        return tuple(message("assistant" if n % 2 else "user", text) for n, text in enumerate(texts))

    long = Example(
        kind="chat", source=Source("a", 99), messages=talk("Hi", "Hello", "Refund?", "Sure", "Thanks", "Bye")
    )
    other = Example(kind="chat", source=Source("a", 98), messages=talk("Hi", "Hello", "Opening hours?", "Nine to five"))
    test = [Example(kind="chat", source=Source("t", 1), messages=talk("Hi", "Hello", "refund?", "Of course"))]
    result, ledger = run([*rows(10), long, other], rows(3, start=800), test)
    assert ledger.dropped_at == {"its prompt stands in the test rows too": ["a:99"]}
    assert other in result.train


def test_identical_rows_of_one_side_stay() -> None:
    data = [*rows(300), *rows(300)]
    result, ledger = run(data)
    assert ledger.dropped == {}
    assert set(Counter(e.key for e in result.test).values()) == {2}


def test_prompts_that_differ_in_a_system_turn_or_a_tool_result_differ() -> None:
    def asked(system: str, result: str) -> Example:
        turns = (
            message("system", system),
            message("user", "go"),
            Turn("tool", (ToolResult(result),)),
            message("assistant", "done"),
        )
        return Example(kind="chat", source=Source("a", 1), messages=turns)

    test = [asked("be brief", "42")]
    train = [asked("be brief", "43"), asked("be long", "42"), asked("Be  brief", "42")]
    _, ledger = run(train, rows(3, start=700), test)
    assert ledger.dropped == {"its prompt stands in the test rows too": 1}


def test_plain_texts_are_split_by_their_text() -> None:
    texts = [Example(kind="text", source=Source("a", n), text=f"text {n % 250}") for n in range(500)]
    result, _ = run(texts)
    assert result.test and result.validation
    assert not {e.text for e in result.test} & {e.text for e in result.train}


def test_folds_are_stratified() -> None:
    data = [row(f"q{n}", "rare" if n < 10 else "common", line=n) for n in range(100)]
    result, _ = run(data)
    assert result.folds is not None and len(result.folds) == 5
    assert [len(fold.test) for fold in result.folds] == [20] * 5
    assert [sum(e.answer == "rare" for e in fold.test) for fold in result.folds] == [2] * 5
    assert "100 rows are too few to set test rows aside: 5 folds, every row held out once" in result.notes


def test_without_held_out_rows_all_but_validation_are_trained_on() -> None:
    for count in (100, 1000):
        ledger = Ledger(rows_in=count)
        result = split(rows(count), [], [], data=DataConfig(), eval=EvalConfig(), ledger=ledger, held_out=False)
        assert result.folds is None and result.test == []
        assert len(result.train) + len(result.validation) == count
        assert result.validation


def test_given_validation_rows_serve_every_fold() -> None:
    result, _ = run(rows(30), rows(4, start=500))
    assert result.folds is not None
    assert all(fold.validation == result.validation for fold in result.folds)
    assert all(len(fold.train) + len(fold.test) == 30 for fold in result.folds)


@pytest.mark.parametrize("count", [20, 500])
def test_nothing_is_held_out_where_nothing_will_be_measured(count: int) -> None:
    ledger = Ledger(rows_in=count)
    result = split(rows(count), [], [], data=DataConfig(), eval=EvalConfig(), ledger=ledger, held_out=False)
    ledger.check()
    assert result.test == [] and result.folds is None
    assert 0 < len(result.validation) < count / 4
    assert len(result.train) + len(result.validation) == count


def test_two_rows_make_two_folds_and_one_row_is_refused() -> None:
    result, _ = run(rows(2))
    assert result.folds is not None and [len(fold.test) for fold in result.folds] == [1, 1]
    with pytest.raises(DataError, match="one row is not enough"):
        run(rows(1))
    with pytest.raises(DataError, match="no rows"):
        run([])


def test_few_groups_still_fill_every_side() -> None:
    for seed in range(20):
        data = [row(f"{seed} {n}", line=n, group=f"{seed} {n % 3}") for n in range(300)]
        result, _ = run(data)
        assert result.train and result.validation and result.test
    two = [row(f"q{n}", line=n, group=str(n % 2)) for n in range(300)]
    result, _ = run(two)
    assert result.train and result.test and not result.validation
    assert "no validation rows: all training rows share one prompt or one group" in result.notes
    with pytest.raises(DataError, match="none can be held out"):
        run([row(f"q{n}", line=n, group="all") for n in range(300)])


def test_nothing_left_to_train_on_is_refused() -> None:
    with pytest.raises(DataError, match="nothing is left to train on"):
        run(rows(20), rows(5, start=900), rows(20))
    with pytest.raises(ConfigError, match="nothing to train on"):
        run(rows(300), test_share=0.7, validation_share=0.4)


def test_labels_that_a_side_lacks_are_named() -> None:
    data = [*rows(400, labels=4), row("lonely", "rare", line=999)]
    result, _ = run(data)
    side = next(
        name for name in ("train", "validation", "test") if any(e.answer == "rare" for e in getattr(result, name))
    )
    lacking = [note for note in result.notes if "rare" in note]
    assert len(lacking) == 2 and not any(f"no {side} row" in note for note in lacking)
    result, _ = run(rows(1000, labels=4))
    assert "each of the 4 labels stands in train, validation and test" in result.notes


# --------------------------------------------------------------------------------------------------------- real data


def _banking77(name: str) -> list[Example]:
    path = SHARED / "data/banking77" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with open(path, newline="", encoding="utf-8") as file:
        return [row(r["text"], r["category"], line=n, file=name) for n, r in enumerate(csv.DictReader(file), 2)]


def test_banking77_loses_the_rows_that_stand_in_its_test_file() -> None:
    train, test = _banking77("train.csv"), _banking77("test.csv")
    held = {prompt_of(example) for example in test}
    shared = [str(example.source) for example in train if prompt_of(example) in held]
    result, ledger = run(train, (), test)
    assert len(result.test) == 3080 and len(result.validation) == 500
    assert ledger.dropped_at == {"its prompt stands in the test rows too": shared}
    assert len(shared) == 7
    assert len(result.train) == 10_003 - 7 - 500
