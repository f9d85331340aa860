"""Order of the rows, and what is told about rows that cannot be trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tailor import render
from tailor.records import Example, Ledger
from tailor.run import Run
from tailor.train.source import Source
from tailor.weights.locate import locate

MakeRun = Callable[..., Run]


def open_source(run: Run) -> Source:
    return Source.open(run, render.load(locate(run.config.model.name)))


def test_every_epoch_holds_every_row_once_in_an_order_of_its_own(make_run: MakeRun) -> None:
    source = open_source(make_run())
    epochs = [[datum.group for step in steps for datum in source.batch(step, 8)] for steps in (range(3), range(3, 6))]
    assert [Counter(epoch) for epoch in epochs] == [Counter(range(24))] * 2
    assert epochs[0] != epochs[1]


def test_a_batch_depends_on_seed_and_step_alone(make_run: MakeRun) -> None:
    first, again = open_source(make_run("a")), open_source(make_run("b"))
    other = open_source(make_run("c", run__seed=1))
    groups = [[datum.group for datum in source.batch(7, 5)] for source in (first, again, other)]
    first.batch(0, 5)
    assert groups[0] == groups[1] == [datum.group for datum in first.batch(7, 5)]
    assert groups[0] != groups[2]


def test_a_batch_across_the_end_of_an_epoch_takes_from_both(make_run: MakeRun) -> None:
    source = open_source(make_run())
    across = [datum.group for datum in source.batch(2, 10)]
    assert across == [datum.group for datum in source.batch(5, 4)] + [datum.group for datum in source.batch(4, 6)]


def test_dropped_rows_leave_the_data_and_enter_the_ledger(make_run: MakeRun) -> None:
    run = make_run(data__over_length="drop", data__max_length=32)
    ledger = run.read_as("data/ledger.json", Ledger)
    kept = list(run.lines("data/train.jsonl", Example))
    assert 0 < ledger.train == len(kept) < 24
    assert sum(ledger.dropped.values()) == 30 - ledger.train - ledger.validation
    dropped = {place for places in ledger.dropped_at.values() for place in places}
    assert dropped.isdisjoint(str(example.source) for example in kept)
