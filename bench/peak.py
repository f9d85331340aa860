"""Measures the machine's GEMM peak: the fastest of a few square products, in FLOP/s.

python bench/peak.py JOB
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from meter import device, read_job, versions

SECONDS = 2.0  # a size


def peak(dtype: torch.dtype, sizes: tuple[int, ...]) -> float:
    """FLOP/s of the fastest size; each is multiplied for SECONDS, its best half second counts."""
    place = "cuda" if torch.cuda.is_available() else "cpu"
    best = 0.0
    for size in sizes:
        a, b = (torch.randn(size, size, device=place).to(dtype) for _ in range(2))
        out = a @ b
        ends = time.perf_counter() + SECONDS
        while time.perf_counter() < ends:
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < SECONDS / 4:
                for _ in range(1 if place == "cpu" else 50):
                    torch.mm(a, b, out=out)
                    count += 1
                if place == "cuda":
                    torch.cuda.synchronize()
            best = max(best, 2 * size**3 * count / (time.perf_counter() - start))
    return best


if __name__ == "__main__":
    job = read_job()
    sizes = (4096, 8192) if torch.cuda.is_available() else (1024, 2048, 4096)
    result = {"flops": peak(torch.bfloat16, sizes), "device": device(), "versions": versions()}
    Path(job["result"]).write_text(json.dumps(result))
