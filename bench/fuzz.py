"""Coverage-guided fuzzing of everything that meets a stranger's bytes: readers, rules and repairs, document readers.

    .venv/bin/pip install atheris                              # Python 3.11
    .venv/bin/python bench/fuzz.py --seconds 3600 [--target read] [--out .bench/fuzz]

What counts as a finding: an exception other than TailorError, an input that takes longer than TIME_LIMIT, memory above
MEMORY_LIMIT, a crash of the interpreter, and a broken promise (a row that no JSON can hold, rows that two ways of
reading count differently, a repair that does not lead back to the original bytes). Each is kept once, with its
traceback, under `OUT/findings`. `tests/fuzz` replays what was found, and runs the same targets for a moment.

The first byte of an input chooses the name of the file that the rest is written to (`NAMES`).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import io
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

NAMES = (
    "rows.jsonl", "rows.json", "rows.csv", "rows.tsv", "rows.txt", "rows.md", "rows.parquet", "rows.xlsx",
    "rows.jsonl.gz", "packed.jsonl.gz", "packed.csv.gz", "rows.ndjson", "sheet.xlsx",
)  # fmt: skip
DOCUMENTS = (
    "a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.html", "a.md", "a.txt", "part.docx", "part.pptx", "part.xlsx",
)  # fmt: skip
PARTS = {
    "part.docx": "word/document.xml",
    "part.pptx": "ppt/slides/slide1.xml",
    "part.xlsx": "xl/worksheets/sheet1.xml",
    "sheet.xlsx": "xl/worksheets/sheet1.xml",
}  # an input that is the main part of a sound archive: fuzzing zip itself would never get past its checksums
TIME_LIMIT = 10.0  # processor seconds an input, so that other work on the machine makes no finding
MEMORY_LIMIT = 2048  # MB
FOUND = "finding"


class Hang(BaseException):
    """An input took longer than TIME_LIMIT; no handler of Exception may swallow it."""


class Broken(Exception):
    """A promise that does not hold."""


# --------------------------------------------------------------------------------------------------- targets


def written(data: bytes, folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """The input as the file that its first byte names."""
    name = names[data[0] % len(names)] if data else names[0]
    body = data[1:]
    if name.startswith("packed"):
        body = gzip.compress(body, 1)
    elif name in PARTS:
        body = _with_part(name, body)
    path = folder / name
    path.write_bytes(body)
    return path


def read(data: bytes, folder: Path) -> None:
    """The readers of rows: what streams must be what is read, and every row must go into JSON and back."""
    import msgspec

    from tailor import formats
    from tailor.errors import Problem, TailorError
    from tailor.records import Example

    path = written(data, folder)
    items = list(formats.stream([str(path)]))
    rows = [item for item in items if isinstance(item, Example)]
    for row in rows:
        if msgspec.json.decode(msgspec.json.encode(row), type=Example) != row:
            raise Broken(f"{row.source} changes on its way through JSON")
        if not row.key:
            raise Broken("no key")
    for problem in (item for item in items if isinstance(item, Problem)):
        str(problem).encode()
        if not problem.where.startswith(str(path)):
            raise Broken(f"a problem of another file: {problem}")
    try:
        reading = formats.read([str(path)], max_bad="100%")
    except TailorError as error:
        str(error).encode()
        return
    if reading.examples != rows or reading.rows_in != len(items) - _of_file(items):
        raise Broken(f"{reading.rows_in} rows read, {len(rows)} streamed")


def check(data: bytes, folder: Path) -> None:
    """Reader, rules, findings and repairs of one file; a repair must lead back to the same bytes."""
    from tailor import formats
    from tailor.cli import _findings
    from tailor.curate.check import check as run
    from tailor.errors import TailorError
    from tailor.run import to_json

    path = written(data, folder)
    report = run(formats.stream([str(path)]), repair=True)
    json.loads(to_json(_findings.document(report)))
    json.loads(to_json(_findings.sarif(report)))
    if not report.repairs:
        return
    from tailor.curate.patch import undo, write

    lines = {source.line: steps for source, steps in report.repairs.items()}
    fixed, patch = folder / f"fixed{path.suffix}", folder / "patch.jsonl"
    try:
        layout = formats.layout(path)
        write(path, layout, lines, fixed, patch)
    except TailorError:
        return  # a table that is no text, a file that breaks off: refused aloud
    (folder / "back").mkdir(exist_ok=True)
    for old in (folder / "back").iterdir():
        old.unlink()
    if undo(patch, folder / "back").read_bytes() != path.read_bytes():
        raise Broken("the patch does not lead back to the original bytes")


def rules(data: bytes, folder: Path) -> None:
    """The rules alone, over rows of any text: the input is cut at 0xFF, its first byte chooses the kind of rows."""
    from tailor.cli import _findings
    from tailor.curate.check import check as run
    from tailor.records import Example, Source, message
    from tailor.run import to_json

    texts = [piece.decode("utf-8", "replace") for piece in data[1:].split(b"\xff")[:60]]
    kind = data[0] % 4 if data else 0
    rows = []
    for line, start in enumerate(range(0, len(texts) - 2, 3), 1):
        one, two, three = texts[start : start + 3]
        source, asked = Source("rows.jsonl", line), (message("user", one),)
        if kind == 0:
            turns = (message("system", three), *asked, message("assistant", two))
            rows.append(Example(kind="chat", source=source, messages=turns, group=three[:8]))
        elif kind == 1:
            chosen, rejected = (message("assistant", two),), (message("assistant", three),)
            rows.append(Example(kind="pair", source=source, messages=asked, chosen=chosen, rejected=rejected))
        elif kind == 2:
            turns = (*asked, message("assistant", two))
            rows.append(Example(kind="rated", source=source, messages=turns, rating=float(len(three) % 2)))
        else:
            rows.append(Example(kind="text", source=source, text=one + two + three))
    half = len(rows) // 2
    report = run(rows[half:], rows[:half], repair=True)
    json.loads(to_json(_findings.document(report)))


def documents(data: bytes, folder: Path) -> None:
    """The readers of documents: blocks that hold text, or a problem that names the file."""
    from tailor.documents import examples, extract
    from tailor.errors import Problem

    path = written(data, folder, DOCUMENTS)
    document = extract(path)
    if isinstance(document, Problem):
        str(document).encode()
        if not document.where.startswith(str(path)):
            raise Broken(f"a problem of another file: {document}")
        return
    for recipe in ("text", "sections", "summaries"):
        rows = list(examples(document, recipe=recipe))
        json.dumps(rows, ensure_ascii=False).encode()


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "read": read,
    "check": check,
    "rules": rules,
    "documents": documents,
}


def _of_file(items: list[object]) -> int:
    """Problems that are about the file, not about a row of it."""
    return sum(getattr(item, "kind", "") in ("unreadable", "byte-order-mark") for item in items)


def _with_part(name: str, body: bytes) -> bytes:
    """A sound archive whose main part is `body`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_template(name.rpartition(".")[2]))) as old, zipfile.ZipFile(packed, "w") as new:
        for member in old.namelist():
            new.writestr(member, body if member == PARTS[name] else old.read(member))
    return packed.getvalue()


