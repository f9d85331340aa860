"""Pages of a weights file leave memory; their contents do not change."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch

from tailor.kernels.pages import forget

COUNT = 2**20


def resident(path: Path) -> int:
    """Kilobytes of the file's mappings that are in memory."""
    entries = Path("/proc/self/smaps").read_text().split(str(path))[1:]
    return sum(int(found[1]) for entry in entries if (found := re.search(r"^Rss: +(\d+)", entry, re.MULTILINE)))


@pytest.mark.skipif(sys.platform != "linux", reason="tells Linux")
def test_pages_leave_and_come_back_as_the_file_has_them(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    torch.arange(COUNT, dtype=torch.int32).numpy().tofile(path)
    whole = torch.from_file(str(path), shared=False, size=COUNT, dtype=torch.int32)
    weights = [whole[: COUNT // 2], whole[COUNT // 2 : COUNT // 2 + 5000]]
    assert int(whole.sum()) == COUNT * (COUNT - 1) // 2
    before = resident(path)
    assert all(map(torch.Tensor.is_set_to, forget(weights), weights))
    assert before - resident(path) > COUNT * 4 // 1024 * 0.45
    assert torch.equal(whole, torch.arange(COUNT, dtype=torch.int32))


def test_memory_of_no_file_stays() -> None:
    weight = torch.ones(COUNT)
    assert forget([weight]) == []
    assert bool((weight == 1).all())
