"""SIGKILL at random instants of a real process; resumed runs end as if nothing had happened (`bench/kills.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "kills.py"


@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_kills_change_nothing(kills: int) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", str(kills), "--chain", "5", "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == found["identical"] == kills
    if kills >= 100:  # instants are random: of a few, none may fall there
        assert found["inside_a_checkpoint_write"] >= kills // 4
    assert sum(count for count, _ in found["phases"].values()) == kills