def _template(kind: str) -> bytes:
    """A small sound document of the kind: what `_with_part` puts its part into."""
    if kind not in _templates:
        made = io.BytesIO()
        if kind == "docx":
            import docx

            word = docx.Document()
            word.add_heading("Term", 1)
            word.add_paragraph("Two years.")
            word.save(made)
        elif kind == "pptx":
            import pptx

            deck = pptx.Presentation()
            slide = deck.slides.add_slide(deck.slide_layouts[1])
            slide.shapes.title.text = "Plan"
            deck.save(made)
        else:
            import openpyxl

            book = openpyxl.Workbook()
            book.active.append(["prompt", "completion"])
            book.active.append(["a", "b"])
            book.save(made)
        _templates[kind] = made.getvalue()
    return _templates[kind]


_templates: dict[str, bytes] = {}


# ----------------------------------------------------------------------------------------------------- seeds


CHAT = b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'


def seeds() -> dict[str, tuple[str, bytes]]:
    """Name -> (file name, content): what is known to break readers, each as small as shows it."""
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n"
    return {
        "chat": ("rows.jsonl", CHAT * 3),
        "list": ("rows.json", b"[" + CHAT * 1 + b"," + CHAT + b"]"),
        "pair": ("rows.jsonl", b'{"prompt": "p", "chosen": "c", "rejected": "r"}\n' * 2),
        "rated": ("rows.jsonl", b'{"prompt": "p", "completion": "c", "label": true}\n' * 2),
        "tools": (
            "rows.jsonl",
            b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{"id": "1", "type":'
            b' "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "1",'
            b' "content": "3"}, {"role": "assistant", "content": "c"}], "tools": [{"type": "function", "function":'
            b' {"name": "f", "parameters": {"type": "object"}}}]}\n',
        ),
        "alpaca": ("rows.json", b'[{"instruction": "i", "input": "", "output": "o", "history": [["a", "b"]]}]'),
        "sharegpt": ("rows.json",
            b'[{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}]',
        ),
        "nested list": ("rows.json", b'{"version": 1, "data": [' + CHAT + b"]}"),
        "nested too deeply": ("rows.jsonl", CHAT + deep),
        "brackets without end": ("rows.json", b"[" * 20_000),
        "lone surrogate": ("rows.jsonl", CHAT + b'{"prompt": "\\ud83d", "completion": "\\udc00\\ud800"}\n'),
        "raw surrogate": ("rows.jsonl", CHAT + b'{"prompt": "\xed\xa0\xbd", "completion": "b"}\n'),
        "not numbers": ("rows.jsonl", CHAT + b'{"prompt": "a", "completion": NaN}\n{"a": -Infinity}\n{"a": 1e999}\n'),
        "repeated keys": ("rows.jsonl", CHAT + b'{"prompt": "a", "prompt": "b", "completion": {"x": 1, "x": 2}}\n'),
        "long integer": ("rows.jsonl", CHAT + b'{"prompt": ' + b"9" * 5000 + b', "completion": "b"}\n'),
        "long integer in a list": ("rows.json", b'[{"prompt": ' + b"9" * 5000 + b', "completion": "b"}]'),
        "gzip bomb": ("rows.jsonl.gz", gzip.compress(b" " * (1 << 24), 9)),
        "gzip cut off": ("rows.jsonl.gz", gzip.compress(CHAT * 50)[:-9]),
        "gzip and garbage": ("rows.jsonl.gz", gzip.compress(CHAT) + b"garbage"),
        "gzip of nothing": ("rows.jsonl.gz", gzip.compress(b"")),
        "UTF-16": ("rows.jsonl", CHAT.decode().encode("utf-16")),
        "UTF-16 without mark": ("rows.csv", "prompt,completion\na,b\n".encode("utf-16-le")),
        "UTF-8 with mark": ("rows.jsonl", b"\xef\xbb\xbf" + CHAT),
        "latin-1": ("rows.csv", "prompt,completion\nä,ö\n".encode("latin-1")),
        "carriage returns alone": ("rows.csv", b"prompt,completion\ra,b\rc,d\r"),
        "carriage returns between rows": ("rows.jsonl", CHAT.replace(b"\n", b"\r") * 3),
        "both line ends": ("rows.jsonl", CHAT.replace(b"\n", b"\r\n") + CHAT),
        "quotes without end": ("rows.csv", b'prompt,completion\n"a,b\nc,d\n'),
        "quotes in cells": ("rows.csv", b'prompt,completion\na"b,"c"d\n'),
        "tabs": ("rows.tsv", b"text\tlabel\na b\tx\nc d\ty\n"),
        "zero bytes": ("rows.txt", b"a\x00b"),
        "text": ("rows.md", b"# Title\n\nBody.\n"),
        "Parquet's name alone": ("rows.parquet", b"PAR1PAR1"),
        "Parquet cut off": ("rows.parquet", b"PAR1" + bytes(range(256)) + b"\xff\xff\xff\x7fPAR1"),
        "Parquet": ("rows.parquet", _parquet()),
        "workbook of garbage": ("rows.xlsx", b"PK\x03\x04" + bytes(range(256))),
        "workbook": ("rows.xlsx", _template("xlsx")),
        "sheet": ("sheet.xlsx", _member("xlsx", "xl/worksheets/sheet1.xml")),
        "packed rows": ("packed.jsonl.gz", CHAT),
        "packed table": ("packed.csv.gz", b"text;label\na;x\n"),
        "secrets": (
            "rows.jsonl",
            b'{"prompt": "mail a.b@example.org, card 4111 1111 1111 1111", "completion": "call +49 30 1234567"}\n' * 2,
        ),
        "mojibake": ("rows.jsonl", '{"prompt": "cafÃ©\u200b", "completion": "As an AI language model"}\n'.encode()),
        "labels": ("rows.csv", b"text,label\n" + b"row 1,x\nrow 2,X\nrow 3,y\n" * 12),
    }  # fmt: skip


def document_seeds() -> dict[str, tuple[str, bytes]]:
    """The same for documents."""
    return {
        "PDF": ("a.pdf", _pdf("Term. Two years.")),
        "PDF cut off": ("a.pdf", _pdf("Term")[:200]),
        "DOCX": ("a.docx", _template("docx")),
        "PPTX": ("a.pptx", _template("pptx")),
        "XLSX": ("a.xlsx", _template("xlsx")),
        "DOCX part": ("part.docx", _member("docx", "word/document.xml")),
        "PPTX part": ("part.pptx", _member("pptx", "ppt/slides/slide1.xml")),
        "XLSX part": ("part.xlsx", _member("xlsx", "xl/worksheets/sheet1.xml")),
        "HTML": ("a.html", b"<h1>A</h1><p>b<br>c<table><tr><td>1<th>2</table><ul><li>x</ul><script>1<2</script>"),
        "MD": ("a.md", b"# A\n\nb\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n- i\n"),
        "TXT": ("a.txt", b"1. TERM\n\nTwo years.\f2. FEES\nNone.\n"),
    }


def _pdf(text: str) -> bytes:
    stream = b"BT /F1 12 Tf 72 720 Td (" + text.encode() + b") Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        start,
    )


