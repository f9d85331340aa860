"""All rows of a check: read once, spooled to a temporary file, and left behind as columns of numbers.

A row is spooled as one line of JSON, so that a million rows take no more memory than a thousand: any process reads any
chunk again, and any single row by its index. What corpus-wise rules compare stands in NumPy columns.
"""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args

import msgspec
import numpy as np
from msgspec import Struct

from tailor.config import CheckConfig
from tailor.curate.near import Near
from tailor.curate.rows import Row
from tailor.records import Example, Kind, Source

P = ParamSpec("P")
T = TypeVar("T")

KINDS: tuple[Kind, ...] = get_args(Kind)
CHUNK_ROWS = 4096
CHUNK_BYTES = 4 << 20
POOL_FROM = 4  # chunks: fewer are done before other processes have started

COLUMNS: dict[str, Any] = {
    "prompt_key": np.uint64,
    "answer_key": np.uint64,
    "row_key": np.uint64,
    "group_key": np.uint64,
    "prompt_chars": np.int32,
    "answer_chars": np.int32,
    "kind": np.uint8,
    "against": np.bool_,
    "file": np.int32,
    "line": np.int64,
    "offset": np.int64,
}


class Chunk(Struct, frozen=True):
    """Some rows of the spool: `count` lines from byte `offset`, the first of them row `start` of the corpus."""

    start: int
    count: int
    offset: int
    length: int
    against: bool


@dataclass
class Corpus:
    """What corpus-wise rules judge. Columns are arrays with one entry a row, in the order of reading.

    prompt_key, answer_key   64-bit hashes of `plain_prompt` (with the tools declared) and `plain_answer`; 0 for none
    row_key                  of prompt, answer, rejected answer and rating together
    group_key                of the row's group; 0 for none
    prompt_chars, answer_chars, kind (index into KINDS), against (whether it is of the held-out rows), file, line
    collected                code -> (indices of rows, the values that the rule's `collect` gave for them)
    """

    settings: CheckConfig
    spool: Spool
    crew: Crew
    files: list[str] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    collected: dict[str, tuple[np.ndarray, list[Any]]] = field(default_factory=dict)
    prompt_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    answer_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    row_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    group_key: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    prompt_chars: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    answer_chars: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    kind: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))
    against: np.ndarray = field(default_factory=lambda: np.empty(0, np.bool_))
    file: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    line: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    offset: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.line)

    def row(self, index: int) -> Row:
        """A row read again. About 10 microseconds: for evidence and for few candidates, not for all rows."""
        index = int(index)
        example = self.spool.example(int(self.offset[index]))
        return Row(example, index, bool(self.against[index]))

    def source(self, index: int) -> Source:
        """The place of a row."""
        return Source(self.files[self.file[index]], int(self.line[index]))

    def map(self, function: Callable[Concatenate[list[Row], P], T], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """`function(rows of a chunk, *args)` for every chunk, in order, on all processes: a second look at every row.

        The function stands at the top of its module. About 10 microseconds a row beside its own work.
        """
        assert not kwargs, "arguments go to other processes by place"
        return self.crew.run(_mapped, [(chunk, function, args) for chunk in self.chunks])

    def groups(self, column: np.ndarray, rows: np.ndarray) -> Iterator[list[int]]:
        """Indices of the rows that share a value of `column` other than 0, where there are two or more of them, in
        order; only the rows where the mask `rows` is true."""
        at = np.flatnonzero(rows & (column != 0))
        order = at[np.argsort(column[at], kind="stable")]
        cuts = np.flatnonzero(np.diff(column[order])) + 1
        groups = [group for group in np.split(order, cuts) if len(group) > 1]
        yield from sorted(group.tolist() for group in groups)

    @functools.cached_property
    def near(self) -> Near:
        """Near-equal prompts and rows after taking off what rows share; worked out when first asked for."""
        return Near(len(self))

    @functools.cached_property
    def labelled(self) -> bool:
        """Whether answers are labels: short, and each given by several rows."""
        answers = self.answer_key[(self.answer_key != 0) & ~self.against]
        short = self.answer_chars[(self.answer_key != 0) & ~self.against] <= 64
        return len(answers) >= 10 and bool(short.mean() > 0.98) and 3 * len(np.unique(answers)) <= len(answers)


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
        self._stack = ExitStack()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, function: Callable[..., T], tasks: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """`function(spool, *task)` for each task; what comes out is in the order of the tasks."""
        waiting: deque[Future[T]] = deque()
        for number, task in enumerate(tasks):
            if self._pool is None and (self.workers < 2 or number < POOL_FROM):
                yield function(self.spool, *task)
                continue
            waiting.append(self._started().submit(_remote, function, task))
            while waiting and (len(waiting) > 2 * self.workers or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

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


def _remote(function: Callable[..., T], task: tuple[Any, ...]) -> T:
    assert _spool is not None
    return function(_spool, *task)


def _mapped(spool: Spool, chunk: Chunk, function: Callable[..., T], args: tuple[Any, ...]) -> T:
    return function(spool.rows(chunk), *args)


def workshop(workers: int, stack: ExitStack) -> Crew:
    """A spool in a folder of its own and the crew that reads it; both go with `stack`."""
    folder = stack.enter_context(TemporaryDirectory(prefix="tailor-check-"))
    spool = Spool(Path(folder) / "rows.jsonl", write=True)
    stack.callback(spool.close)
    return stack.enter_context(Crew(spool, workers))
