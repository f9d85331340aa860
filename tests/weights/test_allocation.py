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