def _parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    made = io.BytesIO()
    parquet.write_table(pa.table({"prompt": ["a", "b"], "completion": ["c", None]}), made)
    return made.getvalue()


def _member(kind: str, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(_template(kind))) as archive:
        return archive.read(name)


def packed_seeds(target: str) -> Iterator[tuple[str, bytes]]:
    """The seeds of a target as inputs: the byte that names the file, then its content."""
    if target == "rules":
        texts = [text for name in ("mojibake", "secrets", "labels", "chat") for text in seeds()[name][1].split(b"\n")]
        for kind in range(4):
            yield f"kind {kind}", bytes([kind]) + b"\xff".join(texts)
        return
    names = DOCUMENTS if target == "documents" else NAMES
    for name, (file, content) in (document_seeds() if target == "documents" else seeds()).items():
        yield name, bytes([names.index(file)]) + content


# ----------------------------------------------------------------------------------------------------- one run


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises Hang within the block after `seconds` of processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(target: Callable[[bytes, Path], None], data: bytes, folder: Path, seconds: float = TIME_LIMIT) -> str:
    """Runs one input; the traceback of what it should not have done, or an empty text."""
    from tailor.errors import TailorError

    try:
        with limited(seconds):
            target(data, folder)
    except TailorError:
        return ""
    except (Exception, Hang):
        return traceback.format_exc()
    return ""


