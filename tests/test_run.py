"""The run folder: atomic documents, logs that survive a crash, the lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import Struct

from tailor.config import resolve
from tailor.errors import ResourceError, RunError
from tailor.run import Run


class Point(Struct):
    x: int


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(resolve(None, {"run.out": str(tmp_path / "run")}))


def test_runs_get_the_next_free_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [Run.create(resolve(), "tickets").path.name for _ in range(3)]
    assert names == ["tickets-1", "tickets-2", "tickets-3"]
    assert Run.open("tickets-2").path == Path("runs/tickets-2")


def test_a_run_is_never_written_over(run: Run) -> None:
    with pytest.raises(RunError, match="a run already stands"):
        Run.create(resolve(None, {"run.out": str(run.path)}))


def test_documents_and_lines_come_back_as_records(run: Run) -> None:
    run.write("point.json", Point(3))
    assert run.read("point.json") == {"x": 3}
    assert run.read_as("point.json", Point) == Point(3)
    run.append("points.jsonl", Point(1))
    run.append("points.jsonl", {"x": 2})
    assert list(run.lines("points.jsonl", Point)) == [Point(1), Point(2)]
    assert list(run.lines("nothing.jsonl")) == []
    with pytest.raises(RunError, match=r"has no nothing\.json"):
        run.read("nothing.json")


def test_a_line_cut_by_a_crash_is_passed_over_and_mended(run: Run) -> None:
    run.append("points.jsonl", Point(1))
    with open(run.path / "points.jsonl", "ab") as file:
        file.write(b'{"x": 2')
    assert list(run.lines("points.jsonl", Point)) == [Point(1)]
    run.mend("points.jsonl")
    run.append("points.jsonl", Point(3))
    assert list(run.lines("points.jsonl", Point)) == [Point(1), Point(3)]


def test_damage_is_named_with_its_line(run: Run) -> None:
    (run.path / "points.jsonl").write_bytes(b'{"x": 1}\n{"x": "a"}\n')
    with pytest.raises(RunError, match=r"points\.jsonl:2: damaged line"):
        list(run.lines("points.jsonl", Point))
    (run.path / "point.json").write_bytes(b"{")
    with pytest.raises(RunError, match="damaged"):
        run.read("point.json")


def test_logs_are_cut_back_to_a_checkpoint(run: Run) -> None:
    run.append("metrics.jsonl", Point(1))
    size = run.size("metrics.jsonl")
    run.append("metrics.jsonl", Point(2))
    run.cut("metrics.jsonl", size)
    assert list(run.lines("metrics.jsonl", Point)) == [Point(1)]


def test_one_process_at_a_time(run: Run) -> None:
    code = f"from tailor.run import Run\nwith Run({str(run.path)!r}).locked(): print('in')"
    with run.locked():
        assert run.busy
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "another process (pid " in done.stderr and "in" not in done.stdout
    assert not run.busy
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "in\n"


def test_a_failed_write_leaves_the_old_document(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write("point.json", Point(1))

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tailor.run.os.fsync", fail)
    with pytest.raises(ResourceError, match="the disk is full"):
        run.write("point.json", Point(2))
    assert run.read_as("point.json", Point) == Point(1)
    assert not list(run.path.glob(".*"))


def test_a_folder_is_a_run_only_once_its_settings_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve(None, {"run.out": str(tmp_path / "run")})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        Run.create(config)
    with pytest.raises(RunError, match="there is no run in this folder"):
        Run.open(tmp_path / "run")
    assert Run.create(config).config == config


def test_the_lock_tidies_up_after_a_killed_process(run: Run) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (run.path / f".verdict.json.{gone.pid}.tmp").write_bytes(b"{")
    (run.path / "checkpoints" / f".step-00000003.{gone.pid}.tmp").mkdir(parents=True)
    (run.path / ".merged.1.tmp").mkdir()  # of a process that lives
    (run.path / "events.jsonl").write_bytes(b'{"event":"one"}\n{"eve')
    with run.locked():
        run.event("two")
    assert {path.name for path in run.path.rglob(".*")} == {".merged.1.tmp"}
    assert [line["event"] for line in run.lines("events.jsonl")] == ["one", "two"]
