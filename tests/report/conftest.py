"""A made-up run folder, complete or with parts left out."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from tailor.config import resolve
from tailor.run import Run

LABELS = ("card_arrival", "card_not_working", "exchange_rate", "lost_or_stolen_card", "top_up_failed", "pin_blocked")
ASKED = {
    "card_arrival": "I ordered my card nine days ago and it still has not come. When will it arrive?",
    "card_not_working": "The machine at the till refuses my card, though there is money on it.",
    "exchange_rate": "The rate you gave me on Saturday is not the one I saw in the app.",
    "lost_or_stolen_card": "My wallet was taken on the train. Please stop the card at once!",
    "top_up_failed": "I tried to top up by bank transfer and it was turned down twice.",
    "pin_blocked": "I typed the wrong PIN three times and now nothing works.",
}


def scored(arm: str, n: int, accuracy: float, seed: int, **changes: Any) -> list[dict[str, Any]]:
    """Lines of `scores/ARM.jsonl`; the same seed asks the same rows whatever the arm."""
    rows, right = random.Random(seed), random.Random(f"{arm}{seed}")
    lines = []
    for row in range(n):
        wanted = rows.choice(LABELS)
        hit = right.random() < accuracy
        given = wanted if hit else right.choice([label for label in LABELS if label != wanted])
        line = {
            "row": row,
            "source": {"file": "test.csv", "line": row + 2},
            "prompt": f"Answer with the intent of the message and nothing else.\n\n{ASKED[wanted]}",
            "wanted": wanted,
            "given": given,
            "score": float(hit),
            "detail": "" if hit else "another label",
            "prompt_tokens": 41,
            "completion_tokens": 4,
            "seconds": 0.02,
        }
        lines.append(line | changes)
    return lines


def losses(steps: int) -> list[dict[str, Any]]:
    """Lines of `metrics.jsonl`: a loss each step, a look at the validation rows each tenth of the way."""
    noise, lines = random.Random(3), []
    for step in range(1, steps + 1):
        at = {"step": step, "epoch": step / steps * 4, "tokens": step * 610}
        loss = 0.16 + 3.4 * math.exp(-step / (steps / 9)) + noise.uniform(-0.05, 0.05)
        lines.append(at | {"loss": loss, "grad_norm": 0.8, "lr": 2e-4})
        if step % max(steps // 10, 1) == 0:
            late = max(0.0, step / steps - 0.7)
            lines.append(at | {"validation_loss": 0.27 + 3.1 * math.exp(-step / (steps / 8)) + late / 3})
    return lines


def summary(n: int) -> dict[str, Any]:
    """The document of `--json`."""
    arm = {"metric": "exact", "n": n, "completion_tokens": 4 * n}
    return {
        "run": "runs/banking77-1",
        "report": "runs/banking77-1/report.html",
        "model": "thimble",
        "method": "sft",
        "ledger": {
            "rows_in": 13083,
            "train": 9468,
            "validation": 500,
            "test": 3080,
            "dropped": {"also in the test rows": 35},
        },
        "arms": [
            arm | {"name": "zero-shot", "score": 0.121, "ci": [0.11, 0.133], "prompt_tokens": 612 * n, "seconds": 74.1},
            arm
            | {"name": "few-shot", "score": 0.348, "ci": [0.331, 0.365], "prompt_tokens": 934 * n, "seconds": 131.6},
            arm | {"name": "tuned", "score": 0.902, "ci": [0.891, 0.912], "prompt_tokens": 41 * n, "seconds": 38.2},
        ],
        "difference": {"arm": "tuned", "against": "few-shot", "mean": 0.554, "ci": [0.535, 0.573], "p": 0.0},
        "train": {
            "steps": 600,
            "epochs": 4.0,
            "seconds": 742.0,
            "tokens_per_second": 4120.0,
            "peak_memory_bytes": 1610000000,
            "best_step": 420,
        },
        "verdict": {
            "decision": "tune",
            "sentence": "Tune: 90.2% right on 3,080 held-out rows against 34.8% for few-shot, a gain of 55.4 points "
            "(95% interval 53.5 to 57.3), with 4% of its prompt tokens.",
            "rows_needed": {"held_out": None, "training": None},
        },
        "notes": [
            "10,003 rows of a table: prompt=text, completion=category; say --map to change it",
            "the metric is exact: the answers are 77 short labels",
            "all weights are trained: the model has under 50M parameters",
        ],
    }


LEDGER = {
    "rows_in": 13083,
    "train": 9468,
    "validation": 500,
    "test": 3080,
    "dropped": {"also in the test rows": 33, "no answer": 2},
    "dropped_at": {
        "also in the test rows": [f"train.csv:{line}" for line in range(40, 370, 10)],
        "no answer": ["train.csv:871", "train.csv:4410"],
    },
    "tokens_in": 412_840,
    "tokens_dropped": 1_204,
    "tokens_trained": 151_488,
}
ENVIRONMENT = {
    "time": "2026-02-03T10:11:12+0000",
    "versions": {"tailor": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2"},
    "machine": {"processor": "x86_64", "cores": 2, "memory_bytes": 16_000_000_000, "device": "cpu"},
    "hashes": {"train.csv": "blake2b:5d1c0f3a9b7e4c22", "model": "blake2b:90aa41be02cd7f18"},
    "git": {"commit": "1f0c2ab", "dirty": False},
}


class Builder:
    """Makes run folders; each part can be replaced, or left out by None."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, n: int = 300, *, steps: int = 600, name: str = "banking77-1", settings: Any = None, **parts: Any
    ) -> Run:
        run = Run.create(resolve(overrides={"run.out": str(self.folder / name), "optim.epochs": 4, **(settings or {})}))
        documents = {
            "summary": summary(n),
            "ledger": LEDGER,
            "environment": ENVIRONMENT,
            "metrics": losses(steps),
            "scores": {
                "zero-shot": scored("zero-shot", n, 0.12, 7),
                "few-shot": scored("few-shot", n, 0.35, 7),
                "tuned": scored("tuned", n, 0.9, 7),
            },
        } | parts
        if documents["summary"] is not None:
            run.write("summary.json", documents["summary"])
            if documents["summary"].get("verdict"):
                run.write("verdict.json", documents["summary"]["verdict"])
        for part, file in (
            ("ledger", "data/ledger.json"),
            ("environment", "environment.json"),
            ("state", "state.json"),
        ):
            if documents.get(part) is not None:
                run.write(file, documents[part])
        if documents["metrics"] is not None:
            run.write_lines("metrics.jsonl", documents["metrics"])
        for arm, lines in (documents["scores"] or {}).items():
            run.write_lines(f"scores/{arm}.jsonl", lines)
        return run


@pytest.fixture
def make_run(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


@pytest.fixture
def changed_summary() -> Any:
    """`summary` of 300 rows with the parts given replaced."""

    def change(**parts: Any) -> dict[str, Any]:
        return json.loads(json.dumps(summary(300))) | parts

    return change
