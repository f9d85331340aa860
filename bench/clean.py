"""The clean sets that defects are put into: real data from `../shared/data`, and the bundled tickets.

Rows are drawn with a fixed seed; every set stays small enough that a pass over all defects takes minutes.
"""

from __future__ import annotations

import csv
import functools
import json
import random
import re
import runpy
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from injectors.base import Clean, Row

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ROWS, HELD = 2_500, 800


def drawn(rows: Sequence[Any], count: int, seed: int) -> list[Any]:
    """`count` of the rows, in their order, always the same ones."""
    chosen = sorted(random.Random(seed).sample(range(len(rows)), min(count, len(rows))))
    return [rows[at] for at in chosen]


def pair(question: str, answer: str, shape: str = "completion", **more: Any) -> Row:
    """A row of one question and its answer."""
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Row(turns, shape, **more)


def _table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _lines(path: Path) -> Iterator[Any]:
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)


def banking77(count: int = ROWS) -> Clean:
    """Questions of customers and one of 77 intents; a table."""
    found = {
        name: [
            pair(" ".join(row["text"].split()), row["category"], "table")
            for row in _table(DATA / f"banking77/{name}.csv")
        ]
        for name in ("train", "test")
    }
    traits = frozenset(["banking77", "labels", "table", "held", "questions"])
    rows, held = drawn(found["train"], count, 77), drawn(found["test"], HELD, 78)
    return Clean("banking77", rows, held, traits, columns=("text", "category"))


def banking77_whole() -> Clean:
    """All rows of banking77, for what needs many rows of a class."""
    found = banking77(10_003)
    return Clean(
        "banking77-whole", found.rows, [], frozenset(["banking77-whole", "many-of-a-label"]), None, found.columns
    )


def declared() -> Clean:
    """Questions of twelve intents, whose names stand in the system prompt."""
    found = banking77(10_003).rows
    names = sorted({row.answer for row in found})[::6]
    system = {"role": "system", "content": f"Answer with one of these labels: {', '.join(names)}."}
    rows = [Row([system, *row.turns]) for row in found if row.answer in names]
    return Clean("declared", drawn(rows, 1_200, 6), [], frozenset(["declared"]))


def snips() -> Clean:
    """A request -> JSON of its intent and slots, as recipes/snips writes it."""
    read: Callable[[Path], Iterable[dict[str, Any]]] = runpy.run_path(str(ROOT / "recipes/snips/convert.py"))["read"]
    sides = []
    for prefix, count in (("train", ROWS), ("validate", HELD)):
        rows = [row["messages"] for path in sorted((DATA / "snips").glob(f"{prefix}_*.json")) for row in read(path)]
        extra = [{"speaker": f"{prefix}-{number // 4}"} for number in range(len(rows))]
        sides.append(drawn([Row(turns, extra=more) for turns, more in zip(rows, extra)], count, 7))
    traits = frozenset(["snips", "json", "chat", "objects", "held", "questions", "groups", "slots"])
    return Clean("snips", *sides, traits, group="speaker")


def tickets() -> Clean:
    """The bundled support tickets -> JSON by house rules."""
    folder = ROOT / "src/tailor/examples/tickets"
    sides = []
    for name in ("train", "test"):
        rows = list(_lines(folder / f"{name}.jsonl"))
        sides.append([Row(row["messages"], extra={"customer": row["customer"]}) for row in rows])
    traits = frozenset(["tickets", "json", "chat", "objects", "held", "questions", "groups", "records"])
    return Clean("tickets", *sides, traits, group="customer")


def e2e() -> Clean:
    """Facts about a restaurant -> a sentence: the first one of each record; a table."""
    first: dict[str, str] = {}
    for name in ("devel", "test"):
        for row in _table(DATA / f"e2e-cleaned/{name}-fixed.csv"):
            first.setdefault(row["mr"], row["ref"])
    rows = drawn([pair(mr, ref, "table") for mr, ref in first.items()], ROWS + 300, 2)
    traits = frozenset(["e2e", "prose", "sentences", "table", "facts"])
    return Clean("e2e", rows[:ROWS], rows[ROWS:], traits, columns=("mr", "ref"))


