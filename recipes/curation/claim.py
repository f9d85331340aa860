"""Do 200 well-chosen rows beat 10,000 noisy ones? Measured on banking77 and SNIPS as JSON with thimble.

    python recipes/curation/claim.py ../shared/data            # goes on where it stopped; hours on one core
    python recipes/curation/claim.py ../shared/data --only curate
    python recipes/curation/plot.py                            # RESULTS.md and docs/curation.svg from results.jsonl

A run is one line of `results.jsonl`: what was trained on, how, and for each test row whether the answer was
right. Everything is fixed beforehand (steps, rate, schedule; the last step counts), so nothing is chosen by looking at
validation or test rows.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from noise import Row, spoilt

HERE = Path(__file__).parent
TAILOR = [sys.executable, "-c", "from tailor.cli import main; main()"]
POOL, REST = 10_000, 20
TEST = {"banking77": 700, "snips": 500}
METRICS = {"banking77": "exact", "snips": "json-exact"}
STEPS = {"banking77": (800, 32), "snips": (500, 32), "few": (300, 8)}
"""(steps, rows a step): 2.6 and 1.6 passes over 10,000 rows; 12 over 200, which is tailor's default for so few."""


class Job(NamedTuple):
    """One run: `rows` rows of `data` with `rate` of its answers spoilt by `noise`, taken by `how`."""

    data: str
    noise: str
    rate: float
    how: str  # pool: all rows. chosen, random: of the pool. curate: what `tailor curate` makes of the pool
    rows: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data} {self.noise} {self.rate:.0%} {self.how} {self.rows} seed {self.seed}"


def jobs() -> Iterator[Job]:
    """Everything to be measured, what matters most first."""
    kinds = {"banking77": ("flipped", "next-class"), "snips": ("slots", "prose")}
    rates = {"flipped": (0.7, 0.9, 0.5), "next-class": (0.5, 0.3, 0.7), "slots": (0.7, 0.9, 0.5)}
    rates["prose"] = (0.5, 0.3, 0.7)
    for data in kinds:
        yield Job(data, "none", 0.0, "pool", POOL, 0)
    for step in range(3):
        for data in kinds:
            yield Job(data, "none", 0.0, "chosen", 200, step)
            for noise in kinds[data]:
                yield from (Job(data, noise, 0.3, how, 200, step) for how in ("random", "curate"))
            for noise in kinds[data]:
                yield Job(data, noise, rates[noise][step], "pool", POOL, 0)


# ----------------------------------------------------------------------------------------------------- the rows


def rows_of(data: str, shared: Path) -> tuple[list[Row], list[Row], list[Row]]:
    """(pool, rest, test): rows drawn by a hash of their text; no prompt of the test file stands in the others."""
    train, test = (banking77 if data == "banking77" else snips)(shared / data)
    asked = {prompt.casefold() for prompt, _ in test}
    train = [row for row in train if row[0].casefold() not in asked]
    train.sort(key=_lot)
    size = min(POOL, len(train) - REST)
    return train[:size], train[size : size + REST], sorted(test, key=_lot)[: TEST[data]]


def _lot(row: Row) -> bytes:
    return hashlib.blake2b(row[0].encode()).digest()


def banking77(folder: Path) -> tuple[list[Row], list[Row]]:
    """Messages and their intents."""

    def read(name: str) -> list[Row]:
        with open(folder / name, encoding="utf-8", newline="") as file:
            return [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]

    return read("train.csv"), read("test.csv")


def snips(folder: Path) -> tuple[list[Row], list[Row]]:
    """Sentences and their JSON, as `recipes/snips/convert.py` makes it."""
    place = HERE.parent / "snips" / "convert.py"
    spec = importlib.util.spec_from_file_location("convert", place)
    assert spec is not None and spec.loader is not None
    convert = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(convert)

    def read(prefix: str) -> list[Row]:
        chats = [row["messages"] for path in sorted(folder.glob(f"{prefix}_*.json")) for row in convert.read(path)]
        return [(asked["content"], answered["content"]) for asked, answered in chats]

    return read("train"), read("validate")


def write(path: Path, rows: list[Row]) -> None:
    """The rows as prompt and completion."""
    lines = [json.dumps({"prompt": prompt, "completion": answer}, ensure_ascii=False) for prompt, answer in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def take(job: Job, pool: list[Row], folder: Path) -> Path:
    """The file of the rows to train on."""
    clean = folder / "pool.jsonl"
    write(clean, spoilt(pool, job.noise, job.rate) if job.rate else pool)
    if job.how == "pool":
        return clean
    taken = folder / "taken.jsonl"
    if job.how == "random":
        lines = clean.read_text(encoding="utf-8").splitlines(keepends=True)
        taken.write_text("".join(random.Random(job.seed).sample(lines, job.rows)), encoding="utf-8")
    else:
        command = [*TAILOR, "curate", str(clean), "-o", str(taken), "--keep", str(job.rows), "--threads", "1"]
        subprocess.run([*command, "--seed", str(job.seed)], check=True, stderr=sys.stderr, stdout=sys.stderr)
    return taken


# ----------------------------------------------------------------------------------------------------- the runs


def measure(job: Job, shared: Path) -> dict[str, Any]:
    """Trains and tests; the line for `results.jsonl`."""
    pool, rest, test = rows_of(job.data, shared)
    with TemporaryDirectory(prefix="claim-") as name:
        folder = Path(name)
        train = take(job, pool, folder)
        write(folder / "test.jsonl", test)
        write(folder / "validation.jsonl", rest)  # looked at once, after the last step
        rows = train.read_text(encoding="utf-8").count("\n")
        steps, batch = STEPS[job.data if job.how == "pool" else "few"]
        settings = {
            "optim.epochs": steps * batch / rows,
            "optim.batch_size": batch,
            "optim.learning_rate": 1e-3,
            "optim.schedule": "cosine",
            "optim.average": 0,
            "eval.arms": ["tuned"],
            "eval.metric": METRICS[job.data],
            "train.validations_per_epoch": 0.001,
            "train.early_stop": "loss",
            "run.seed": job.seed,
        }
        command = [*TAILOR, "fit", str(train), "--test", str(folder / "test.jsonl"), "--threads", "1", "--json"]
        command += ["--validation", str(folder / "validation.jsonl"), "--out", str(folder / "run")]
        for key, value in settings.items():
            command += ["--set", f"{key}={json.dumps(value)}"]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{job.name}: {done.stderr[-2000:]}")
        summary = json.loads(done.stdout)
        scores = [json.loads(line) for line in (folder / "run/scores/tuned.jsonl").read_text().splitlines()]
    right = {line["row"]: line["score"] for line in scores}
    return {
        **job._asdict(),
        "name": job.name,
        "trained_on": rows,
        "steps": summary["train"]["steps"],
        "batch": batch,
        "tokens": summary["train"]["tokens"],
        "score": summary["arms"][0]["score"],
        "ci": summary["arms"][0]["ci"],
        "right": "".join(str(int(right[row])) for row in sorted(right)),
        "seconds": round(time.monotonic() - began),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds banking77/ and snips/")
    parser.add_argument("--only", default="", help="runs whose name holds this text")
    parser.add_argument("--out", type=Path, default=HERE / "results.jsonl")
    arguments = parser.parse_args()
    done = set()
    if arguments.out.exists():
        done = {json.loads(line)["name"] for line in arguments.out.read_text(encoding="utf-8").splitlines()}
    for job in jobs():
        if job.name not in done and arguments.only in job.name:
            line = measure(job, arguments.shared)
            with open(arguments.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{job.name}: {line['score']:.3f} in {line['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
