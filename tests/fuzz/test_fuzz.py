"""What fuzzing found stays mended, and everything that reads strangers' bytes is fuzzed for a moment.

`bench/fuzz.py` has the targets and the seeds. `corpus/WHAT/NAME` is the smallest input that once did harm: NAME says
how it is read, as in `fuzz.NAMES` and `fuzz.DOCUMENTS`.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "bench" / "fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = _script()
CORPUS = sorted(path for path in (Path(__file__).parent / "corpus").glob("*/*"))


def harmless(target: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert fuzz.attempt(fuzz.TARGETS[target], data, Path(folder)) == ""


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.parent.name)
def test_what_was_found_stays_mended(path: Path) -> None:
    for names, targets in ((fuzz.NAMES, ("read", "check")), (fuzz.DOCUMENTS, ("documents",))):
        for target in targets if path.name in names else ():
            harmless(target, bytes([names.index(path.name)]) + path.read_bytes())


@pytest.mark.parametrize("name", list(fuzz.seeds()))
def test_what_is_known_to_break_readers_is_read_or_refused(name: str) -> None:
    data = dict(fuzz.packed_seeds("read"))[name]
    harmless("read", data)
    harmless("check", data)


@pytest.mark.parametrize("name", list(fuzz.document_seeds()))
def test_what_is_known_to_break_readers_of_documents(name: str) -> None:
    harmless("documents", dict(fuzz.packed_seeds("documents"))[name])


def test_a_finding_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The net holds: an error of another kind, a broken promise and an input without end are all told."""

    def forever(data: bytes, folder: Path) -> None:
        while True:
            pass

    def fault(data: bytes, folder: Path) -> None:
        raise KeyError("x")

    assert "KeyError" in fuzz.attempt(fault, b"", tmp_path)
    assert "Hang" in fuzz.attempt(forever, b"", tmp_path, seconds=0.2)
    monkeypatch.setattr(fuzz, "_of_file", lambda items: 1)
    assert "rows read" in fuzz.attempt(fuzz.read, b"\x00" + fuzz.CHAT, tmp_path)


ODD = st.sampled_from(
    ["", " ", "\u200b", "\ufeff", "ﬁ", "N/A", "{", "```", "<|im_end|>", "4111 1111 1111 1111", "é" * 300]
)
TEXT = ODD | st.text(max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "messages",
    "role",
    "content",
    "tool_calls",
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "label",
    "text",
    "group",
]
ROWS = st.lists(st.dictionaries(st.sampled_from([*KEYS, "source", "tools", "weight"]), VALUES, max_size=5), max_size=4)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["rows.jsonl", "rows.json", "packed.jsonl.gz"]))
def test_rows_of_any_values(rows: list[dict[str, object]], name: str) -> None:
    import json

    text = json.dumps(rows) if name == "rows.json" else "\n".join(map(json.dumps, rows))
    harmless("read", bytes([fuzz.NAMES.index(name)]) + text.encode())


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXT, min_size=3, max_size=24), st.integers(0, 3))
def test_rules_over_any_texts(texts: list[str], kind: int) -> None:
    harmless("rules", bytes([kind]) + b"\xff".join(text.encode() for text in texts))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(fuzz.DOCUMENTS), st.data())
def test_documents_with_holes(name: str, data: st.DataObject) -> None:
    seeds = [content for file, content in fuzz.document_seeds().values() if file == name]
    content = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
    harmless("documents", bytes([fuzz.DOCUMENTS.index(name)]) + bytes(content))


HUGE = """
import gzip, re, sys
from pathlib import Path
from tailor import formats
from tailor.errors import DataError

folder = Path(sys.argv[1])
unit = b'{"prompt": "p", "completion": "c"}\\n'
line, bomb, deep, digits = (folder / name for name in ("line.jsonl", "bomb.jsonl.gz", "deep.jsonl", "digits.json"))
with open(line, "wb") as file:
    file.write(unit + b'{"prompt": "')
    for _ in range(100):
        file.write(b"x" * (1 << 20))
    file.write(b'"}\\n')
with gzip.open(bomb, "wb", 9) as file:
    for _ in range(300):
        file.write(b" " * (1 << 20) + b"\\n")
deep.write_bytes(unit + b'{"a":' * (1 << 20))
digits.write_bytes(b'[{"prompt": "p", "completion": ' + b"9" * (8 << 20) + b"}]")
for path, words in ((line, "longer than 64 MB"), (bomb, "looks like a bomb"), (deep, "nested"), (digits, "digits")):
    try:
        formats.read([str(path)])
    except DataError as error:
        assert words in str(error), (path.name, str(error)[:300])
        assert len(str(error)) < 2000, path.name
    else:
        raise AssertionError(path.name)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc: getrusage counts the parent's too")
def test_huge_inputs_take_bounded_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HUGE, str(tmp_path)], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 500  # MB: a row may take 64