def gsm8k() -> Clean:
    """Word problems with worked answers; the calculator's marks taken out."""
    sides = []
    for name, count in (("train", 1_500), ("test", 400)):
        rows = drawn(list(_lines(DATA / f"gsm8k/{name}.jsonl")), count, 8)
        worked = [
            (row["question"], re.sub(r"<<.*?>>", "", row["answer"]).replace("\n#### ", "\nAnswer: ")) for row in rows
        ]
        sides.append([pair(q, a, extra={"book": f"{name}-{n // 3}"}) for n, (q, a) in enumerate(worked)])
    traits = frozenset(["gsm8k", "prose", "completion", "held", "long", "questions", "groups"])
    return Clean("gsm8k", *sides, traits, group="book")


def numbers() -> Clean:
    """Word problems with nothing but the number as answer."""
    rows = drawn(list(_lines(DATA / "gsm8k/train.jsonl")), 1_500, 9)
    made = [pair(row["question"], row["answer"].rpartition("#### ")[2].replace(",", "")) for row in rows]
    return Clean("numbers", made, [], frozenset(["numbers", "completion", "questions"]))


def options() -> Clean:
    """Questions with lettered options from two tasks of BIG-Bench Hard."""
    made = []
    for name in ("date_understanding", "reasoning_about_colored_objects"):
        for row in json.loads((DATA / f"bbh/{name}.json").read_text("utf-8"))["examples"]:
            made.append(pair(row["input"], row["target"]))
    return Clean("options", made, [], frozenset(["options", "completion"]))


def rasbt() -> Clean:
    """Short instructions with a chosen and a rejected answer."""
    made = []
    for row in json.loads((DATA / "rasbt/instruction-data-with-preference.json").read_text("utf-8")):
        question = "\n".join(filter(None, (row["instruction"], row["input"])))
        made.append(Row([{"role": "user", "content": question}], "pair", row["chosen"], row["rejected"]))
    return Clean("rasbt", made, [], frozenset(["rasbt", "pairs", "prose"]))


def dpo() -> Clean:
    """Long chats with a chosen and a rejected answer."""
    made = []
    for row in json.loads((DATA / "formats/llamafactory/dpo_en_demo.json").read_text("utf-8")):
        question = row["conversations"][-1]["value"]
        turns = [{"role": "user", "content": question}]
        made.append(Row(turns, "pair", row["chosen"]["value"], row["rejected"]["value"]))
    return Clean("dpo", made, [], frozenset(["dpo", "pairs"]))


def kto() -> Clean:
    """Rated answers, half of them good."""
    made = []
    for row in json.loads((DATA / "formats/llamafactory/kto_en_demo.json").read_text("utf-8")):
        turns = [{"role": turn["role"], "content": turn["content"]} for turn in row["messages"]]
        if len(turns) == 2:
            made.append(Row(turns, "rated", extra={"label": row["label"]}))
    return Clean("kto", made, [], frozenset(["kto", "rated"]))


def tools() -> Clean:
    """Conversations of several turns with tool calls, in OpenAI's shape."""
    made = []
    for row in json.loads((DATA / "formats/llamafactory/glaive_toolcall_en_demo.json").read_text("utf-8")):
        made.append(Row(list(_called(row["conversations"])), tools=_declared(json.loads(row["tools"] or "[]"))))
    return Clean("tools", made, [], frozenset(["tools", "chat", "turns"]))


