"""Selectors: the fast path against its reference, quotas by hand, and what each promises of its choice."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
import pytest

from tailor.config import CheckConfig
from tailor.curate.check import collected
from tailor.curate.selectors import facility, longest, random
from tailor.curate.selectors.base import Pool, quotas
from tailor.records import Example, Source, message


def example(line: int, prompt: str, answer: str) -> Example:
    return Example(
        kind="chat", source=Source("a", line), messages=(message("user", prompt), message("assistant", answer))
    )


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def pool(stack: ExitStack, rows: Sequence[tuple[str, str]], *, labelled: bool = False, seed: int = 0) -> Pool:
    examples = [example(line, *row) for line, row in enumerate(rows, 1)]
    corpus = collected(examples, CheckConfig(), stack)
    strata = np.unique([row[1] for row in rows], return_inverse=True)[1] if labelled else np.zeros(len(rows), np.int64)
    return Pool(corpus, np.arange(len(rows)), strata, seed)


# ------------------------------------------------------------------------------------------- facility location


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", ["cosines", "few values"])
def test_lazy_greedy_is_greedy(seed: int, make: str) -> None:
    dice = np.random.default_rng(seed)
    if make == "cosines":
        vectors = dice.random((60, 12)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        similar = vectors @ vectors.T
    else:  # many gains are equal: the first row of equal ones is taken
        similar = np.maximum(*(lambda half: (half, half.T))(dice.integers(0, 4, (40, 40)))).astype(np.float32)
    assert facility.lazy(similar, 20) == facility.greedy(similar, 20)


def test_greedy_by_hand() -> None:
    # two pairs of twins and a row apart: one of each pair first, then the row apart, whose gain is 1, then what is left
    similar = np.array(
        [[1, 0.9, 0, 0, 0], [0.9, 1, 0, 0, 0], [0, 0, 1, 0.8, 0], [0, 0, 0.8, 1, 0], [0, 0, 0, 0, 1]], np.float32
    )
    assert facility.greedy(similar, 4) == [0, 2, 4, 3]
    assert facility.lazy(similar, 4) == [0, 2, 4, 3]


def test_greedy_comes_near_the_best_set() -> None:
    dice = np.random.default_rng(1)
    for _ in range(10):
        points = dice.random((9, 2))
        similar = np.exp(-4 * np.linalg.norm(points[:, None] - points[None], axis=2)).astype(np.float32)
        best = max(similar[list(some)].max(axis=0).sum() for some in itertools.combinations(range(9), 3))
        assert similar[facility.lazy(similar, 3)].max(axis=0).sum() >= (1 - 1 / np.e) * best


def test_each_topic_is_chosen_once(stack: ExitStack) -> None:
    topics = ["where is my new card", "reset the forgotten password", "weather in Paris", "cancel this order"]
    rows = [(f"{topic} please {word}", f"{topic}: see page {word}") for topic in topics for word in "abcdefgh"]
    chosen = facility.choose(pool(stack, rows), 4)
    assert sorted(int(row) // 8 for row in chosen) == [0, 1, 2, 3]


def test_every_label_keeps_a_row(stack: ExitStack) -> None:
    rows = [(f"question {n} about thing {n * 7 % 13}", "often" if n % 20 else "seldom") for n in range(100)]
    given = pool(stack, rows, labelled=True)
    counts = Counter(rows[row][1] for row in facility.choose(given, 10))
    assert counts == {"often": 9, "seldom": 1}  # 9.5 and 0.5 of 10: at least one, and the rest is the other's


def test_regions_hold_each_row_once(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facility, "REGION", 32)
    rows = [(f"question {n} on {('cats', 'dogs', 'ants')[n % 3]} and {n % 17}", f"answer {n}") for n in range(200)]
    given = pool(stack, rows)
    held = facility._Rows(given, np.arange(200))
    parts = list(held.regions(np.arange(200)))
    assert sorted(np.concatenate(parts).tolist()) == list(range(200))
    assert max(len(part) for part in parts) <= 32 and len(parts) == 8
    inside = np.mean([held.similar(part).mean() for part in parts])
    assert inside > held.similar(np.arange(200)).mean() * 1.2
    chosen = facility.choose(given, 24)
    assert len(set(chosen.tolist())) == 24
    assert len(facility.choose(given, 2)) == 2  # of a sample then


def test_chosen_rows_stand_closer_to_all_than_rows_by_lot(stack: ExitStack) -> None:
    words = [f"{a}{b}" for a in ("card", "loan", "rate", "bill", "fee") for b in ("lost", "new", "late", "high")]
    rows = [(" ".join(words[(n * k + n // 7) % 20] for k in (1, 2, 3, 5)), f"answer {n % 50}") for n in range(300)]
    given = pool(stack, rows)
    similar = facility._Rows(given, np.arange(300)).similar(np.arange(300))

    def covered(chosen: np.ndarray) -> float:
        return float(similar[chosen].max(axis=0).sum())

    by_lot = [covered(random.choose(given._replace(seed=seed), 15)) for seed in range(10)]
    assert covered(facility.choose(given, 15)) > 1.05 * max(by_lot)


# --------------------------------------------------------------------------------------------------- the others


def test_rows_that_are_added_displace_few(stack: ExitStack) -> None:
    rows = [(f"question {n}", f"answer {n}") for n in range(400)]
    before = {rows[row] for row in random.choose(pool(stack, rows[:300]), 60)}
    after = {rows[row] for row in random.choose(pool(stack, rows), 80)}
    assert len(before - after) < 15  # an eighth of them at most; with a new draw it would be four fifths
    mixed = [*rows[100:300], *rows[:100]]
    assert {mixed[row] for row in random.choose(pool(stack, mixed), 60)} == before
    assert {rows[row] for row in random.choose(pool(stack, rows[:300], seed=1), 60)} != before


def test_the_longest_answers(stack: ExitStack) -> None:
    rows = [("a", "xx"), ("b", "xxxx"), ("c", "x"), ("d", "xxxx"), ("e", "xxx")]
    assert longest.choose(pool(stack, rows), 3).tolist() == [1, 3, 4]


@pytest.mark.parametrize("selector", [facility, longest, random])
@pytest.mark.parametrize("labelled", [True, False])
def test_as_many_rows_as_were_wanted_each_once(selector: object, labelled: bool, stack: ExitStack) -> None:
    rows = [(f"question {n} of {n % 9}", f"label {n % 5}") for n in range(60)]
    given = pool(stack, rows, labelled=labelled)
    given = given._replace(rows=given.rows[10:], strata=given.strata[10:])
    for count in (1, 4, 23, 49):
        chosen = selector.choose(given, count).tolist()  # type: ignore[attr-defined]
        assert len(set(chosen)) == count and min(chosen) >= 10
        assert chosen == selector.choose(given, count).tolist()  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------------- quotas


@pytest.mark.parametrize(
    ("sizes", "count", "given"),
    [
        ([50, 30, 20], 10, [5, 3, 2]),
        ([98, 1, 1], 10, [8, 1, 1]),
        ([5, 5, 5], 4, [2, 1, 1]),  # equal remainders: the first
        ([2, 100], 60, [1, 59]),
        ([1, 1, 8], 9, [1, 1, 7]),
        ([9, 5, 7], 2, [1, 0, 1]),  # fewer than strata: the largest
        ([3, 4], 7, [3, 4]),
        ([3, 4], 0, [0, 0]),
    ],
)
def test_quotas(sizes: list[int], count: int, given: list[int]) -> None:
    assert quotas(np.array(sizes), count).tolist() == given
