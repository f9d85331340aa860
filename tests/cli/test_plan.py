"""`tailor plan`: what it says, what it refuses, and that `train` begins with it and keeps to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tailor.cli import main
from tailor.cli.plan import in_bytes
from tailor.errors import ConfigError
from tailor.run import Run
from tailor.worker import planning, resume

SETTINGS = ("--set", "optim.epochs=2", "--set", "train.early_stop=loss", "--set", "model.dtype=fp32")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"prompt": f"question {n} " * (1 + n % 3), "completion": f"answer {n}"}) for n in range(24)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return "rows.jsonl"


def tailor(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["tailor", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_document(
    rows: str, tiny: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ("plan", rows, "--model", str(tiny), "--memory", "64GiB", "--price", "3600", *SETTINGS)
    assert tailor(monkeypatch, *flags, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["limit"] == 64 * 2**30
    assert told["moments"]["training"] == pytest.approx(sum(told["memory"].values()), abs=10)
    assert told["peak"] == max(told["moments"].values())
    assert told["price"] == pytest.approx(sum(told["seconds"].values()), abs=0.01)
    assert (told["steps"], told["token_budget"], told["layers"]) == (6, 4096, 2)
    assert not Path("runs").exists()
    assert tailor(monkeypatch, *flags) == 0
    assert "peak of training" in capfd.readouterr().out


def test_what_cannot_fit_has_exit_code_two(
    rows: str, tiny: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tailor(monkeypatch, "plan", rows, "--model", str(tiny), "--memory", "1MB", *SETTINGS) == 2
    assert "does not fit" in capfd.readouterr().err


def test_train_refuses_first_and_freezes_what_was_chosen(
    rows: str, tiny: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ("train", rows, "--model", str(tiny), "--out", "run", *SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr("tailor.train.plan.free_memory", lambda device: -(10**12))
        patch.setattr("tailor.worker.arms.load", None)  # nothing is loaded for what cannot be
        assert tailor(patch, *flags) == 2
    assert "does not fit" in capfd.readouterr().err
    run = resume("run", verb="train")
    chosen = run.config.train
    assert (chosen.token_budget, chosen.checkpoint_layers) == (4096, 0)
    assert run.read(planning.PLAN)["fits"] is True

    monkeypatch.setattr("tailor.worker.planning.Planner", None)  # a resumed run asks nobody again
    (run.path / "train.json").unlink()
    assert Run.open(resume("run", verb="train").path).config.train == chosen


@pytest.mark.parametrize(
    ("text", "size"), [("16GiB", 16 * 2**30), ("24 GB", 24 * 10**9), ("8e9", 8 * 10**9), ("512m", 512 * 10**6)]
)
def test_sizes(text: str, size: int) -> None:
    assert in_bytes(text) == size


def test_a_size_that_is_none() -> None:
    with pytest.raises(ConfigError, match="16GiB"):
        in_bytes("much")