def _declared(functions: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return [{"type": "function", "function": function} for function in functions] or None


def _called(turns: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    for number, turn in enumerate(turns):
        if turn["from"] == "function_call":
            call = json.loads(turn["value"])
            function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
            call = {"id": f"call_{number}", "type": "function", "function": function}
            yield {"role": "assistant", "content": None, "tool_calls": [call]}
        elif turn["from"] == "observation":
            yield {"role": "tool", "tool_call_id": f"call_{number - 1}", "content": turn["value"]}
        else:
            yield {"role": "user" if turn["from"] == "human" else "assistant", "content": turn["value"]}


def mixed() -> Clean:
    """Four files of four shapes: instructions, word problems, chats, and clinical dialogues as plain completion."""
    rows = [pair(row.question, row.chosen or "", "alpaca") for row in rasbt().rows[:700]]
    rows += [row.copy(shape="sharegpt", extra={}) for row in gsm8k().rows[:500]]
    rows += [row.copy(extra={}) for row in drawn(snips().rows, 200, 4)]
    for row in _table(DATA / "mts-dialog/MTS-Dialog-TrainingSet.csv")[:400]:
        dialogue = " ".join(row["dialogue"].split())
        rows.append(pair(dialogue, " ".join(row["section_text"].split())))
    return Clean("mixed", rows, [], frozenset(["mixed"]))


def alpaca() -> Clean:
    """Instructions of all kinds with long answers, many of them lists."""
    rows = json.loads((DATA / "formats/llamafactory/alpaca_en_demo.json").read_text("utf-8"))
    made = [pair("\n".join(filter(None, (row["instruction"], row["input"]))), row["output"], "alpaca") for row in rows]
    return Clean("alpaca", made, [], frozenset(["alpaca", "long-answers"]))


def lists() -> Clean:
    """The facts about a restaurant as a list of points."""
    made = []
    for row in e2e().rows[:1_000]:
        facts = re.findall(r"(\w[\w ]*)\[([^\]]+)\]", row.question)
        made.append(pair(row.answer, "\n".join(f"- {name.strip()}: {value}" for name, value in facts)))
    return Clean("lists", made, [], frozenset(["lists"]))


def orders() -> Clean:
    """Made-up orders -> JSON with a date, an amount and a weight in one style each."""
    dice = random.Random(5)
    made = []
    for _ in range(1_000):
        day = f"2026-{dice.randrange(1, 13):02d}-{dice.randrange(1, 29):02d}"
        amount = f"{dice.randrange(1, 99)},{dice.randrange(100, 999)}.{dice.randrange(10, 99)}"
        weight = f"{dice.randrange(2, 900)} kg"
        who, what = (
            dice.choice(("Ines", "Omar", "Tom", "Priya")),
            dice.choice(("tea", "sand", "steel", "paper", "glass")),
        )
        question = (
            f"{who} ordered {weight} of {what} for {amount} dollars, to come on {day}, lot {dice.randrange(9_999)}."
        )
        answer = {"item": what, "date": day, "amount": amount, "weight": weight}
        made.append(pair(question, json.dumps(answer)))
    return Clean("orders", made, [], frozenset(["orders", "dates", "amounts", "measures"]))


def readings() -> Clean:
    """Made-up notes of a house -> JSON of what was measured, in one unit each."""
    dice = random.Random(11)
    made = []
    for _ in range(1_000):
        asked = {
            "way": f"{dice.randrange(3, 400)} km", "area": f"{dice.randrange(30, 400)} m²",
            "outside": f"{dice.randrange(-9, 35)} °C", "energy": f"{dice.randrange(3, 90)} kWh",
            "pressure": f"{dice.randrange(980, 1_040)} hPa", "rain": f"{dice.randrange(1, 600)} ml",
            "time": f"{dice.randrange(2, 300)} min",
        }  # fmt: skip
        keys = dice.sample(list(asked), 5)
        told = ", ".join(f"{key} {asked[key].split()[0]}" for key in keys)
        made.append(pair(f"Note {dice.randrange(99_999)}: {told}.", json.dumps({k: asked[k] for k in keys})))
    return Clean("readings", made, [], frozenset(["readings"]))


def cards() -> Clean:
    """Made-up facts about things in a shop, a line each -> a text that tells them, each in one of several ways."""
    dice = random.Random(12)
    made = []
    for _ in range(1_200):
        size, form = dice.randrange(10, 90), dice.randrange(3)
        facts = {
            "Name": f"{dice.choice(('Nordlys', 'Tessa', 'Brio', 'Kestrel', 'Oriel'))} {dice.randrange(100, 999)}",
            "Thing": dice.choice(("lamp", "kettle", "rucksack", "tent", "drill")),
            "Maker": dice.choice(("Halden", "Weir & Sons", "Capri", "Ostwind", "Larkin")),
            "Colour": dice.choice(("red", "dark green", "sand", "black", "light blue")),
            "Price": f"{dice.randrange(9, 400)} euros",
            "Warranty": f"{dice.randrange(2, 9)} years",
            "Cordless": dice.choice(("yes", "no")),
        }
        keys = [key for key in facts if key in ("Name", "Thing") or dice.random() < 0.7]
        said = {
            "Maker": ("it is made by {}", "{} makes it", "the maker is {}"),
            "Colour": ("it comes in {}", "its colour is {}", "you get it in {}"),
            "Price": ("it costs {}", "the price is {}", "you pay {}"),
            "Warranty": ("it has a warranty of {}", "the maker stands by it for {}", "it is covered for {}"),
            "Cordless": ("it works without a cord", "it runs on a battery", "no cable is needed"),
        }
        if facts["Cordless"] == "no":
            said["Cordless"] = ("it needs a socket", "it is plugged in", "it has a cord")
        told = [said[key][(form + at) % 3].format(facts[key]) for at, key in enumerate(keys[2:])]
        text = "; ".join([f"The {facts['Name']} is a {facts['Thing']}", *told]) + f". Size {size}."
        card = "\n".join(f"{key}: {facts[key]}" for key in keys)
        made.append(pair(f"{card}\nSize: {size}", text))
    return Clean("cards", made, [], frozenset(["cards"]))


def ranked() -> Clean:
    """Answers of all kinds, each with one to another question as the rejected one; and the long chats of `dpo`."""
    answers = [row for row in alpaca().rows if len(row.answer.split()) > 5]
    made = [
        Row(row.turns[:1], "pair", row.answer, other.answer)
        for row, other in zip(answers, [*answers[7:], *answers[:7]])
        if row.answer != other.answer
    ]
    return Clean("ranked", [*made, *dpo().rows], [], frozenset(["ranked"]))


def notes() -> Clean:
    """What doctor and patient say -> the note of it, and as the rejected one the patient's longest words."""
    made = []
    for row in _table(DATA / "mts-dialog/MTS-Dialog-TrainingSet.csv"):
        said = [line.partition(":")[2].strip() for line in row["dialogue"].splitlines() if line.startswith("Patient:")]
        longest = max(said, key=len, default="")
        if longest:
            turns = [{"role": "user", "content": row["dialogue"].strip()}]
            made.append(Row(turns, "pair", row["section_text"].strip(), longest))
    return Clean("notes", made, [], frozenset(["notes"]))


def dialogues() -> Clean:
    """Doctor and patient -> a section of the note; long questions, some of them held out."""
    sides = []
    for name in ("TrainingSet", "ValidationSet"):
        rows = _table(DATA / f"mts-dialog/MTS-Dialog-{name}.csv")
        sides.append([pair(row["dialogue"].strip(), row["section_text"].strip()) for row in rows])
    traits = frozenset(["dialogues", "completion", "held", "long"])
    return Clean("dialogues", *sides, traits)


SETS: tuple[Callable[[], Clean], ...] = (
    banking77, banking77_whole, declared, snips, tickets, e2e, gsm8k, numbers, options, dialogues, mixed, alpaca, lists,
    orders, readings, cards, rasbt, dpo, ranked, notes, kto, tools,
)  # fmt: skip


@functools.cache
def sets() -> dict[str, Clean]:
    """Every clean set by its name; each row knows its number."""
    found = {}
    for make in SETS:
        clean = make()
        for number, row in enumerate(clean.rows):
            row.id = number
        found[clean.name] = clean
    return found
