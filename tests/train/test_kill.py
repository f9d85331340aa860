"""SIGKILL at three instants of a real process; the run resumes and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tailor.run import Run
from tailor.train import loop

TRAIN = "import sys; from tailor.run import Run; from tailor.train.loop import train; train(Run(sys.argv[1]))"


def test_three_kills_change_nothing(make_run: Callable[..., Run]) -> None:
    settings = {"optim__epochs": 20, "train__checkpoint_minutes": 1e-6, "train__patience": 100}
    whole = make_run("whole", **settings)
    loop.train(whole)
    steps = whole.read("train.json")["steps"]

    killed = make_run("killed", **settings)
    environment = {**os.environ, "OMP_NUM_THREADS": str(loop.torch.get_num_threads())}
    for at in sorted(random.Random(0).sample(range(5, steps - 5), 3)):
        process = subprocess.Popen([sys.executable, "-c", TRAIN, str(killed.path)], env=environment)
        while process.poll() is None and sum(1 for _ in killed.lines("metrics.jsonl")) < at:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    loop.train(killed)

    assert (killed.path / "metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()
    weights = Path("model") / "model.safetensors"
    assert (killed.path / weights).read_bytes() == (whole.path / weights).read_bytes()
