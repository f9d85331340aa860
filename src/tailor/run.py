"""The run folder: the one durable artefact that every other room reads.

    recipe.toml config.json   the resolved settings, to read and to rerun
    environment.json          versions, git, machine, hashes of data and model
    data/                     train, validation and test rows as Examples; ledger.json
    metrics.jsonl             one line a step or look at the validation rows; no timings, so that reruns are byte-equal
    row_losses.jsonl          one line a step: what each row in it cost, by its place in data/train.jsonl
    timings.jsonl             the timings
    state.json events.jsonl   what it is doing now; what happened
    checkpoints/ adapter/ model/   during and after training
    scores/ARM.jsonl          one line a held-out row
    verdict.json report.html  the end

Files and folders that are replaced are replaced whole (`disk.py`), so a reader never sees half of one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec

from tailor.config import RunConfig, to_toml, validate
from tailor.disk import disk_errors, sweep, sync, write_atomic
from tailor.errors import RunError
from tailor.records import Verdict

T = TypeVar("T")


def to_json(value: Any) -> bytes:
    """Readable JSON of records and plain values."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


class Run:
    """An open run folder. `Run.create` makes one, `Run.open` reads one; `with run.locked():` before writing to it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    # ------------------------------------------------------------------------------------------ opening

    @classmethod
    def create(cls, config: RunConfig, name: str = "run") -> Run:
        """A new folder at `config.run.out`, or `runs/<name>-<n>`. Raises RunError where a run already stands."""
        if config.run.out is not None:
            path = Path(config.run.out)
            if (path / "config.json").exists():
                raise RunError(
                    "a run already stands in this folder",
                    where=str(path),
                    fix=f"choose another --out, or go on with it: tailor train --resume {path}",
                )
            with disk_errors(path):
                path.mkdir(parents=True, exist_ok=True)
        else:
            path = _next_free(Path("runs"), name)
        run = cls(path)
        run.configure(config)
        return run

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """The run at `path` (or `runs/path`). Raises RunError where there is none."""
        for folder in (Path(path), Path("runs") / path):
            if (folder / "config.json").exists() and (folder / "recipe.toml").exists():
                return cls(folder)
        raise RunError("there is no run in this folder", where=str(path), fix="`tailor runs` lists what there is")

    def configure(self, config: RunConfig) -> None:
        """Write the settings, or replace them by ones in which something that was left open is chosen."""
        write_atomic(self.path / "recipe.toml", to_toml(config, Path()).encode())
        self.write("config.json", config.model_dump(mode="json"))  # last: with it, a run stands here

    @classmethod
    def finished(cls, path: str | Path) -> Run:
        """The run at `path`, which holds a trained model. Raises RunError where it does not yet."""
        run = cls.open(path)
        if not run.has("train.json"):
            raise RunError(
                "this run has no trained model yet",
                where=str(run.path),
                fix=f"finish it: tailor {run.verb} --resume {run.path}",
            )
        return run

    @property
    def config(self) -> RunConfig:
        """The resolved settings of this run."""
        return validate(RunConfig, self.read("config.json"), where=str(self.path / "config.json"))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run for this process. Raises RunError where another holds it; the system frees it on any death."""
        with disk_errors(self.path), open(self.path / "lock", "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise RunError(
                    f"another process ({file.read().strip() or 'unknown'}) is working in this run",
                    where=str(self.path),
                    fix="wait for it, or stop it",
                ) from None
            file.truncate(0)
            file.write(f"pid {os.getpid()}")
            file.flush()
            self._tidy()
            yield

    def _tidy(self) -> None:
        """Takes away what a killed process left half written."""
        sweep(self.path)
        self.mend("events.jsonl")

    @property
    def busy(self) -> bool:
        """Whether a living process holds the run."""
        if not self.has("lock"):
            return False
        with open(self.path / "lock", "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @property
    def verb(self) -> str:
        """What it was begun by: `fit` or `train`; the latter, too, where it was killed before that was written."""
        return str(self.read("environment.json")["verb"]) if self.has("environment.json") else "train"

    # ------------------------------------------------------------------------------------------ documents

    def has(self, name: str) -> bool:
        """Whether the file or folder `name` is there."""
        return (self.path / name).exists()

    def write(self, name: str, value: Any) -> None:
        """Replace the JSON document `name`."""
        write_atomic(self.path / name, to_json(value))

    def read(self, name: str) -> Any:
        """The JSON document `name` as plain values. Raises RunError where it is missing or damaged."""
        return self.read_as(name, object)

    def read_as(self, name: str, kind: type[T]) -> T:
        """The JSON document `name` as the record `kind`."""
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            raise RunError(f"this run has no {name}", where=str(self.path), fix="was it stopped before that?") from None
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise RunError(f"{name} is damaged: {error}", where=str(path)) from None

    def write_lines(self, name: str, rows: Iterable[Any]) -> None:
        """Replace the JSON-lines file `name`."""
        write_atomic(self.path / name, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))

    def append(self, name: str, row: Any) -> None:
        """Add one line to the JSON-lines file `name`."""
        path = self.path / name
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as file:
                file.write(msgspec.json.encode(row) + b"\n")

    @overload
    def lines(self, name: str) -> Iterator[dict[str, Any]]: ...

    @overload
    def lines(self, name: str, kind: type[T]) -> Iterator[T]: ...

    def lines(self, name: str, kind: Any = dict) -> Iterator[Any]:
        """The lines of a JSON-lines file as `kind`; none where it is missing. A last line cut by a crash is skipped."""
        path = self.path / name
        if not path.exists():
            return
        decoder = msgspec.json.Decoder(kind)
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield decoder.decode(line)
                except (msgspec.DecodeError, msgspec.ValidationError) as error:
                    raise RunError(f"damaged line: {error}", where=f"{path}:{number}") from None

    def mend(self, name: str) -> None:
        """Cut off a last line that a crash left half written, before more lines are added."""
        path = self.path / name
        if path.exists():
            data = path.read_bytes()
            if not data.endswith(b"\n"):
                self.cut(name, data.rfind(b"\n") + 1)

    def size(self, name: str) -> int:
        """Bytes of the file `name`; 0 where it is missing. Kept in checkpoints so that a resume can cut back to it."""
        path = self.path / name
        return path.stat().st_size if path.exists() else 0

    def cut(self, name: str, size: int) -> None:
        """Cut the file `name` back to `size` bytes: what was written after the checkpoint is written again."""
        path = self.path / name
        if path.exists():
            with disk_errors(path.parent):
                os.truncate(path, size)

    def sync(self, name: str) -> None:
        """Wait until the file `name` is on the disk itself, so that what is written next can rely on it."""
        if self.has(name):
            with disk_errors(self.path):
                sync(self.path / name)

    # ------------------------------------------------------------------------------------------ what happens

    def state(self, phase: str, **facts: Any) -> None:
        """Say what the run is doing now."""
        self.write("state.json", {"phase": phase, "time": _now(), "pid": os.getpid(), **facts})

    def event(self, kind: str, **facts: Any) -> None:
        """Record something that happened once."""
        self.append("events.jsonl", {"event": kind, "time": _now(), **facts})

    @property
    def cancelled(self) -> bool:
        """Whether someone left the cancel mark; the loop saves and stops at the next step."""
        return (self.path / "cancel").exists()

    def cancel(self) -> None:
        """Leave the cancel mark."""
        write_atomic(self.path / "cancel", b"")

    def clear_cancel(self) -> None:
        """Take the cancel mark away, before going on."""
        (self.path / "cancel").unlink(missing_ok=True)

    # ------------------------------------------------------------------------------------------ the end

    @property
    def verdict(self) -> Verdict:
        """The decision and its sentence. Raises RunError before there is one."""
        return self.read_as("verdict.json", Verdict)

    @property
    def report(self) -> Path:
        """Path of the page."""
        return self.path / "report.html"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _next_free(parent: Path, name: str) -> Path:
    """Makes `parent/name-<n>` with the first free n; two processes never get the same."""
    number = 1
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            path = parent / f"{name}-{number}"
            try:
                path.mkdir()
                return path
            except FileExistsError:
                number += 1
