"""Do TRL and tailor do the same work? Loss curves over the same rows, laid over each other.

    python bench/curves.py

About 50M parameters in fp32, 50 steps of 8 chats with a shared system prompt, the same LoRA matrices to start from, the
same order, constant rate, decay, betas and clipping. Writes `curves.svg` and `curves.md`; exits with 1 where the
largest relative gap reaches 1%.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import chart
import environments
import results
import run
from works import SHAPES, WORKS

LIMIT = 0.01  # of the loss


def main() -> int:
    """Trains with both, compares, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--work", choices=[*WORKS], default="sft-shared")
    options = parser.parse_args()
    job = describe(options.work, options.steps)
    curves: dict[str, list[float]] = {}
    for system in ("trl", "tailor"):
        if problem := environments.make(system):
            raise SystemExit(f"{system}: {problem}")
        found = run.run(run.BENCH / f"drive_{system}.py", job, environments.python(system), tuned=False)
        if "error" in found:
            raise SystemExit(f"{system}: {found['error']}")
        curves[system] = found["losses"]
        print(f"{system}: {found['losses'][0]:.5f} to {found['losses'][-1]:.5f}", flush=True)
    gaps = [abs(ours - theirs) / theirs for ours, theirs in zip(curves["tailor"], curves["trl"], strict=True)]
    worst = max(range(len(gaps)), key=gaps.__getitem__)
    line = (
        f"{options.steps} steps of {options.work} at 50M in fp32: largest relative gap between the losses of TRL and "
        f"tailor {gaps[worst]:.2e}, at step {worst + 1} (limit {LIMIT:.0%})."
    )
    (run.BENCH / "curves.svg").write_text(chart.lines("Loss, step by step", curves), encoding="utf-8")
    (run.BENCH / "curves.md").write_text(f"{line}\n\n![Loss curves](curves.svg)\n", encoding="utf-8")
    results.report()
    print(line)
    return int(gaps[worst] >= LIMIT)


def describe(name: str, steps: int) -> dict[str, Any]:
    """The job of both."""
    work = WORKS[name]
    return run.files(work, work.batch * steps, seed=1) | {
        "mode": "default",
        "batch": work.batch,
        "warmup": 1,
        "timed": steps - 1,
        "model": str(run.model(SHAPES["50m"], "float32")),
        "dtype": "fp32",
        "quantised": False,
        "family": SHAPES["50m"].family,
        "large": False,
        "rank": 16,
        "learning_rate": 1e-3,  # high, so that 50 steps move the loss
        "seed": 0,
        "same_adapter": True,
        "more": {},
    }


if __name__ == "__main__":
    sys.exit(main())
