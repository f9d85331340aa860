"""What `tailor check` costs: growth from a thousand rows to a million, and near duplicates against datasketch.

    python bench/check.py                     # all that is not measured yet (up to a million rows: minutes)
    python bench/check.py --only rows/10000   # measurements whose name holds the text
    python bench/check.py --again near        # measure these once more; the newest counts

A measurement of growth is the command itself, in a process of its own; memory is the most that the processes it started
held together. The search for near duplicates is measured within a process, reading left out, on the same texts for
both: tailor's, which signs, buckets and compares exactly, and datasketch's MinHashLSH as its manual shows it, with the
permutations that reach the same recall. Each measurement is a line in `check.jsonl`; `check.md`, a section of
`RESULTS.md`, is made from these lines.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import environments

BENCH = Path(__file__).resolve().parent
DATA = BENCH / "check.jsonl"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LABELLED = 10_000
NEAR = 10_000
PERMUTATIONS = (64, 128, 256)
DEFECTS = {"copy": 0.01, "near copy": 0.02, "another answer": 0.01, "left open": 0.002, "mail address": 0.005}


# -------------------------------------------------------------------------------------------------------- rows


HEADS = ("b", "br", "ch", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr", "v")
CORES, TAILS = ("a", "e", "i", "o", "u", "ai", "ea", "ou"), ("", "n", "r", "s", "t", "l", "m", "nd", "st", "ck")


class Language:
    """16,000 made-up words, short ones frequent, drawn as often as words of a language are (Zipf)."""

    def __init__(self, dice: random.Random) -> None:
        count = 16_000
        self.words = [
            "".join(dice.choice(HEADS) + dice.choice(CORES) + dice.choice(TAILS) for _ in range(1 + number // 4_000))
            for number in range(count)
        ]
        weights = np.cumsum(1 / (np.arange(count) + 10))
        self._shares = weights / weights[-1]
        self._random = np.random.default_rng(dice.randrange(1 << 32))
        self._drawn: list[str] = []

    def draw(self, count: int) -> list[str]:
        """The next words."""
        if len(self._drawn) < count:
            places = np.searchsorted(self._shares, self._random.random(1 << 16))
            self._drawn = [self.words[place] for place in places.tolist()]
        taken = self._drawn[-count:]
        del self._drawn[-count:]
        return taken


def rows(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Chat rows of 500 bytes or so; the shares of DEFECTS are defective."""
    dice = random.Random(seed)
    language = Language(dice)
    systems = [" ".join(language.draw(9)).capitalize() + "." for _ in range(3)]
    kept: list[tuple[str, str, str]] = []

    def said(least: int, most: int) -> str:
        sentences = []
        left = dice.randrange(least, most)
        while left > 0:
            size = min(left, dice.randrange(4, 15))
            sentences.append(" ".join(language.draw(size)).capitalize() + dice.choice(".....?!"))
            left -= size
        return " ".join(sentences)

    for _ in range(count):
        system, question, answer = dice.choice(systems), said(12, 50), said(5, 40)
        draw = dice.random()
        if kept and draw < sum(DEFECTS.values()):
            new = (system, question, answer)
            system, question, answer = _defective(dice, draw, dice.choice(kept), new, language.words)
        elif dice.random() < 0.05:
            kept.append((system, question, answer))
        turns = zip(("system", "user", "assistant"), (system, question, answer))
        yield {"messages": [{"role": role, "content": text} for role, text in turns]}


def _defective(
    dice: random.Random, draw: float, old: tuple[str, str, str], new: tuple[str, str, str], words: list[str]
) -> tuple[str, str, str]:
    kind = next(kind for kind, end in zip(DEFECTS, itertools.accumulate(DEFECTS.values())) if draw < end)
    system, question, answer = old
    if kind == "copy":
        return old
    if kind == "near copy":
        parts = question.split(" ")
        parts[dice.randrange(len(parts))] = dice.choice(words)
        return system, " ".join(parts), answer
    if kind == "another answer":
        return system, question, new[2]
    if kind == "left open":
        return new[0], new[1], dice.choice(["TODO", "N/A", "..."])
    return new[0], f"{new[1]} Write to {dice.choice(words)}.{dice.choice(words)}@{dice.choice(words)}.net.", new[2]


