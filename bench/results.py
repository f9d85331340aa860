"""From raw measurements to `results.json`, `RESULTS.md` and `results.svg`. Only the standard library is used here.

A figure is the median over a row's repeats. Speeds are of the measured steps, from the end of one optimiser step to the
end of the last: data, forward, backward, clipping and update. Memory is the most that the whole process ever held.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import chart
from works import SHAPES, WORKS, rows, sequences, useful_flops

Row = dict[str, Any]
BENCH = Path(__file__).resolve().parent
RAW = BENCH / "raw.jsonl"
EPOCHS = 3  # reference log-probs that are taken once are charged to this many passes over the data
KEYS = ("logical_tokens_per_second", "physical_tokens_per_second", "pairs_per_second", "peak_memory_bytes")
PAGES = (  # each made from a data file of its own
    ("Loss curves", "curves.md"),
    ("The cost of growth", "growth.md"),
    ("What `tailor check` finds", "defects.md"),
    ("What `tailor check` costs", "check.md"),
)
ORDER = ["tailor default", "tailor reference", "trl default", "trl tuned", "ms-swift default", "ms-swift tuned"]


def read(path: Path) -> list[Row]:
    """Every raw row, the newest of each name and repeat; a failed row gives way to any that worked."""
    newest: dict[tuple[str, int, bool], Row] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            key = (name(row), row["repeat"], row["quick"])
            if not row.get("error") or newest.get(key, row).get("error"):
                newest[key] = row
    return list(newest.values())


def name(row: Row) -> str:
    """SHAPE/WORK/SYSTEM/MODE."""
    return "/".join(row[key] for key in ("shape", "work", "system", "mode"))


# --------------------------------------------------------------------------------------------------- figures


def figures(row: Row, peak: float) -> dict[str, float]:
    """The figures of one raw row."""
    work, shape = WORKS[row["work"]], SHAPES[row["shape"]]
    steps = row["warmup"] + row["timed"]
    measured = list(rows(work, row["batch"] * steps))[row["batch"] * row["warmup"] :]
    share = row["timed"] / steps / EPOCHS  # of a reference pass that was made once for all rows
    seconds = row["seconds"] + (row["cached_seconds"] * share if work.pairs else 0.0)
    reference = row["reference_tokens"] + row["cached_tokens"] * share if work.pairs else 0.0
    logical = sum(part.prefix + part.own for item in measured for part in sequences(work, item))
    flops = useful_flops(shape, work, measured, row["tokens"], reference, row["rank"])
    return {
        "logical_tokens_per_second": logical / seconds,
        "physical_tokens_per_second": row["tokens"] / seconds,
        "pairs_per_second": len(measured) / seconds if work.pairs else 0.0,
        "peak_memory_bytes": row["peak_memory_bytes"],
        "share_of_peak": flops / seconds / peak,
    }


def brief(row: Row) -> str:
    """A raw row in a line."""
    if row.get("error"):
        return row["error"]
    found = figures(row, row["flops"])
    speed = f"{found['logical_tokens_per_second']:,.0f} logical tokens/s, {found['share_of_peak']:.0%} of the peak"
    memory = f"{found['peak_memory_bytes'] / 1e9:.1f} GB"
    return f"{speed}, {memory}, first loss {row['losses'][0]:.4f}, {row['process_seconds']:.0f} s in all"


def summary(raw: Sequence[Row]) -> list[Row]:
    """The rows of `results.json`, and those of other modes, in the order of the tables."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in raw:
        if not row.get("error"):
            groups[name(row)].append(row)
    found = []
    for group in groups.values():
        each = [figures(row, row["flops"]) for row in group]
        middle = {key: median(item[key] for item in each) for key in each[0]}
        newest = max(group, key=lambda row: row["date"])
        found.append(
            {key: newest[key] for key in ("work", "shape", "system", "mode")}
            | {key: round(middle[key], 3) for key in KEYS}
            | {"pairs_per_second": round(middle["pairs_per_second"], 4) if WORKS[newest["work"]].pairs else None}
            | {"peak_memory_bytes": round(middle["peak_memory_bytes"])}
            | {"share_of_peak": round(middle["share_of_peak"], 4)}
            | {key: newest[key] for key in ("versions", "device", "date")}
        )
    return sorted(found, key=_place)


def devices(raw: Iterable[Row]) -> list[str]:
    """The devices that rows were measured on."""
    return sorted({row["device"] for row in raw if "device" in row})


def _place(row: Row) -> tuple[int, int, int]:
    shapes, works = list(SHAPES), list(WORKS)
    return shapes.index(row["shape"]), works.index(row["work"]), ORDER.index(f"{row['system']} {row['mode']}")


# --------------------------------------------------------------------------------------------------- targets

Find = Callable[[str, str, str, str], Row]


def _faster(shape: str, work: str, key: str, peer: str, mode: str) -> Callable[[Find], float]:
    def ratio(find: Find) -> float:
        return find(shape, work, "tailor", "default")[key] / find(shape, work, peer, mode)[key]

    return ratio


