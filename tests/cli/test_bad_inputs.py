"""What people really type: each mistake gets one clear message, exit code 2, no traceback, and costs no data."""

from __future__ import annotations

import errno
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from tailor.cli import main
from tailor.config import resolve
from tailor.run import Run

GOOD = [{"prompt": f"question {n}", "completion": f"answer {n}"} for n in range(12)]


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@dataclass
class Bench:
    """A folder with a good file in it, and the tiny model."""

    folder: Path
    model: str

    @property
    def good(self) -> str:
        return write(self.folder / "good.jsonl", *GOOD)

    def file(self, name: str, content: bytes | str) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def rows(self, *rows: object) -> str:
        return write(self.folder / "rows.jsonl", *rows)


def rated(number: int) -> dict[str, object]:
    return {"prompt": f"q{number}", "completion": f"a{number}", "label": number % 2 == 0}


def pair(chosen: str, rejected: str) -> dict[str, str]:
    return {"prompt": "q", "chosen": chosen, "rejected": rejected}


def chat(*roles: str) -> dict[str, object]:
    return {"messages": [{"role": role, "content": "text"} for role in roles]}


def no_weights(bench: Bench) -> list[str]:
    folder = bench.folder / "hollow"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return ["fit", bench.good, "--model", str(folder)]


def pickled(bench: Bench) -> list[str]:
    arguments = no_weights(bench)
    (bench.folder / "hollow" / "pytorch_model.bin").write_bytes(b"\x80\x04")
    return arguments


def locked(bench: Bench) -> list[str]:
    run = Run.create(resolve(None, {"run.out": str(bench.folder / "run"), "data.train": [bench.good]}))
    import fcntl

    file = open(run.path / "lock", "w")  # noqa: SIM115 - `_let_go` closes it
    fcntl.flock(file, fcntl.LOCK_EX)
    KEPT.append(file)
    return ["fit", "--resume", str(run.path)]


KEPT: list[TextIO] = []


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    while KEPT:
        KEPT.pop().close()


