"""The temporary file that rows are spooled to, and the processes that read it.

A row is one line of JSON, so that a million rows take no more memory than a thousand: any process reads any chunk
again, and any single row by its offset.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tailor.curate.rows import Row
from tailor.records import Example

T = TypeVar("T")

CHUNK_ROWS = 4096
CHUNK_BYTES = 4 << 20
POOL_FROM = 4  # chunks: fewer are done before other processes have started


class Chunk(Struct, frozen=True):
    """Some rows of the spool: `count` lines from byte `offset`, the first of them row `start` of the corpus."""

    start: int
    count: int
    offset: int
    length: int
    against: bool


# -------------------------------------------------------------------------------------------------- the spool


_decoder = msgspec.json.Decoder(Example)
_encode = msgspec.json.Encoder().encode


class Spool:
    """The temporary file of rows, one line of JSON each."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path = path
        self.size = 0
        self._file = open(path, "w+b" if write else "rb", buffering=0)  # noqa: SIM115 - closed by `close`

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def add(self, lines: Sequence[bytes]) -> tuple[int, int]:
        """(offset, length) of the lines written."""
        data = b"\n".join(lines) + b"\n"
        offset = self.size
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]
        self.size += len(data)
        return offset, len(data)

    def rows(self, chunk: Chunk) -> list[Row]:
        """The rows of a chunk."""
        lines = os.pread(self._file.fileno(), chunk.length, chunk.offset).split(b"\n")
        decode, start, against = _decoder.decode, chunk.start, chunk.against
        return [Row(decode(lines[i]), start + i, against) for i in range(chunk.count)]

    def example(self, offset: int) -> Example:
        """The row that starts at `offset`."""
        length, data = 4096, b""
        while b"\n" not in data:
            data = os.pread(self._file.fileno(), length, offset)
            length *= 8
        return _decoder.decode(data[: data.index(b"\n")])


def encoded(example: Example) -> bytes:
    """A row as a line of the spool. Half a surrogate pair, which no file can hold, becomes U+FFFD."""
    try:
        return _encode(example)
    except UnicodeEncodeError:
        return _encode(_whole(msgspec.to_builtins(example)))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value


# --------------------------------------------------------------------------------------------------- the crew


_spool: Spool | None = None


class Crew:
    """Runs functions of chunks, in order: in this process, or from the first long task on in several others."""

    def __init__(self, spool: Spool, workers: int) -> None:
        self.spool = spool
        self.workers = workers
        self.seconds = 0.0  # processor time of the other processes
        self._stack = ExitStack()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, function: Callable[..., T], tasks: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """`function(spool, *task)` for each task; what comes out is in the order of the tasks."""
        waiting: deque[Future[tuple[T, float]]] = deque()
        for number, task in enumerate(tasks):
            if self._pool is None and (self.workers < 2 or number < POOL_FROM):
                yield function(self.spool, *task)
                continue
            waiting.append(self._started().submit(_remote, function, task))
            while waiting and (len(waiting) > 2 * self.workers or waiting[0].done()):
                yield self._done(waiting.popleft())
        while waiting:
            yield self._done(waiting.popleft())

    def _done(self, future: Future[tuple[T, float]]) -> T:
        result, seconds = future.result()
        self.seconds += seconds
        return result

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # a fork copies locks that other threads hold
            pool = ProcessPoolExecutor(self.workers, context, _begin, (self.spool.path,))
            self._pool = self._stack.enter_context(pool)
        return self._pool


def _begin(path: Path) -> None:
    global _spool
    gc.disable()  # rows form no cycles, and looking for some takes a third of the time
    _spool = Spool(path)


def _remote(function: Callable[..., T], task: tuple[Any, ...]) -> tuple[T, float]:
    assert _spool is not None
    before = time.process_time()
    result = function(_spool, *task)
    return result, time.process_time() - before


def workshop(workers: int, stack: ExitStack) -> Crew:
    """A spool in a folder of its own and the crew that reads it; both go with `stack`."""
    folder = stack.enter_context(TemporaryDirectory(prefix="tailor-check-"))
    spool = Spool(Path(folder) / "rows.jsonl", write=True)
    stack.callback(spool.close)
    return stack.enter_context(Crew(spool, workers))