TOKENS, PAIRS = "logical_tokens_per_second", "pairs_per_second"
TARGETS: list[tuple[str, float, float, str, Callable[[Find], float]]] = [
    *(
        (f"{text}: tokens/s against TRL {said}", least, wanted, "x", _faster(shape, work, TOKENS, "trl", mode))
        for text, shape, work, aims in (
            ("shared system prompt, 0.6B", "qwen3-0.6b", "sft-shared", ((8, 10), (3, 4))),
            ("nothing shared, 0.6B", "qwen3-0.6b", "sft-plain", ((4, 5), (1.8, 2.5))),
            ("short rows, 50M", "50m", "sft-short", ((6, 8), (3, 4))),
        )
        for (least, wanted), mode, said in zip(aims, ("default", "tuned"), ("as it comes", "tuned"))
    ),
    ("DPO, 50M: pairs/s against TRL as it comes", 10, 12, "x", _faster("50m", "dpo", PAIRS, "trl", "default")),
    ("DPO, 50M: pairs/s against TRL tuned", 5, 6, "x", _faster("50m", "dpo", PAIRS, "trl", "tuned")),
    ("DPO, 50M: pairs/s against ms-swift tuned", 2, 3, "x", _faster("50m", "dpo", PAIRS, "ms-swift", "tuned")),
    (
        "shared system prompt, 0.6B: peak memory of TRL as it comes",
        0.4,
        1 / 3,
        "at most",
        _faster("qwen3-0.6b", "sft-shared", "peak_memory_bytes", "trl", "default"),
    ),
    (
        "shared system prompt, 0.6B: share of the GEMM peak",
        0.52,
        0.65,
        "share",
        lambda find: find("qwen3-0.6b", "sft-shared", "tailor", "default")["share_of_peak"],
    ),
]


def targets(found: Sequence[Row]) -> list[str]:
    """The lines of the table of targets; a line whose rows are missing says so."""
    by_name = {name(row): row for row in found}
    lines = ["| | at least | wanted | measured |", "|---|---|---|---|"]
    for text, least, wanted, kind, value in TARGETS:
        shown = (lambda x: f"{x:.1f}x") if kind == "x" else (lambda x: f"{x:.0%}")
        try:
            measured = value(lambda *key: by_name["/".join(key)])
        except KeyError:
            lines.append(f"| {text} | {shown(least)} | {shown(wanted)} | not measured |")
            continue
        sign = -1 if kind == "at most" else 1
        mark = (
            "**wanted**" if sign * measured >= sign * wanted else "met" if sign * measured >= sign * least else "missed"
        )
        lines.append(f"| {text} | {shown(least)} | {shown(wanted)} | {shown(measured)}, {mark} |")
    return lines


# -------------------------------------------------------------------------------------------------- the page


def report() -> None:
    """Writes the results of the full passes again."""
    write(BENCH, read(RAW), quick=False)


def write(folder: Path, raw: Sequence[Row], *, quick: bool) -> None:
    """Writes the three files into `folder` from the rows of full passes, or of quick ones."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [row for row in raw if row["quick"] == quick]
    found = summary(chosen)
    listed = [row for row in found if row["mode"] in ("default", "tuned")]
    (folder / "results.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    (folder / "results.svg").write_text(chart.bars(_bars(found)), encoding="utf-8")
    (folder / "RESULTS.md").write_text("\n".join(_page(chosen, found, quick)) + "\n", encoding="utf-8")


def _bars(found: Sequence[Row]) -> list[tuple[str, list[tuple[str, float]]]]:
    """For each work and shape the logical tokens a second of every system."""
    groups: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in found:
        label = f"{row['system']} {row['mode']}"
        groups[f"{row['work']}, {row['shape']}"].append((label, row["logical_tokens_per_second"]))
    return list(groups.items())


def _page(raw: Sequence[Row], found: Sequence[Row], quick: bool) -> list[str]:
    lines = ["# Benchmark", ""]
    if quick:
        lines += ["**A quick pass: one short repeat of a part of the rows. `make bench` runs the whole.**", ""]
    repeats = {row["repeat"] for row in raw}
    dates = sorted({row["date"] for row in found})
    lines += [
        f"Measured {' to '.join(dict.fromkeys((dates or ['never'])[:1] + dates[-1:]))}; medians of {len(repeats)} "
        "interleaved repeats, every repeat a process of its own. `README.md` says what each row is.",
        "",
    ]
    for device in devices(raw):
        peaks = [row["flops"] / 1e12 for row in raw if row.get("device") == device]
        lines.append(f"- {device}: bf16 GEMM peak {min(peaks):.3g} to {max(peaks):.3g} TFLOP/s, measured with each row")
    for system in dict.fromkeys(row["system"] for row in found):
        held = next(row["versions"] for row in reversed(found) if row["system"] == system)
        lines.append(f"- {system}: " + ", ".join(f"{package} {version}" for package, version in held.items()))
    lines += ["", "![Logical tokens a second](results.svg)", "", "## Targets", "", *targets(found), "", *_tables(found)]
    lines += _failures(raw)
    for title, file in PAGES:
        if (BENCH / file).exists():
            lines += [f"## {title}", "", (BENCH / file).read_text(encoding="utf-8").strip(), ""]
    return lines


def _tables(found: Sequence[Row]) -> list[str]:
    lines = []
    for shape in dict.fromkeys(row["shape"] for row in found):
        lines += [f"## {shape}", ""]
        lines.append("| work | system | logical tokens/s | physical tokens/s | pairs/s | peak memory | share of peak |")
        lines.append("|---|---|---|---|---|---|---|")
        for row in (row for row in found if row["shape"] == shape):
            pairs = "" if row["pairs_per_second"] is None else f"{row['pairs_per_second']:.2f}"
            lines.append(
                f"| {row['work']} | {row['system']} {row['mode']} | {row['logical_tokens_per_second']:,.0f} "
                f"| {row['physical_tokens_per_second']:,.0f} | {pairs} | {row['peak_memory_bytes'] / 1e9:.1f} GB "
                f"| {row['share_of_peak']:.0%} |"
            )
        lines.append("")
    return lines


def _failures(raw: Sequence[Row]) -> list[str]:
    failed = {name(row): row["error"].replace("\n", " ") for row in raw if row.get("error")}
    worked = {name(row) for row in raw if not row.get("error")}
    lines = [f"- {row}: {error}" for row, error in failed.items() if row not in worked]
    return ["## What could not run", "", *lines, ""] if lines else []