CASES: dict[str, tuple[Callable[[Bench], list[str]], str]] = {
    "missing file": (lambda b: ["fit", str(b.folder / "tickets2.jsonl")], "tickets2.jsonl"),
    "folder as data": (lambda b: ["fit", str(b.folder)], "this is a folder"),
    "glob without a match": (lambda b: ["fit", str(b.folder / "*.csv")], "no file matches"),
    "no data": (lambda b: ["fit"], "no data is named"),
    "empty file": (lambda b: ["fit", b.file("empty.jsonl", "")], "empty.jsonl"),
    "binary file": (lambda b: ["fit", b.file("photo.jsonl", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")], "photo.jsonl"),
    "half a line": (
        lambda b: ["fit", b.file("cut.jsonl", json.dumps(GOOD[0]) + '\n{"prompt": "q", "comp')],
        "cut.jsonl:2:",
    ),
    "latin-1": (
        lambda b: ["fit", b.file("old.jsonl", '{"prompt": "q", "completion": "caf\xe9"}'.encode("latin-1"))],
        "old.jsonl:1",
    ),
    "not gzip": (lambda b: ["fit", b.file("rows.jsonl.gz", b"plain")], "rows.jsonl.gz"),
    "cut gzip": (
        lambda b: ["fit", b.file("rows.jsonl.gz", gzip.compress(json.dumps(GOOD[0]).encode() * 99)[:-9])],
        "rows.jsonl.gz",
    ),
    "unknown role": (lambda b: ["fit", b.rows(chat("user", "assistent"))], "rows.jsonl:1"),
    "wrong role order": (
        lambda b: ["fit", b.rows(chat("user", "assistant"), chat("tool", "assistant"))],
        "rows.jsonl:2",
    ),
    "mixed shapes": (lambda b: ["fit", b.rows(GOOD[0], chat("user", "assistant"))], "rows.jsonl:2"),
    "wrong column": (
        lambda b: ["fit", b.file("t.csv", "text,category\na,b\n"), "--map", "prompt=txt,completion=category"],
        "txt",
    ),
    "map without =": (lambda b: ["fit", b.good, "--map", "prompt"], "--map prompt"),
    "nonsense max-bad": (lambda b: ["fit", b.good, "--max-bad", "some"], "some"),
    "rated answers": (lambda b: ["fit", b.rows(*[rated(n) for n in range(12)])], "no method of this version trains"),
    "pairs of one prompt": (lambda b: ["fit", b.rows(*[pair(f"a{n}", "b") for n in range(12)])], "share one prompt"),
    "plain text by its answers": (
        lambda b: ["fit", "--metric", "exact", b.rows(*[{"text": f"text {n}"} for n in range(12)])],
        "plain text has none",
    ),
    "one row": (lambda b: ["fit", b.rows(GOOD[0])], "one row is not enough"),
    "rows too long": (lambda b: ["fit", b.good, "--set", "data.max_length=8"], "8 tokens"),
    "typo in a flag": (lambda b: ["fit", b.good, "--modle", "thimble"], "--model"),
    "typo in a verb": (lambda b: ["fti", b.good], "fit"),
    "typo in --set": (lambda b: ["fit", b.good, "--set", "optim.epoch=3"], "did you mean 'epochs'?"),
    "--set without =": (lambda b: ["fit", b.good, "--set", "optim.epochs"], "a name, '=' and a value"),
    "negative rate": (lambda b: ["fit", b.good, "--set", "optim.learning_rate=-1"], "greater than 0"),
    "unknown recipe key": (
        lambda b: ["fit", b.good, "--recipe", b.file("r.toml", "[optm]\nepochs = 1\n")],
        "did you mean 'optim'?",
    ),
    "recipe not TOML": (lambda b: ["fit", b.good, "--recipe", b.file("r.toml", "[optim\n")], "not valid TOML"),
    "no such recipe": (lambda b: ["fit", b.good, "--recipe", "nowhere.toml"], "nowhere.toml"),
    "typo in the model": (lambda b: ["fit", b.good, "--model", "thimbel"], "did you mean 'thimble'?"),
    "model without weights": (no_weights, "no weights"),
    "pickled weights": (pickled, "safetensors"),
    "unknown method": (lambda b: ["fit", b.good, "--method", "sftt"], "did you mean 'sft'?"),
    "unknown adapter": (lambda b: ["fit", b.good, "--adapter", "lorra"], "lorra"),
    "unknown metric": (lambda b: ["fit", b.good, "--set", "eval.metric=exakt"], "did you mean 'exact'?"),
    "no such device": (lambda b: ["train", b.good, "--device", "warp"], "warp"),
    "no instructions": (lambda b: ["fit", b.good, "--instructions", "@nowhere.md"], "nowhere.md"),
    "resume of nothing": (lambda b: ["train", "--resume", str(b.folder / "nowhere")], "no run in this folder"),
    "resume of a run at work": (locked, "another process"),
    "out is a file": (lambda b: ["fit", b.good, "--out", b.good], "a file stands where a folder should be"),
    "out cannot be made": (lambda b: ["fit", b.good, "--out", "/proc/run"], "this folder cannot be made"),
    "typo in an example": (lambda b: ["fit", "tikets"], "did you mean the bundled example 'tickets'?"),
    "two examples": (lambda b: ["fit", "tickets", "passages"], "stands alone"),
    "chat with nothing": (lambda b: ["chat", str(b.folder)], "no run in this folder"),
    "typo in an arm": (lambda b: ["eval", str(b.folder), b.good, "--arm", "tund"], "did you mean 'tuned'?"),
}


@pytest.fixture
def bench(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, str(tiny))


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["tailor", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    make, expected = CASES[name]
    arguments = make(bench)
    if arguments[0] in ("fit", "train") and not {"--model", "--resume"} & set(arguments):
        arguments += ["--model", bench.model]
    before = {path: path.read_bytes() for path in bench.folder.glob("*") if path.is_file()}
    code = call(arguments, monkeypatch)
    said = capfd.readouterr()
    assert code == 2, said.err
    assert expected in " ".join(said.err.split()), said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "cannot be written"), (errno.EACCES, "cannot be written")],
)
def test_a_disk_that_refuses(
    number: int, expected: str, bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, "refused")

    arguments = ["fit", bench.good, "--model", bench.model]
    monkeypatch.setattr("tailor.run.os.fsync", refuse)
    assert call(arguments, monkeypatch) == 2
    said = capfd.readouterr().err
    assert expected in said and "--out" in said and "Traceback" not in said
    assert not list(bench.folder.rglob("*.tmp"))


def test_an_error_is_a_document_with_json(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(["fit", "nowhere.jsonl", "--json"], monkeypatch) == 2
    said = capfd.readouterr()
    assert "nowhere.jsonl" in json.dumps(json.loads(said.out)["error"])


def test_without_the_training_extra_it_says_what_to_install(bench: Bench) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['tailor', 'fit', 'good.jsonl']\n"
        "from tailor.cli import main; main()"
    )
    assert bench.good
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=bench.folder)
    assert done.returncode == 2
    assert "pip install 'tailor[train]'" in done.stderr and "Traceback" not in done.stderr
