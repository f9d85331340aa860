"""How well the text of the contracts is read: each PDF against the text file of the same name.

    python recipes/cuad/score.py ../shared/data/cuad [--reader markitdown]

F1 is the share of characters, white space left out, that both texts have in the same order. Words are aligned first,
then the characters where words differ. The text files keep page numbers and the like; the reader takes them off, and
they count as missing here.
"""

from __future__ import annotations

import argparse
import statistics
import time
from difflib import SequenceMatcher
from pathlib import Path

from tailor import documents
from tailor.documents.base import Document

ALIKE = str.maketrans("“”‘’–—", "\"\"''--")
LONGEST = 1000  # characters of a stretch whose characters are aligned; longer ones count as different


def matched(one: str, other: str) -> int:
    """Characters without white space that stand in both texts in the same order."""
    ours, theirs = one.split(), other.split()
    found = 0
    for kind, a, b, c, d in SequenceMatcher(None, ours, theirs).get_opcodes():
        if kind == "equal":
            found += sum(map(len, ours[a:b]))
        elif kind == "replace":
            left, right = "".join(ours[a:b]), "".join(theirs[c:d])
            if len(left) + len(right) < 2 * LONGEST:
                blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
                found += sum(block.size for block in blocks)
    return found


def f1(one: str, other: str) -> float:
    """Of the characters of two texts, the share that both have."""
    size = sum(len(word) for text in (one, other) for word in text.split())
    return 2 * matched(one, other) / size if size else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with pdf/ and txt/")
    parser.add_argument("--reader", help="markitdown")
    given = parser.parse_args()
    written, alike = [], []
    pages, seconds = 0, 0.0
    for path in sorted((given.data / "pdf").glob("*.pdf")):
        began = time.process_time()
        document = documents.extract(path, reader=given.reader)
        seconds += time.process_time() - began
        if not isinstance(document, Document):
            raise SystemExit(str(document))
        pages += max([piece.page or 0 for piece in (*document.blocks, *document.left_out)])
        twin = (given.data / "txt" / f"{path.stem}.txt").read_text(encoding="utf-8")
        written.append(f1(document.text, twin))
        alike.append(f1(document.text.translate(ALIKE), twin.translate(ALIKE)))
        print(f"{written[-1]:.4f}  {alike[-1]:.4f}  {path.stem[:80]}", flush=True)
    a_page = f", {seconds / pages:.4f} s a page of {pages:,}" if pages else ""  # markitdown knows no pages
    print(f"{len(written)} contracts, {seconds:.1f} s of processor time{a_page}")
    print(f"F1 as written {statistics.fmean(written):.4f}, worst {min(written):.4f}")
    print(f"F1 with quotes and dashes alike {statistics.fmean(alike):.4f}, worst {min(alike):.4f}")


if __name__ == "__main__":
    main()
