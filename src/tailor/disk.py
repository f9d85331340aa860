"""Files and folders that are there whole or not at all, and what to do about a full disk.

What is replaced is written beside its place, synced, and renamed into it. Any refusal of the system becomes an error
that says what to free and how the run goes on.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tailor.errors import ResourceError


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: all of it or nothing, also when the machine dies."""
    with written(path) as file:
        file.write(data)


@contextlib.contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Yields a file to fill beside `path`; at the end it is synced and takes that place, whole or not at all.

    Raises ResourceError where the disk refuses.
    """
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with open(staged, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yields a folder to fill beside `folder`; at the end it is synced and takes that place, whole or not at all.

    What stood there stays until the new one is complete. Raises ResourceError where the disk refuses.
    """
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged, before = (folder.with_name(f".{folder.name}.{os.getpid()}.{part}tmp") for part in ("", "before."))
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        try:
            yield staged
            for path in (*staged.rglob("*"), staged):
                sync(path)
            if folder.exists():
                folder.rename(before)
            staged.rename(folder)
            sync(folder.parent)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            if before.exists() and not folder.exists():
                before.rename(folder)
            raise
        shutil.rmtree(before, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Takes away what killed processes left half written below `folder`."""
    for path in list(folder.rglob(".*.tmp")):
        found = re.search(r"\.(\d+)\.(before\.)?tmp$", path.name)
        if found is None or _alive(int(found[1])):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def sync(path: Path) -> None:
    """Returns when a file's content, or a folder's list of names, is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def standing(path: Path) -> Path:
    """`path`, or the nearest of its parents that exists."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())


def need_space(path: Path, size: int) -> None:
    """Raises ResourceError unless `size` bytes and half as many again are free where `path` stands."""
    free, needed = shutil.disk_usage(path).free, 1.5 * size
    if free < needed:
        raise ResourceError(
            f"{_megabytes(needed)} are needed to save safely and {_megabytes(free)} are free on this disk",
            where=str(path),
            fix=_make_room(path),
        )


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns the system's refusals to write below `path` into errors that say what to do."""
    try:
        yield
    except Exception as error:
        number, where = _system_error(error), str(path)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError("the disk is full", where=where, fix=_make_room(path)) from error
        if number in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise ResourceError("this folder cannot be written", where=where, fix="choose another --out") from error
        if number in (errno.ENOENT, errno.EINVAL):
            raise ResourceError("this folder cannot be made", where=where, fix="choose another --out") from error
        if number in (errno.EEXIST, errno.ENOTDIR):
            raise ResourceError(
                "a file stands where a folder should be", where=where, fix="choose another --out"
            ) from error
        raise


def _system_error(error: Exception) -> int | None:
    """The system's number for what failed; safetensors, written in Rust, has it in its text only."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def _make_room(path: Path) -> str:
    """What to free and, where `path` lies in a run, how to go on with it afterwards."""
    free = shutil.disk_usage(standing(path)).free
    runs = [place for place in (path, *path.parents) if (place / "recipe.toml").exists()]
    if not runs:
        return f"free space ({_megabytes(free)} are left) or choose another --out"
    run = runs[-1]  # the outermost: folds stand inside their run
    spare = {
        done.parent / "checkpoints": _size(done.parent / "checkpoints") for done in run.parent.glob("*/train.json")
    }
    largest = sorted((place for place in spare if spare[place]), key=lambda place: -spare[place])[:3]
    named = ", ".join(f"{place} ({_megabytes(spare[place])})" for place in largest)
    room = f"; finished runs need their checkpoints no more: {named}" if named else ""
    with contextlib.suppress(OSError, ValueError, KeyError):
        verb = json.loads((run / "environment.json").read_bytes())["verb"]
        return f"free space ({_megabytes(free)} are left{room}); then go on: tailor {verb} --resume {run}"
    return f"free space ({_megabytes(free)} are left{room}); then start again"


def _size(folder: Path) -> int:
    """Bytes of all files in `folder`; 0 where it is missing."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"
