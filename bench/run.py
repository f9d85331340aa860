"""The benchmark against real peers: every row is one process that holds one system.

    make bench                            # the whole pass: hours on two cores; goes on where it stopped
    python bench/run.py --quick           # one short repeat, a part of the rows
    python bench/run.py --only sft-short --only trl/tuned --repeats 1
    python bench/run.py --again tailor    # measure these rows once more; the newest counts

Each row is appended to `raw.jsonl` as soon as it is measured; `results.json`, `RESULTS.md` and `results.svg` are made
from it at the end (those of a quick pass in `.bench/quick`). `--here` runs every system in this interpreter, where
nothing can be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import results
from environments import HOME, ROOT
from results import BENCH, RAW
from works import SHAPES, WORKS, Shape, Work, rows, write_rows

CUDA = shutil.which("nvidia-smi") is not None
SYSTEMS = (
    ("tailor", "default"),
    ("trl", "default"),
    ("trl", "tuned"),
    ("ms-swift", "default"),
    ("ms-swift", "tuned"),
    ("tailor", "reference"),
)
STEPS = {"50m": (2, 6), "qwen3-0.6b": (1, 3)}  # (to warm up, measured) a repeat
QUICK_STEPS = {"50m": (1, 2), "qwen3-0.6b": (1, 1)}
QUICK = re.compile("50m/|qwen3-0.6b/sft-shared/(tailor/default|trl)")
REPEATS = 3
TIMEOUT = 3600.0  # seconds a row

# glibc gives large blocks back to the system at each free and faults them in again; these settings make it keep them.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**26),
    "MALLOC_ARENA_MAX": "2",
}


@dataclass(frozen=True)
class Cell:
    """One row of the tables."""

    shape: Shape
    work: Work
    system: str
    mode: str

    @property
    def name(self) -> str:
        """What `--only` looks for."""
        return f"{self.shape.name}/{self.work.name}/{self.system}/{self.mode}"


def main() -> None:
    """Measures what is missing and writes the results."""
    options = arguments()
    done = results.read(RAW)
    if options.again:
        done = [row for row in done if not any(part in results.name(row) for part in options.again)]
    have = {(results.name(row), row["repeat"], row["quick"]) for row in done if not row.get("error")}
    interpreters = prepare(options)
    for repeat, cell in cells(options):
        if (cell.name, repeat, options.quick) in have or cell.system not in interpreters:
            continue
        measured = measure(cell, options, interpreters[cell.system])
        row = {"work": cell.work.name, "shape": cell.shape.name, "system": cell.system, "mode": cell.mode}
        row |= {"repeat": repeat, "quick": options.quick, "date": time.strftime("%Y-%m-%d"), **measured}
        append(row)
        print(f"{cell.name} #{repeat}: {results.brief(row)}", flush=True)
    folder = HOME / "quick" if options.quick else BENCH
    results.write(folder, results.read(RAW), quick=options.quick)
    print((folder / "RESULTS.md").read_text())


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repeat of a few steps, a part of the rows")
    parser.add_argument(
        "--only", action="append", default=[], help="rows whose SHAPE/WORK/SYSTEM/MODE holds it; all of several"
    )
    parser.add_argument("--again", action="append", default=[], help="measure these rows once more")
    parser.add_argument("--repeats", type=int, help=f"{REPEATS} where not given, 1 with --quick")
    parser.add_argument("--shapes", help="comma-separated: " + ", ".join(SHAPES))
    parser.add_argument("--steps", help="WARMUP,MEASURED: for tries")
    parser.add_argument("--set", action="append", default=[], help="NAME=JSON, a setting of the tuned peers: for tries")
    parser.add_argument("--here", action="store_true", help="run every system in this interpreter")
    parser.add_argument("--report", action="store_true", help="only write the results again")
    options = parser.parse_args()
    options.repeats = options.repeats or (1 if options.quick else REPEATS)
    options.names = (options.shapes or ("1b,1b-nf4,8b,8b-nf4" if CUDA else "50m,qwen3-0.6b")).split(",")
    return options


def cells(options: argparse.Namespace) -> Iterator[tuple[int, Cell]]:
    """(repeat, row) in the order of measuring: the systems take turns."""
    if options.report:
        return
    for shape in options.names:
        for work in WORKS.values():
            for repeat in range(options.repeats):
                for system, mode in SYSTEMS:
                    cell = Cell(SHAPES[shape], work, system, mode)
                    left_out = options.quick and not CUDA and not QUICK.match(cell.name)
                    if not left_out and all(part in cell.name for part in options.only):
                        yield repeat, cell


def prepare(options: argparse.Namespace) -> dict[str, Path]:
    """The interpreter of each system that can run; says why where one cannot."""
    found: dict[str, Path] = {}
    for system in dict(SYSTEMS):
        folder = system.removeprefix("ms-")
        problem = "" if options.here or options.report else environments.make(folder)
        if problem:
            print(f"{system} is left out: {problem}", flush=True)
            continue
        found[system] = Path(sys.executable) if options.here else environments.python(folder)
        if not options.report:
            print(f"{system}: {environments.versions(folder)}", flush=True)
    return found


def measure(cell: Cell, options: argparse.Namespace, interpreter: Path) -> dict[str, Any]:
    """One process of one system; what the meter saw, or why it did not work."""
    job = describe(cell, options)
    measured = run(BENCH / f"drive_{cell.system.removeprefix('ms-')}.py", job, interpreter, cell.mode == "tuned")
    if "error" in measured:
        return measured
    return measured | {"flops": peak(interpreter)} | {key: job[key] for key in ("batch", "warmup", "timed", "rank")}


def describe(cell: Cell, options: argparse.Namespace) -> dict[str, Any]:
    """The job of a row; its data and its model are made where they are missing."""
    scale = 4 if CUDA else 1  # rows a step: a card wants more of them
    warmup, timed = (QUICK_STEPS if options.quick else STEPS).get(cell.shape.name, (3, 10))
    if options.steps:
        warmup, timed = map(int, options.steps.split(","))
    batch = cell.work.batch * scale
    count = batch * (warmup + timed)
    return files(cell.work, count) | {
        "mode": cell.mode,
        "batch": batch,
        "warmup": warmup,
        "timed": timed,
        "model": str(model(cell.shape, "bfloat16")),
        "dtype": "bf16",
        "quantised": cell.shape.quantised,
        "family": cell.shape.family,
        "large": cell.shape.hidden >= 1024,
        "rank": 16,
        "learning_rate": 2e-4,
        "seed": 0,
        "same_adapter": False,
        "more": {key: json.loads(value) for key, _, value in (item.partition("=") for item in options.set)},
    }


def files(work: Work, count: int, seed: int = 0) -> dict[str, Any]:
    """The part of a job that says what is trained on: `count` rows, and one more that tailor looks at in the end."""
    stem = f"{work.name}-{count}-{seed}"
    train, validation = (HOME / "data" / f"{stem}-{part}.jsonl" for part in ("train", "validation"))
    write_rows(train, rows(work, count, seed))
    write_rows(validation, rows(work, 1, seed=-1))
    return {"work": work.name, "pairs": work.pairs, "rows": str(train), "validation": str(validation)}


def model(shape: Shape, dtype: str) -> Path:
    """The folder of the shape's random weights, made where it is missing."""
    folder = HOME / "models" / f"{shape.folder}-{dtype}"
    if not (folder / "config.json").exists():
        staged = folder.with_suffix(".part")
        shutil.rmtree(staged, ignore_errors=True)
        command = [sys.executable, BENCH / "models.py", shape.name, staged, dtype]
        subprocess.run(command, check=True, env=environment(False))
        staged.rename(folder)
    return folder