def _signature(trace: str) -> str:
    """What tells two findings apart: the kind of error and the innermost line of tailor."""
    lines = trace.strip().splitlines()
    kind = lines[-1].partition(":")[0].rpartition(".")[2]
    ours = [line.strip() for line in lines if "/tailor/" in line]
    place = ours[-1].rpartition("/")[2].replace('", line ', "-").replace(", in ", "-") if ours else "target"
    return "".join(char if char.isalnum() or char in "-._" else "_" for char in f"{kind}-{place}")


def child(target: str, seconds: int, out: Path) -> None:
    """One process of libFuzzer over one target; ends by itself."""
    import atheris

    with atheris.instrument_imports(include=["tailor"]):
        from tailor import formats  # noqa: F401
        from tailor.cli import _findings  # noqa: F401
        from tailor.curate import check as _check  # noqa: F401
        from tailor.curate import patch  # noqa: F401
        from tailor.curate.rules.base import rules as every_rule
        from tailor.formats._detect import shapes

        every_rule()
        shapes()
        if target == "documents":
            from tailor import plugins

            for kind in ("documents.readers", "documents.recipes"):
                for name in plugins.names(kind):
                    plugins.load(kind, name)
    corpus, findings = out / "corpus" / target, out / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    for name, data in packed_seeds(target):
        (corpus / f"seed-{name.replace(' ', '-')}").write_bytes(data)
    began, runs, slowest = time.monotonic(), 0, 0.0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:

        def one(data: bytes) -> None:
            nonlocal runs, slowest
            start = time.process_time()
            trace = attempt(TARGETS[target], data, Path(folder))
            runs += 1
            slowest = max(slowest, time.process_time() - start)
            if trace:
                name = f"{target}-{_signature(trace)}"
                if not (findings / f"{name}.bin").exists():
                    (findings / f"{name}.bin").write_bytes(data)
                    (findings / f"{name}.txt").write_text(trace, encoding="utf-8", errors="backslashreplace")
                    print(FOUND, name, flush=True)
            if runs % 500 == 0:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                facts = {"runs": runs, "seconds": time.monotonic() - began, "slowest": slowest, "peak_mb": peak}
                (out / f"{target}.json").write_text(json.dumps(facts))

        dictionary = out / "words.dict"
        dictionary.write_text("".join(f'"{word}"\n' for word in WORDS), encoding="utf-8")
        flags = [f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY_LIMIT}", "-timeout=600", "-max_len=8192"]
        flags += [f"-artifact_prefix={findings}/{target}-native-", f"-dict={dictionary}", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *flags, str(corpus)], one)
        atheris.Fuzz()