def labelled(count: int) -> Iterator[dict[str, Any]]:
    """Questions of 50 classes, each with favourite words of its own, and the name of the class; 2% are wrong."""
    dice = random.Random(2)
    language = Language(dice)
    own = [dice.sample(language.words, 25) for _ in range(50)]
    for _ in range(count):
        label = dice.randrange(50)
        text = language.draw(dice.randrange(6, 14)) + dice.choices(own[label], k=4)
        dice.shuffle(text)
        shown = dice.randrange(50) if dice.random() < 0.02 else label
        yield {"prompt": " ".join(text) + "?", "completion": f"class_{own[shown][0]}"}


# ---------------------------------------------------------------------------------------------------- the check


def growth(file: Path, count: int, cores: int) -> dict[str, Any]:
    """The command on a file: wall and processor seconds, and the memory of all its processes."""
    tailor = str(Path(sys.executable).with_name("tailor"))
    command = [tailor, "check", str(file), "--json", "--timing", "--threads", str(cores)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peak = [0]
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(running.pid, peak, over))
    watch.start()
    out, _ = running.communicate()
    seconds = time.perf_counter() - began
    over.set()
    watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(out)
    assert report["rows"] == count, f"{report['rows']} rows were read"
    return {
        "rows": count,
        "bytes": file.stat().st_size,
        "cores": cores,
        "seconds": round(seconds, 2),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "peak_memory_bytes": peak[0],
        "counts": report["counts"],
        "load": round(os.getloadavg()[0], 1),
    }


def _watch(pid: int, peak: list[int], over: threading.Event) -> None:
    """The most that the process and those below it held together: their own pages, and shared ones by their share."""
    while not over.wait(0.25):
        peak[0] = max(peak[0], sum(_held(one) for one in (pid, *_below(pid))))


def _below(pid: int) -> list[int]:
    try:
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [one for child in children for one in _below(child)]


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


# ------------------------------------------------------------------------------------------------ near duplicates


def texts(count: int) -> list[str]:
    """What is compared: question and answer of a row, the shared system prompts left out, equal ones once."""
    found = (" ".join(turn["content"] for turn in row["messages"][1:]) for row in rows(count, seed=3))
    return list(dict.fromkeys(" ".join(text.casefold().split()) for text in found))


