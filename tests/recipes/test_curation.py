"""The noise of the curation recipe is what it says, and its crossings are where the lines cross."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

LABELS = [(f"question {n}", "abcd"[n % 4]) for n in range(40)]
SLOTS = [
    ("play it", '{"intent": "Play", "slots": {"song": "it", "artist": ["a", "b"], "year": "now"}}'),
    ("cold?", '{"intent": "Weather", "slots": {"city": "here", "when": "now", "kind": "cold"}}'),
    ("go", '{"intent": "Weather", "slots": {}}'),
]


@pytest.fixture(scope="module")
def noise(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("curation/noise.py")


@pytest.fixture(scope="module")
def claim(noise: ModuleType, script: Callable[[str], ModuleType]) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "noise", noise)  # they stand beside each other when one is run
        module = script("curation/claim.py")
        patch.setitem(sys.modules, "claim", module)
        yield module


@pytest.fixture(scope="module")
def plot(claim: ModuleType, script: Callable[[str], ModuleType]) -> ModuleType:
    return script("curation/plot.py")


@pytest.mark.parametrize("kind", ["flipped", "next-class"])
@pytest.mark.parametrize(("rate", "count"), [(0.0, 0), (0.3, 12), (1.0, 40)])
def test_as_many_labels_are_wrong_as_were_asked_for(kind: str, rate: float, count: int, noise: ModuleType) -> None:
    after = noise.spoilt(LABELS, kind, rate)
    assert [row[0] for row in after] == [row[0] for row in LABELS]
    assert sum(a != b for a, b in zip(after, LABELS)) == count
    assert {row[1] for row in after} == set("abcd")
    assert noise.spoilt(LABELS, kind, rate) == after


def test_what_is_wrong_at_a_low_rate_is_wrong_at_a_high_one(noise: ModuleType) -> None:
    low, high = (noise.spoilt(LABELS, "flipped", rate) for rate in (0.25, 0.5))
    assert all(b == a for a, b, clean in zip(low, high, LABELS) if a != clean)


def test_systematic_errors_say_the_same(noise: ModuleType) -> None:
    assert noise.spoilt(LABELS[:4], "next-class", 1.0) == list(zip([row[0] for row in LABELS], "bcda"))
    assert [row[1] for row in noise.spoilt(SLOTS, "prose", 1.0)] == [
        "The user wants Play, where song is it, artist is a and b, year is now.",
        "The user wants Weather, where city is here, when is now, kind is cold.",
        "The user wants Weather.",
    ]


def test_slots_keep_their_values_under_other_names(noise: ModuleType) -> None:
    after = [json.loads(answer) for _, answer in noise.spoilt(SLOTS, "slots", 1.0)]
    before = [json.loads(answer) for _, answer in SLOTS]
    for wrong, clean in zip(after[:2], before[:2]):
        assert wrong["intent"] == clean["intent"]
        assert list(wrong["slots"].values()) == list(clean["slots"].values())
        assert not set(wrong["slots"]) & set(clean["slots"])
    assert after[2] == {"intent": "Play", "slots": {}}


def test_every_run_is_planned_once(claim: ModuleType) -> None:
    names = [job.name for job in claim.jobs()]
    assert len(names) == len(set(names)) >= 16


def test_where_lines_cross(plot: ModuleType) -> None:
    def marks(score: float) -> np.ndarray:
        return np.arange(100) < 100 * score

    few = marks(0.5)
    at, low, high = plot.crossing([(0.0, marks(0.9)), (0.5, marks(0.6)), (0.9, marks(0.2))], few)
    assert at == pytest.approx(0.6)  # 0.1 ahead at 0.5, 0.3 behind at 0.9
    assert 0.5 < low < at < high < 0.75
    assert plot.crossing([(0.0, marks(0.9)), (0.9, marks(0.6))], few) is None


def test_the_page_pairs_what_was_drawn_with_what_was_chosen(plot: ModuleType, tmp_path: Path) -> None:
    def run(how: str, seed: int, right: str) -> dict[str, object]:
        return {
            "data": "snips", "noise": "prose", "rate": 0.3, "how": how, "seed": seed, "right": right, "batch": 8,
            "score": right.count("1") / len(right), "ci": [0, 1], "steps": 300, "trained_on": 200,
        }  # fmt: skip

    runs = [run("random", 0, "0011" * 5), run("curate", 0, "1011" * 5), run("random", 1, "0011" * 5)]
    [(data, noise, by_lot, ours, gain, (low, high))] = plot.differences(runs)
    assert (data, noise, by_lot, ours, gain) == ("snips", "prose", [0.5], [0.75], 0.25)
    assert 0 < low < 0.25 < high < 0.5
    assert "| 50.0% | 75.0% | +25.0% |" in "\n".join(plot.page(runs))
