"""One measurement of tailor: the command line, as a user types it.

python bench/drive_tailor.py JOB
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import tailor  # noqa: F401  # before the meter imports PyTorch: tailor's own command line is first, too
from meter import Meter, read_job
from tailor.cli import main
from works import Row, read_rows, write_rows

# What a mode adds to the defaults; `reference` says what the fast kernels are worth.
MODES: dict[str, list[str]] = {"default": [], "reference": ["train.kernels=reference"]}


def arguments(job: dict[str, Any], folder: Path, rows: int) -> list[str]:
    """The command: the same adapter, optimiser, rows and precision as everybody's; the rest as it comes."""
    steps = job["warmup"] + job["timed"]
    settings = {
        "model.dtype": job["dtype"],
        "adapter.r": job["rank"],
        "adapter.lora_alpha": 2 * job["rank"],
        "optim.batch_size": job["batch"],
        "optim.epochs": steps * job["batch"] / rows,
        "optim.learning_rate": job["learning_rate"],
        "optim.schedule": "constant",
        "optim.average": 0,
        "optim.warmup_ratio": 0,
        "optim.weight_decay": 0,
        "optim.beta2": 0.999,
        "train.early_stop": "loss",
        "train.validations_per_epoch": 0.1,  # one look, after the last step
        "train.checkpoint_minutes": 1e6,
        "train.token_budget": 4096,  # the default; given, so that planning takes no steps of its own
        "train.checkpoint_layers": 0,
    }
    assign = [f"{name}={value}" for name, value in settings.items()] + MODES[job["mode"]]
    files = (str(folder / "train.jsonl"), "--validation", job["validation"])
    method, adapter = ("dpo" if job["pairs"] else "sft"), ("qlora" if job["quantised"] else "lora")
    flags = ("--model", job["model"], "--adapter", adapter, "--method", method, "--seed", str(job["seed"]), "--json")
    return [
        *("train", *files, *flags, "--out", str(folder / "run")),
        *(part for item in assign for part in ("--set", item)),
    ]


def ordered(rows: list[Row], seed: int) -> list[Row]:
    """`rows` laid out so that tailor's order of the first epoch, a function of the seed, is the one wanted."""
    order = np.random.default_rng([seed, 0]).permutation(len(rows))
    laid: list[Row] = [{} for _ in rows]
    for place, row in zip(order, rows):
        laid[place] = row
    return laid


if __name__ == "__main__":
    job = read_job()
    folder = Path(job["scratch"]) / "tailor"
    shutil.rmtree(folder, ignore_errors=True)
    rows = read_rows(job["rows"])
    write_rows(folder / "train.jsonl", ordered(rows, job["seed"]))
    meter = Meter(job)
    sys.argv[1:] = arguments(job, folder, len(rows))
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    meter.finish([line["loss"] for line in lines if "loss" in line])
