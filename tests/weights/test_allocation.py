"""Memory that is freed is used again, not asked for anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, torch
from tailor.weights.allocation import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def work():
    for size in (5, 20, 60):
        torch.ones(size * 2**18)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the GNU C library's allocator")
def test_freed_blocks_cost_no_page_faults() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, check=True).stdout)
        for how in ("kept", "not")
    }
    assert faults["kept"] < faults["not"] / 10


HOLES = """
import torch
from tailor.weights import allocation
from tailor.weights.allocation import give_back, keep_freed_memory
keep_freed_memory()
blocks = [torch.ones(2**22) for _ in range(80)]  # 1.25 GiB in blocks of 16 MiB
most = allocation.in_use(torch.device("cpu"))
assert most > 2**30
kept = blocks[::16]
del blocks
held = allocation.resident()[0]
give_back(held)
assert allocation.resident()[0] > 0.9 * held, "nothing was lost: nothing is given back"
give_back(allocation.in_use(torch.device("cpu")))
assert allocation.resident()[0] < 0.5 * held
assert all(bool((block == 1).all()) for block in kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the GNU C library's allocator")
def test_holes_are_given_back_and_what_is_in_use_stays() -> None:
    subprocess.run([sys.executable, "-c", HOLES], check=True)
