"""Truths that nobody injected: copies in public sets, marked personal data, broken text, corrected rows."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from clean import DATA, _table, banking77, pair
from injectors.base import Clean, Row

Line = dict[str, Any]


def _line(data: str, code: str, about: str, wanted: set[Any], got: set[Any], seconds: float = 0.0) -> Line:
    """What a rule found (`got`) of what is true (`wanted`)."""
    both = len(wanted & got)
    return {
        "set": f"truth/{data}",
        "code": code,
        "rate": 0.0,
        "rows": 0,
        "injected": len(wanted),
        "found": both,
        "right": both,
        "wrong": len(got - wanted),
        "known": 0,
        "decoys": 0,
        "lured": 0,
        "variants": {},
        "about": about,
        "seconds": round(seconds, 4),
        "date": date.today().isoformat(),
    }


def named(clean: Clean, code: str) -> tuple[set[int], float]:
    """Places of the rows that a rule names first, and its seconds."""
    from defects import Spoken, looked

    report, places = looked(clean, clean.rows, [code])
    spoken = Spoken.of(report, places, code)
    return {rows[0] for rows in spoken.findings if rows}, spoken.seconds


def ranking(clean: Clean, broken: Any) -> Line:
    """AUROC and precision at k of the label model on a set with wrong labels (`broken.bad`)."""
    import tempfile

    from defects import write
    from tailor import formats
    from tailor.config import CheckConfig
    from tailor.curate.check import collected
    from tailor.curate.labels import judged

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        [(path, _, begins)] = write(broken.rows, clean, Path(folder), "train")
        named = dict(zip(("prompt", "completion"), clean.columns))
        corpus = collected(formats.stream([str(path)], map=named), CheckConfig(), stack)
        found = judged(corpus)
        assert found is not None
        place = {line: at for at, line in enumerate(begins)}
        at = [place[int(corpus.line[row])] for row in found.rows]
        doubt = -found.of_own
    wrong = np.array([row in broken.bad for row in at])
    order = np.argsort(doubt, kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    bad = int(wrong.sum())
    auroc = (ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * (len(wrong) - bad))
    top = order[::-1][:bad]
    return {"auroc": round(float(auroc), 4), "precision_at_k": round(float(wrong[top].mean()), 4)}


# ---------------------------------------------------------------------------------------------- each of them


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def leaked() -> Iterator[Line]:
    """Test questions of banking77 that stand in its training file."""
    clean = banking77(10_003)
    clean.held = [
        pair(" ".join(row["text"].split()), row["category"], "table") for row in _table(DATA / "banking77/test.csv")
    ]
    held = {_bare(row.question) for row in clean.held}
    wanted = {at for at, row in enumerate(clean.rows) if _bare(row.question) in held}
    got, seconds = named(clean, "L101")
    yield _line(
        "banking77", "L101", "training rows whose letters and digits are those of a test question", wanted, got, seconds
    )


def near_rows() -> Iterator[Line]:
    """Every pair of the tool-use set compared exactly, on what stands below the header of the prompt.

    Nothing of the rule is used. The header is taken off by its lines, in two ways. By how often they stand there: those
    that 5% of the rows have, and the label before a colon that half of them have (`toolformer access:`; of the tools
    behind it rarer ones are left). And by what is known of the format: all lines down to the last that is a call of a
    tool with its arguments named, `search(query)`. Rows are then the runs of five bytes in what is left of the prompt
    and in the answer, in small letters, spaces as one.
    """
    for level in ("dedupe-only", "similarity-0.7"):
        path = DATA / f"gpteacher/toolformer-{level}.json"
        rows = json.loads(path.read_text("utf-8"))
        got = _near(path)
        for how, below in (("", _below_shared(rows)), (", whole header", _below_calls(rows))):
            texts = [(f"{text} {row['input']}", row["response"]) for text, row in zip(below, rows)]
            wanted = {pair[1] for pair in exact_pairs([[_plain(text) for text in parts] for parts in texts], 0.8)}
            about = "rows near an earlier one, against exact Jaccard of all pairs at 0.8, header taken off by "
            about += "the lines of its format, tools and all" if how else "the lines and labels that rows share"
            yield _line(f"gpteacher {level}{how}", "D102", about, wanted, got)


def _near(path: Path) -> set[int]:
    """The rows of a file that the search calls near an earlier one."""
    from tailor import formats
    from tailor.config import CheckConfig
    from tailor.curate.check import collected

    with ExitStack() as stack:
        corpus = collected(formats.stream([str(path)]), CheckConfig(), stack)
        return {int(row) for row in corpus.near.rows.pairs[:, 1]}


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _below_shared(rows: list[dict[str, str]]) -> list[str]:
    lines = Counter(line for row in rows for line in set(row["instruction"].split("\n")))
    labels = Counter(
        label for row in rows for label in {x.split(":")[0] for x in row["instruction"].split("\n") if ":" in x}
    )

    def left(line: str) -> str:
        if lines[line] >= 0.05 * len(rows):
            return ""
        label, colon, value = line.partition(":")
        return value if colon and labels[label] >= 0.5 * len(rows) else line

    return [" ".join(left(line) for line in row["instruction"].split("\n")) for row in rows]


def _below_calls(rows: list[dict[str, str]]) -> list[str]:
    called = re.compile(r"\w+\(\w+\)")
    below = []
    for row in rows:
        lines = row["instruction"].split("\n")
        calls = [at for at, line in enumerate(lines) if called.fullmatch(line.strip())]
        below.append(" ".join(lines[calls[-1] + 1 if calls else 0 :]))
    return below


def exact_pairs(rows: list[list[str]], threshold: float) -> set[tuple[int, int]]:
    """Pairs of rows whose sets of five-byte runs have a Jaccard similarity of `threshold` and more; a row is texts."""
    numbers: dict[bytes, int] = {}
    columns = []
    for texts in rows:
        every = (raw[at : at + 5] for raw in map(str.encode, texts) for at in range(len(raw) - 4))
        found = {numbers.setdefault(piece, len(numbers)) for piece in every}
        columns.append(np.fromiter(sorted(found), np.int64, len(found)))
    return close_pairs(columns, threshold)


def close_pairs(columns: list[np.ndarray], threshold: float) -> set[tuple[int, int]]:
    """Every pair compared: those of sets of numbers, eight and more in each, that are similar to `threshold`."""
    from scipy import sparse

    size = np.array([len(column) for column in columns])
    numbers, flat = np.unique(np.concatenate(columns), return_inverse=True)
    ends = np.concatenate([[0], np.cumsum(size)])
    table = sparse.csr_matrix((np.ones(len(flat), np.int32), flat, ends), shape=(len(columns), len(numbers)))
    pairs = set()
    for at in range(0, len(columns), 256):
        common = (table[at : at + 256] @ table.T).tocoo()
        similar = common.data / (size[at + common.row] + size[common.col] - common.data)
        keep = (similar >= threshold) & (at + common.row < common.col) & (size[at + common.row] >= 8)
        pairs |= set(zip((at + common.row[keep]).tolist(), common.col[keep].tolist()))
    return pairs


MARKED = {
    "CREDIT_CARD": "P102", "IBAN_CODE": "P103", "US_SSN": "P104", "EMAIL_ADDRESS": "P105", "PHONE_NUMBER": "P106",
    "IP_ADDRESS": "P107",
}  # fmt: skip


def personal() -> Iterator[Line]:
    """Sentences in which each piece of personal data is marked."""
    sentences = json.loads((DATA / "pii/synth_dataset_v2.json").read_text("utf-8"))
    rows = [pair("What does it say?", sentence["full_text"]) for sentence in sentences]
    clean = Clean("pii", rows)
    for kind, code in MARKED.items():
        wanted = {at for at, s in enumerate(sentences) if any(span["entity_type"] == kind for span in s["spans"])}
        got, seconds = named(clean, code)
        yield _line("pii", code, f"sentences marked {kind}", wanted, got, seconds)
    names = {"PERSON", "STREET_ADDRESS", "GPE"}
    wanted = {at for at, s in enumerate(sentences) if any(span["entity_type"] in names for span in s["spans"])}
    if "P108" in _rules():
        got, seconds = named(clean, "P108")
        yield _line("pii", "P108", "sentences marked PERSON, STREET_ADDRESS or GPE", wanted, got, seconds)


def characters() -> Iterator[Line]:
    """Broken text from the wild, and honest text that looks broken."""
    texts = {
        name: [case["original"] for case in json.loads((DATA / f"ftfy-cases/{name}.json").read_text("utf-8"))]
        for name in ("in-the-wild", "negative")
    }
    rows = [pair("What does it say?", text) for name in texts for text in texts[name]]
    clean = Clean("ftfy", rows)
    wanted = set(range(len(texts["in-the-wild"])))
    flagged: dict[str, set[int]] = {code: named(clean, code)[0] for code in ("Q201", "Q202", "Q203", "Q204")}
    got = set().union(*flagged.values())
    both = got - (flagged["Q202"] | flagged["Q204"]) | (
        got & wanted
    )  # what is mojibake or mark-up is wrong on the honest
    yield _line(
        "ftfy-cases",
        "Q201-Q204",
        "70 cases from the wild by any of the four; 31 honest ones by Q201, Q203",
        wanted,
        both,
    )


def corrected() -> Iterator[Line]:
    """Records of E2E that people corrected (`fixed`): before, the sentence did not say what the record says."""
    kept = [code for code in ("C501", "C502") if code in _rules()]
    if not kept:
        return
    table = _table(DATA / "e2e-cleaned/devel-fixed.csv")
    clean = Clean("e2e-noisy", [pair(row["orig_mr"], row["ref"], "table") for row in table], columns=("mr", "ref"))
    wanted = {at for at, row in enumerate(table) if row["fixed"] == "1"}
    got: set[int] = set()
    for code in kept:
        found, _ = named(clean, code)
        got |= found
    yield _line(
        "e2e-cleaned", " ".join(kept), "rows that people corrected (`fixed`), their records as they were", wanted, got
    )


def flaws() -> Iterator[Line]:
    """LLaMA-Factory's demo files and what is plainly wrong in them."""
    rows = json.loads((DATA / "formats/llamafactory/identity.json").read_text("utf-8"))
    clean = Clean("identity", [pair(f"{row['instruction']} {row['input']}".strip(), row["output"]) for row in rows])
    wanted = {at for at, row in enumerate(rows) if "{{" in json.dumps(row)}
    got, seconds = named(clean, "Q106")
    yield _line("llamafactory identity", "Q106", "rows with {{name}} or {{author}} in them", wanted, got, seconds)
    rows = json.loads((DATA / "formats/llamafactory/kto_en_demo.json").read_text("utf-8"))
    made = [Row([{k: t[k] for k in ("role", "content")} for t in row["messages"]], "messages") for row in rows]
    keys = [_bare(json.dumps(row["messages"])) for row in rows]
    wanted = {at for at, key in enumerate(keys) if key in keys[:at]}
    got, seconds = named(Clean("kto-chats", made), "D101")
    yield _line("llamafactory kto", "D101", "chats that stand there twice, ratings aside", wanted, got, seconds)


def _rules() -> Iterable[str]:
    from tailor.curate.rules.base import rules

    return rules()


TRUTHS: tuple[Callable[[], Iterator[Line]], ...] = (leaked, near_rows, personal, characters, corrected, flaws)


def measured(sets: Mapping[str, Clean]) -> Iterator[Line]:
    """All of them, one line each."""
    for truth in TRUTHS:
        yield from truth()
