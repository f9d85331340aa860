"""Do TRL and tailor do the same work? Loss curves over the same rows, laid over each other.

    python bench/curves.py

About 50M parameters in fp32, 50 steps of SFT with a shared system prompt and 50 of DPO; the same LoRA matrices to
start from, the same order, constant rate, decay, betas and clipping. Writes `curves-*.svg` and `curves.md`; exits with
1 where the largest gap between the losses of a step reaches 1%.
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
    parser.add_argument("--work", choices=[*WORKS], action="append", help="sft-shared and dpo where not given")
    options = parser.parse_args()
    page, worst = [], 0.0
    for name in options.work or ("sft-shared", "dpo"):
        gaps = compare(name, options.steps)
        gap = max(gaps)
        worst = max(worst, gap)
        page += [
            f"{options.steps} steps of {name} at 50M in fp32: largest relative gap between the losses of TRL and "
            f"tailor {gap:.2e}, at step {gaps.index(gap) + 1} (limit {LIMIT:.0%}).",
            "",
            f"![Loss curves of {name}](curves-{name}.svg)",
            "",
        ]
        print(page[-4], flush=True)
        (run.BENCH / "curves.md").write_text("\n".join(page), encoding="utf-8")
    results.report()
    return int(worst >= LIMIT)


def compare(name: str, steps: int) -> list[float]:
    """The relative gap at every step; draws the curves."""
    job = describe(name, steps)
    curves: dict[str, list[float]] = {}
    for system in ("trl", "tailor"):
        if problem := environments.make(system):
            raise SystemExit(f"{system}: {problem}")
        found = run.run(run.BENCH / f"drive_{system}.py", job, environments.python(system), tuned=False)
        if "error" in found:
            raise SystemExit(f"{system}: {found['error']}")
        curves[system] = found["losses"]
        print(f"{name}, {system}: {found['losses'][0]:.5f} to {found['losses'][-1]:.5f}", flush=True)
    (run.BENCH / f"curves-{name}.svg").write_text(
        chart.lines(f"Loss of {name}, step by step", curves), encoding="utf-8"
    )
    return [abs(ours - theirs) / theirs for ours, theirs in zip(curves["tailor"], curves["trl"], strict=True)]


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
        "learning_rate": 1e-4 if work.pairs else 1e-3,  # high, so that 50 steps move the loss
        "seed": 0,
        "same_adapter": True,
        "more": {},
    }


if __name__ == "__main__":
    sys.exit(main())
