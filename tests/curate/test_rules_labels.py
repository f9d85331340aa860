"""The rules of class labels (C3, C4)."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tailor.config import CheckConfig
from tailor.curate import labels
from tailor.curate.check import collected
from tailor.records import Example, Source, message
from tailor.testing.rules import RuleContract, pair

TOPICS = {
    "delivery": ("parcel", "driver", "shipment", "courier", "box"),
    "payment": ("invoice", "bill", "refund", "fee", "receipt"),
    "account": ("password", "login", "profile", "address", "username"),
}
ASKED = ("Where is my {}?", "My {} is wrong", "I have lost the {}", "Please look at the {}", "Who changed the {} today")
LABELLED = [pair(ask.format(word), label) for ask in ASKED for label, words in TOPICS.items() for word in words]


class TestWrongLabels(RuleContract):
    name = "wrong-labels"
    fires = {
        "one exchanged": ([*LABELLED, pair("Please change my parcel and the driver", "payment")], {76}),
        "two": (
            [
                pair("Please look at the invoice and the bill", "account"),
                *LABELLED,
                pair("Please look at the login and the password", "payment"),
            ],
            {1, 77},
        ),
    }
    silent = {
        "every label is right": LABELLED,
        "too few rows to know": [*LABELLED[:20], pair("Please change my parcel", "payment")],
        "the prompt's words do not tell": [pair(f"not True and {n} is", str(n * 7 % 11 > 5)) for n in range(90)],
        "answers are no labels": [pair(row["prompt"], f"{row['prompt']} {n}") for n, row in enumerate(LABELLED)],
    }


MANY = [pair(f"question {n}", label) for label in ("card_lost", "card_found", "top_up_failed") for n in range(30)]


class TestLabelVariants(RuleContract):
    name = "label-variants"
    fires = {
        "a typo": ([*MANY, pair("q", "card_lsot"), pair("r", "card_los"), pair("s", "card_loost")], {91, 92, 93}),
        "marks and case": ([pair("q", "Card-Lost."), *MANY, pair("r", "card found")], {1, 92}),
    }
    silent = {
        "names that are alike and both many": [*MANY, *[pair(f"other {n}", "card_lose") for n in range(20)]],
        "numbers": [pair(f"question {n}", f"category {n % 2 + 1}") for n in range(40)] + [pair("q", "category 3")],
        "short names": [pair(f"question {n}", "yes") for n in range(40)] + [pair("q", "yet")],
    }


class TestRareLabels(RuleContract):
    name = "rare-labels"
    fires = {"one row": ([*MANY, pair("q", "a thing of its own")], {91})}
    silent = {
        "three rows": [*MANY, *[pair(f"q{n}", "card_eaten") for n in range(3)]],
        "numbers": [pair(f"how many {n}", str(n % 3)) for n in range(90)] + [pair("and here", "17")],
        "all classes are small": [pair(f"question {n}", f"class {n // 5}") for n in range(51)],
    }


@pytest.mark.parametrize("size", [40, 20])  # more places than rows, and fewer
def test_a_row_is_judged_by_a_model_that_has_not_seen_it(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against fitting the ridge anew without each row."""
    monkeypatch.setattr(labels, "SIZE", size)
    rng = np.random.default_rng(0)
    rows = [np.sort(rng.choice(size, rng.integers(3, 8), replace=False)) for _ in range(30)]
    own = rng.integers(0, 3, 30)
    found = labels.left_out(np.concatenate(rows), np.array([len(row) for row in rows]), own)
    dense = np.zeros((30, size))
    for place, row in enumerate(rows):
        dense[place, row] = 1
    dense *= np.log(31 / (1 + dense.sum(axis=0)))
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    wanted = np.eye(3)[own]
    for place in range(30):
        x, y = np.delete(dense, place, 0), np.delete(wanted, place, 0)
        weights = np.linalg.solve(x.T @ x + np.eye(size), x.T @ y)
        assert np.allclose(found[place], dense[place] @ weights, atol=1e-4)


@pytest.mark.slow
def test_wrong_labels_of_banking77_come_first() -> None:
    file = Path(__file__).parents[3] / "shared/data/banking77/train.csv"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    with open(file, encoding="utf-8") as opened:
        read = [(row["text"], row["category"]) for row in csv.DictReader(opened)]
    names = sorted({label for _, label in read})
    rng = np.random.default_rng(1)
    wrong = rng.choice(len(read), len(read) * 3 // 100, replace=False)
    for place in wrong:
        text, label = read[place]
        read[place] = text, rng.choice([name for name in names if name != label])
    turns = [(message("user", text), message("assistant", str(label))) for text, label in read]
    rows = [Example(kind="chat", source=Source("b", n + 1), messages=pair) for n, pair in enumerate(turns)]
    with ExitStack() as stack:
        found = labels.judged(collected(rows, CheckConfig(), stack))
    assert found is not None
    flipped = np.isin(found.rows, wrong)
    ranks = np.argsort(np.argsort(-found.of_own))[flipped] + 1
    count = flipped.sum()
    area = (ranks.sum() - count * (count + 1) / 2) / (count * (len(flipped) - count))
    assert area >= 0.98
    assert flipped[np.argsort(found.of_own)[:count]].mean() >= 0.65
