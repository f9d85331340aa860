"""What is replaced is replaced whole, at any failure of the system; a full disk says what to free and how to go on."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from tailor import disk
from tailor.disk import disk_errors, need_space, replaced, write_atomic
from tailor.errors import ResourceError

CALLS = {"fsync": "tailor.disk.os.fsync", "rename": "pathlib.Path.rename", "mkdir": "pathlib.Path.mkdir"}


def refusing(real: Callable[..., Any], at: int) -> Callable[..., Any]:
    """`real`, which finds the disk full at its call number `at`."""
    calls = iter(range(1, 1000))

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **named)

    return call


def test_write_atomic_replaces_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two" and [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_folder_is_replaced_as_one(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with replaced(tmp_path / "deep" / "folder") as staged:
            (staged / "below").mkdir()
            (staged / "below" / text).write_text(text)
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*")) if p.is_file()] == [
        "deep/folder/below/two"
    ]


@pytest.mark.parametrize(
    ("call", "at"), [*(("fsync", n) for n in (1, 2, 3)), ("rename", 1), ("rename", 2), ("mkdir", 2)]
)
def test_what_stood_there_survives_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, at: int
) -> None:
    folder = tmp_path / "folder"
    with replaced(folder) as staged:
        (staged / "file").write_text("one")
    name = CALLS[call].rpartition(".")[2]
    real = os.fsync if call == "fsync" else getattr(Path, name)
    with monkeypatch.context() as patch, pytest.raises(ResourceError, match="the disk is full"):
        patch.setattr(CALLS[call], refusing(real, at))
        with replaced(folder) as staged:
            (staged / "file").write_text("two")
    whole = "two" if (call, at) == ("fsync", 3) else "one"  # the third waits for the folder above: both stand whole
    assert (folder / "file").read_text() == whole
    disk.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_disk_is_full_for_safetensors_too(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="the disk is full"), disk_errors(tmp_path):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(SafetensorError), disk_errors(tmp_path):
        raise SafetensorError("Error while deserializing header")


def test_space_is_asked_for_before_it_is_needed(tmp_path: Path) -> None:
    need_space(tmp_path, 1)
    with pytest.raises(ResourceError, match="MB are needed"):
        need_space(tmp_path, 10**18)


def test_a_full_disk_says_what_to_free_and_how_to_go_on(tmp_path: Path) -> None:
    for name, size in (("old", 3_000_000), ("older", 5_000_000), ("now", 1_000_000)):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "checkpoints" / "weights").write_bytes(bytes(size))
        (tmp_path / name / "recipe.toml").touch()
        (tmp_path / name / "environment.json").write_text(json.dumps({"verb": "fit"}))
        if name != "now":
            (tmp_path / name / "train.json").touch()
    with pytest.raises(ResourceError) as caught, disk_errors(tmp_path / "now" / "checkpoints"):
        raise OSError(errno.ENOSPC, "No space left on device")
    older, old = (tmp_path / name / "checkpoints" for name in ("older", "old"))
    assert f"no more: {older} (5.0 MB), {old} (3.0 MB))" in caught.value.fix
    assert caught.value.fix.endswith(f"then go on: tailor fit --resume {tmp_path / 'now'}")