def near(count: int, permutations: int = 0) -> dict[str, Any]:
    """Search by tailor (0 permutations) or by datasketch; seconds, and recall of the pairs that comparing all gives."""
    from truths import exact_pairs

    wanted_file = environments.HOME / f"near-{count}.json"
    found_texts = texts(count)
    if not wanted_file.exists():
        wanted_file.parent.mkdir(exist_ok=True)
        wanted_file.write_text(json.dumps(sorted(exact_pairs([[text] for text in found_texts], 0.8))))
    wanted = {(a, b) for a, b in json.loads(wanted_file.read_text())}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps(found_texts))
        driver = BENCH / ("drive_datasketch.py" if permutations else "drive_near.py")
        python = environments.python("datasketch" if permutations else "tailor")
        command = [str(python), str(driver), str(file), str(permutations)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(done.stderr)
    answer = json.loads(done.stdout)
    got = {(min(pair), max(pair)) for pair in answer.pop("pairs")}
    right = len(wanted & got)
    figures = {"recall": round(right / max(1, len(wanted)), 4), "precision": round(right / max(1, len(got)), 4)}
    return {"rows": len(found_texts), "pairs": len(wanted), "permutations": permutations} | figures | answer


# ------------------------------------------------------------------------------------------------------- the page


def name(row: dict[str, Any]) -> str:
    """KIND/ROWS/VARIANT."""
    return f"{row['kind']}/{row['asked']}" + (f"/{row['variant']}" if row["variant"] else "")


def jobs(cores: int) -> Iterator[tuple[str, int, str]]:
    """(kind, rows, variant) of every measurement, the long ones last."""
    yield "near", NEAR, "tailor"
    for permutations in PERMUTATIONS:
        yield "near", NEAR, f"datasketch-{permutations}"
    yield "labels", LABELLED, ""
    for count in SIZES:
        yield "rows", count, ""


def measured(kind: str, count: int, variant: str, cores: int) -> dict[str, Any]:
    """One line of the data."""
    row: dict[str, Any] = {"kind": kind, "asked": count, "variant": variant}
    if kind == "near":
        row |= near(count, int(variant.partition("-")[2] or 0))
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{kind}.jsonl"
            made = labelled(count) if kind == "labels" else rows(count)
            with open(file, "w", encoding="utf-8") as out:
                out.writelines(json.dumps(one) + "\n" for one in made)
            row |= growth(file, count, cores)
    return row | {"date": date.today().isoformat()}


def read() -> list[dict[str, Any]]:
    """The newest line of every measurement."""
    lines = DATA.read_text(encoding="utf-8").splitlines() if DATA.exists() else []
    return list({name(row): row for row in map(json.loads, lines)}.values())


def write(found: list[dict[str, Any]]) -> None:
    """Writes the section."""
    grown = sorted((row for row in found if row["kind"] != "near"), key=lambda row: (row["kind"], row["rows"]))
    shares = ", ".join(f"{kind} {share:.1%}" for kind, share in DEFECTS.items())
    about = f"Made-up chat rows ({shares}), every rule but those that need a model, `check.py`. *load* is how many"
    about += " processes ran or waited for a core when it ended; above the number of cores, others were at work."
    page = [about, ""]
    page += [
        "| rows | bytes | cores | seconds | processor seconds | a row | peak memory | load |",
        "|---|" + "---|" * 7,
    ]
    for row in grown:
        what = f"{row['rows']:,}" + (" with labels: the label model too" if row["kind"] == "labels" else "")
        a_row = f"{1e6 * row['processor_seconds'] / row['rows']:.0f} µs"
        page.append(
            f"| {what} | {row['bytes'] / 1e6:.1f} MB | {row['cores']} | {row['seconds']:.1f} "
            f"| {row['processor_seconds']:.1f} | {a_row} | {row['peak_memory_bytes'] / 1e9:.2f} GB | {row['load']} |"
        )
    searches = [row for row in found if row["kind"] == "near"]
    own = next((row for row in searches if not row["permutations"]), None)
    if own is not None:
        about = f"Near duplicates among {own['rows']:,} texts, {own['pairs']:,} pairs at a Jaccard similarity of 0.8"
        page += ["", f"{about} (every pair compared), processor seconds of one core:", ""]
        page += ["| search | recall | precision | seconds | against tailor |", "|---|---|---|---|---|"]
        for row in sorted(searches, key=lambda row: row["permutations"]):
            what = (
                f"datasketch {row['version']}, {row['permutations']} permutations" if row["permutations"] else "tailor"
            )
            ratio = row["processor_seconds"] / own["processor_seconds"]
            figures = f"{row['recall']:.3f} | {row['precision']:.3f} | {row['processor_seconds']:.1f} | {ratio:.1f}x"
            page.append(f"| {what} | {figures} |")
    (BENCH / "check.md").write_text("\n".join(page) + "\n", encoding="utf-8")


def main() -> None:
    """Measures what is wanted and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="measurements whose name holds it")
    parser.add_argument("--again", action="append", default=[], metavar="TEXT", help="the same, measured or not")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="cores (default: all)")
    options = parser.parse_args()
    done = {name(row) for row in read()}
    if why := environments.make("datasketch"):
        print(f"datasketch: {why}")
    for kind, count, variant in jobs(options.workers):
        this = name({"kind": kind, "asked": count, "variant": variant})
        if any(text in this for text in options.again) or (this not in done and not options.again):
            if options.only and not any(text in this for text in options.only):
                continue
            row = measured(kind, count, variant, options.workers)
            with open(DATA, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            shown = {
                key: row[key] for key in ("seconds", "processor_seconds", "peak_memory_bytes", "recall") if key in row
            }
            print(this, shown, flush=True)
    write(read())


if __name__ == "__main__":
    main()