WORDS = (
    r"{\"messages\": [{\"role\": \"", "user", "assistant", "system", r"\"content\": \"", r"\"tool_calls\": [",
    r"\\ud83d", "NaN", "-Infinity", r"\xef\xbb\xbf", r"\xff\xfe", r"\x1f\x8b", r"\x0d", r"\x0a", r"\"\"",
    "conversations", "chosen", "rejected", "completion", "instruction", "weight", "label", r"\xe2\x80\x8b",
    r"\xc3\xa9", "</w:p>", "<w:tbl>", "<a:t>", "endobj", "stream", "/Kids", "<table>", "<td>", "| - |",
)  # fmt: skip  # as libFuzzer's dictionaries write them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3600, help="in all")
    parser.add_argument("--target", choices=list(TARGETS), action="append", help="all where not given")
    parser.add_argument("--out", type=Path, default=Path(".bench/fuzz"))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    targets = given.target or list(TARGETS)
    if given.child:
        child(targets[0], given.seconds, given.out)
        return
    for target in targets:
        end = time.monotonic() + given.seconds / len(targets)
        total = {"runs": 0, "starts": 0, "slowest": 0.0, "peak_mb": 0}
        while (left := int(end - time.monotonic())) > 0:
            arguments = ["--child", "--target", target, "--seconds", str(left), "--out", str(given.out)]
            (given.out / f"{target}.json").unlink(missing_ok=True)
            done = subprocess.run([sys.executable, __file__, *arguments], stderr=subprocess.PIPE, text=True)
            total["starts"] += 1
            if (given.out / f"{target}.json").exists():
                facts = json.loads((given.out / f"{target}.json").read_text())
                total["runs"] += facts["runs"]
                total["slowest"] = max(total["slowest"], facts["slowest"])
                total["peak_mb"] = max(total["peak_mb"], facts["peak_mb"])
            tail = [line for line in done.stderr.splitlines() if "cov:" in line][-1:]
            if done.returncode:
                digest = hashlib.sha256(done.stderr.encode()).hexdigest()[:8]
                (given.out / "findings" / f"{target}-native-{digest}.log").write_text(done.stderr[-20_000:])
                if not tail:
                    print(done.stderr[-3000:])
                    break  # it cannot even start
        print(target, json.dumps(total), *tail, flush=True)


if __name__ == "__main__":
    main()
