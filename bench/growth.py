"""What growth costs tailor: more rows, longer rows, more branches on one prefix.

    python bench/growth.py [--quick]

About 50M parameters in bf16; each line is a process of its own. Writes `growth.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import results
import run
from works import OVERHEAD, SHAPES, WORKS, Work

STEPS = (1, 3)  # (to warm up, measured)


def main() -> None:
    """Measures and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two smallest of each")
    options = parser.parse_args()
    page: list[str] = []
    for title, works in (("Rows in the file", more_rows()), ("Tokens a row", longer()), ("Branches", branches())):
        page.append(f"| {title} | first step after | logical tokens/s | physical tokens/s | peak memory |")
        page.append("|" + "---|" * 5)
        for number, (label, work, count) in enumerate(works):
            if options.quick and number > 1:
                break
            page.append(f"| {label} | " + " | ".join(cells(work, count)) + " |")
            print(page[-1], flush=True)
        page.append("")
    (run.BENCH / "growth.md").write_text("\n".join(page), encoding="utf-8")
    results.report()


def more_rows() -> Iterator[tuple[str, Work, int]]:
    """Short rows, of which a few steps are trained."""
    for count in (1_000, 10_000, 100_000):
        yield f"{count:,}", WORKS["sft-short"], count


def longer() -> Iterator[tuple[str, Work, int]]:
    """8,192 tokens a step, in fewer and longer rows; a quarter of each is the answer."""
    for length in (512, 1024, 2048, 4096, 8192):
        answer = length // 4 - OVERHEAD
        user = length - length // 4 - OVERHEAD
        work = Work("growth-context", 8192 // length, 0, (user, user), (answer, answer))
        yield f"{length:,}", work, 0


def branches() -> Iterator[tuple[str, Work, int]]:
    """One system prompt of 200 tokens and more and more rows of 110 that share it, in one step."""
    work = Work("growth-branches", 1, prefix=200, user=(60, 60), answer=(40, 40), shared=True)
    for count in (1, 4, 16, 64):
        yield str(count), replace(work, batch=count), 0


def cells(work: Work, count: int) -> list[str]:
    """The measured cells of a line; `count` rows are in the file, as many as the steps need where it is 0."""
    warmup, timed = STEPS
    job: dict[str, Any] = run.files(work, count or work.batch * (warmup + timed)) | {
        "mode": "default",
        "batch": work.batch,
        "warmup": warmup,
        "timed": timed,
        "model": str(run.model(SHAPES["50m"], "bfloat16")),
        "dtype": "bf16",
        "quantised": False,
        "rank": 16,
        "learning_rate": 2e-4,
        "seed": 0,
    }
    found = run.run(run.BENCH / "drive_tailor.py", job, run.environments.python("tailor"), tuned=False)
    if "error" in found:
        return [found["error"], "", "", ""]
    row = sum(sum(ends) / 2 + OVERHEAD for ends in (work.user, work.answer)) + (work.prefix and work.prefix + OVERHEAD)
    logical = row * work.batch * timed  # rows have these lengths in the mean
    return [
        f"{found['setup_seconds']:.1f} s",
        f"{logical / found['seconds']:,.0f}",
        f"{found['tokens'] / found['seconds']:,.0f}",
        f"{found['peak_memory_bytes'] / 1e9:.2f} GB",
    ]


if __name__ == "__main__":
    main()
