"""How well `tailor plan` foretells: three shapes, tuned as LoRA and in full, none of which it was made with.

    python bench/plan.py                     # all of it, a few minutes on an idle machine
    python bench/plan.py --only 40m/lora     # rows whose SHAPE/METHOD holds it

Each forecast and each run is a process of its own. Memory is the most that the process held resident from the first
step on; the time is that of the whole training: steps, looks at the validation rows, checkpoints.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from models import write_tokenizer, write_weights
from works import WORKS, Shape, rows, write_rows

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".bench"
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("40m", "mistral", 448, 1280, 10, 7, 7, 64, 32_000),
        Shape("120m", "qwen2", 768, 2048, 12, 12, 4, 64, 49_152),
        Shape("gemma-70m", "gemma3_text", 512, 2048, 8, 4, 1, 128, 65_536),  # no fast path, windows in most layers
    )
}
METHODS = ("lora", "full")
STEPS = 24  # enough that what a run warms up with does not outweigh the rest
VERB = "from tailor.cli import main; main()"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose SHAPE/METHOD holds it")
    parser.add_argument("--work", default="sft-plain", choices=sorted(WORKS))
    options = parser.parse_args()
    print(
        "| shape | tuned | memory, plan | run | error | time, plan | run | error |\n|---|---|---|---|---|---|---|---|"
    )
    for shape in SHAPES.values():
        for method in METHODS:
            if options.only in f"{shape.name}/{method}":
                print(row(shape, method, options.work), flush=True)


def row(shape: Shape, method: str, work: str) -> str:
    """One line of the table."""
    batch = WORKS[work].batch
    with tempfile.TemporaryDirectory(prefix="plan-") as scratch:
        folder = Path(scratch)
        write_rows(folder / "train.jsonl", rows(WORKS[work], batch * STEPS))
        write_rows(folder / "validation.jsonl", rows(WORKS[work], 1, seed=-1))
        settings = ("optim.epochs=1", f"optim.batch_size={batch}", "train.early_stop=loss", "model.dtype=bf16")
        flags = ["train.jsonl", "--validation", "validation.jsonl", "--model", str(model(shape)), "--adapter", method]
        flags += [part for item in settings for part in ("--set", item)]
        plan = json.loads(run([sys.executable, "-c", VERB, "plan", *flags, "--json"], folder))
        run([sys.executable, __file__, "train", *flags, "--out", "run", "--json"], folder)
        timings = [json.loads(line)["seconds"] for line in (folder / "run" / "timings.jsonl").read_text().splitlines()]
        peak = json.loads((folder / "peak.json").read_text())
    told = sum(plan["seconds"].values())
    cells = [shape.name, method]
    for planned, found, unit in ((plan["peak"] / 1e9, peak / 1e9, "GB"), (told, sum(timings), "s")):
        cells += [f"{planned:.2f} {unit}", f"{found:.2f} {unit}", f"{planned / found - 1:+.0%}"]
    return f"| {' | '.join(cells)} |"


def model(shape: Shape) -> Path:
    """The folder of the shape's random weights, made where it is missing."""
    folder = HOME / "models" / f"{shape.folder}-bfloat16"
    if not (folder / "config.json").exists():
        write_tokenizer(folder)
        write_weights(shape, folder, "bfloat16")
    return folder


def run(command: list[str], folder: Path) -> str:
    """What a process prints. Ends the benchmark where it fails."""
    paths = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    scratch = {**os.environ, "PYTHONPATH": paths, "TAILOR_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=scratch, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout


def watched(arguments: list[str]) -> None:
    """`tailor` with these arguments; writes the most memory that was held from the first step on to `peak.json`."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from tailor.cli import main as tailor
    from tailor.train import loop

    before: Any = loop.save

    def saved(*given: Any) -> None:
        status = Path("/proc/self/status").read_text().splitlines()
        line = next(line for line in status if line.startswith("VmHWM"))
        Path("peak.json").write_text(str(1024 * int(line.split()[1])))
        before(*given)

    def stepped(*_: Any) -> None:
        handle.remove()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on

    handle = register_optimizer_step_post_hook(stepped)
    loop.save = saved
    sys.argv[1:] = arguments
    tailor()


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        watched(sys.argv[1:])
    else:
        main()