def run(script: Path, job: dict[str, Any], interpreter: Path, tuned: bool) -> dict[str, Any]:
    """Runs a driver on `job` and returns what it wrote, or {"error": the last lines it printed}."""
    HOME.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME, prefix="scratch-") as folder:
        scratch = Path(folder)
        result = scratch / "result.json"
        (scratch / "job.json").write_text(json.dumps(job | {"scratch": folder, "result": str(result)}))
        began = time.perf_counter()
        with (HOME / "last.log").open("w+", errors="replace") as log:
            try:
                done = subprocess.run(
                    [interpreter, script, scratch / "job.json"],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=scratch,
                    env=environment(tuned) | {"TAILOR_CACHE": str(scratch / "cache")},
                    timeout=TIMEOUT,
                )
            except subprocess.TimeoutExpired:
                return {"error": f"not done after {TIMEOUT:.0f} s"}
            log.seek(0)
            last = [line.strip() for line in log if line.strip()][-2:]
        if done.returncode or not result.exists():
            return {"error": f"exit code {done.returncode}: {' | '.join(last)[-600:]}"}
        return json.loads(result.read_text()) | {"process_seconds": time.perf_counter() - began}


def environment(tuned: bool) -> dict[str, str]:
    """The variables of a process: offline, and with the better allocator where it is tuned."""
    fixed = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT / "src"))))
    return {**os.environ, **fixed, "PYTHONPATH": paths, **(ALLOCATOR if tuned else {})}


_peaks: list[tuple[float, float]] = []


def peak(interpreter: Path) -> float:
    """The machine's bf16 GEMM peak in FLOP/s, measured again every ten minutes."""
    if not _peaks or time.monotonic() - _peaks[-1][0] > 600:
        _peaks.append((time.monotonic(), run(BENCH / "peak.py", {}, interpreter, False)["flops"]))
    return _peaks[-1][1]


def append(row: dict[str, Any]) -> None:
    """Adds a row to the raw file."""
    with RAW.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
