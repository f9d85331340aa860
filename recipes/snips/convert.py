"""SNIPS (nested JSON, one file an intent) -> chat rows whose answer is strict JSON of the intent and its slots.

    python recipes/snips/convert.py ../shared/data/snips snips

writes `snips/train.jsonl` and `snips/validation.jsonl`. An answer is JSON on one line: the keys in one fixed order, the
slots in the order of the sentence, and every value copied from it:

    Play the album alas y raíces by Dave Pybus.
    {"intent": "PlayMusic", "slots": {"music_item": "album", "album": "alas y raíces", "artist": "Dave Pybus"}}

A slot that a sentence fills twice becomes a list, so that nothing the annotators marked is lost. White space is taken
off the ends of sentences and values, and nowhere else.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILES = {"train": "train", "validation": "validate"}
"""Name of a file written -> prefix of the files it is read from."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Convert SNIPS to chat rows with strict JSON answers.")
    parser.add_argument("source", type=Path, help="folder with train_*.json and validate_*.json")
    parser.add_argument("out", type=Path, help="folder to write train.jsonl and validation.jsonl to")
    arguments = parser.parse_args()
    for name, count in convert(arguments.source, arguments.out).items():
        print(f"{arguments.out / name}.jsonl: {count:,} rows")


def convert(source: Path, out: Path) -> dict[str, int]:
    """Writes the two files and returns how many rows each holds. SystemExit where `source` holds no SNIPS files."""
    counts = {}
    for name, prefix in FILES.items():
        paths = sorted(source.glob(f"{prefix}_*.json"))
        if not paths:
            raise SystemExit(f"{source}: no {prefix}_*.json here; give the folder of the SNIPS files")
        rows = [json.dumps(row, ensure_ascii=False) + "\n" for path in paths for row in read(path)]
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.jsonl").write_text("".join(rows), encoding="utf-8")
        counts[name] = len(rows)
    return counts


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one file as chat rows."""
    [(intent, rows)] = json.loads(decode(path.read_bytes())).items()
    for row in rows:
        sentence = "".join(piece["text"] for piece in row["data"]).strip()
        answer = json.dumps({"intent": intent, "slots": slots(row["data"])}, ensure_ascii=False)
        yield {"messages": [{"role": "user", "content": sentence}, {"role": "assistant", "content": answer}]}


def slots(pieces: list[dict[str, str]]) -> dict[str, str | list[str]]:
    """Slot -> its words in the sentence; a list where a sentence fills the slot more than once."""
    found: dict[str, list[str]] = {}
    for piece in pieces:
        if "entity" in piece:
            found.setdefault(piece["entity"], []).append(piece["text"].strip())
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def decode(raw: bytes) -> str:
    """UTF-8, but one emoji of train_PlayMusic.json stands as two UTF-8 encoded surrogates (CESU-8): join them.

    Reading the files as latin-1 raises nothing and turns every accent into two wrong letters.
    """
    return raw.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")


if __name__ == "__main__":
    main()
