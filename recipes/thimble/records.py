"""Sentences to strict JSON and back, tables, conversions, forms and tool calls: everything with a record in it."""

from __future__ import annotations

import json
from functools import cache

from documents import FREE, PLAIN, SURE, Doc
from episodes import joined, start, value, word
from intents import blocks, styled
from lexicon import Filled, World, lists
from shots import Pair, render

KINDS = lists("groups.txt")["kinds"]
FIELDS = {
    "person": "name",
    "rare_name": "contact",
    "town": "town",
    "date": "date",
    "price": "price",
    "code": "reference",
    "n": "quantity",
    "time": "time",
    "email": "email",
    "phone": "phone",
    "company": "company",
    "title": "title",
    "made_up": "project",
    "address": "address",
    "place_name": "venue",
    "profession": "job",
    "colour": "colour",
    "animal": "animal",
    "fruit": "fruit",
    "weekday": "day",
    "city": "city",
    "device": "device",
    "year": "year",
}


@cache
def frames() -> list[tuple[str, list[str]]]:
    return blocks("frames.txt")


def sentence(world: World, frame: tuple[str, list[str]] | None = None) -> tuple[str, Filled]:
    """A sentence of a frame with its slots; case and final mark vary, slot values stay as they stand in it."""
    name, phrasings = frame or world.rng.choice(frames())
    while True:
        filled = world.fill(world.rng.choice(phrasings))
        if len({key for key, _ in filled.slots}) == len(filled.slots) > 0:
            break
    text, slots = filled.text, filled.slots
    if world.chance(0.25):
        text, slots = text.lower(), tuple((key, val.lower()) for key, val in slots)
    elif world.chance(0.4) and not any(text.startswith(val) for _, val in slots):
        text = text[:1].upper() + text[1:]
    if world.chance(0.3):
        text += world.any(".", "?", " please", ".", " ")
    return name, Filled(text.strip(), tuple(slots))


def dump(obj: object) -> str:
    return json.dumps(obj, ensure_ascii=False)


def record_of(world: World, name: str, filled: Filled, shape: str, style: str, rename: dict[str, str]) -> dict:
    """The record an episode wants: flat slots or nested ones (a map, a list), with or without the intent."""
    slots = {rename.get(key, key): val for key, val in filled.slots}
    label = styled(name.replace("_", " "), style)
    if shape == "flat":
        return slots
    if shape == "flat_intent":
        return {rename["intent"]: label, **slots}
    if shape == "nested":
        return {rename["intent"]: label, rename["slots"]: slots}
    return {rename["intent"]: label, rename["slots"]: [{"name": key, "value": val} for key, val in slots.items()]}


def extract(world: World, d: float, form: str = "") -> Doc:
    """One house schema for the episode; the keys are told, or learned from the shots."""
    shape = world.any("flat", "flat", "flat_intent", "nested", "nested", "nested_list")
    style = world.any("snake", "lower", "camel", "title")
    rename = {
        "intent": world.any("intent", "type", "action", "task", word(world)),
        "slots": world.any("slots", "entities", "fields", "data", "values", word(world)),
    }
    if world.chance(0.3):
        style_of_keys = world.any("upper", "title", "camel")
        rename |= {
            key: styled(key.replace("_", " "), style_of_keys)
            for name, lines in frames()
            for line in lines
            for key in line.replace("{", "}").split("}")[1::2]
            for key in [key.split(":")[0]]
        }
    one_frame = world.rng.choice(frames()) if world.chance(0.5) else None
    count = world.rng.randint(1, 1 + int(3 * d))
    pairs: list[Pair] = []
    keys: list[str] = []
    for at in range(count):
        name, filled = sentence(world, one_frame)
        obj = record_of(world, name, filled, shape, style, rename)
        keys += [rename.get(key, key) for key, _ in filled.slots if rename.get(key, key) not in keys]
        pairs.append(Pair(filled.text, dump(obj), SURE if at or world.chance(0.8) else PLAIN, PLAIN * 0.5))
    told = ""
    if count == 1 or world.chance(0.6):
        told = world.any(
            "Extract {} as JSON.", "Answer as JSON with the keys {}.", "Return a JSON object. Keys: {}", "JSON keys: {}"
        )
        told = told.format(", ".join(([rename["intent"]] if shape != "flat" else []) + keys))
    return joined(render(world, pairs, told, form))


def spot(world: World, d: float) -> Doc:
    """One slot of a sentence asked by its name: the answer is a span."""
    _, filled = sentence(world)
    doc = start().turn("user", filled.text + world.any("\n", " ") + "", PLAIN * 0.5)
    doc.pieces.pop()
    slots = list(filled.slots)
    world.rng.shuffle(slots)
    for at, (key, val) in enumerate(slots[: 1 + int(3 * d)]):
        ask = world.any("What is the {}?", "{}?", "Give the {}.", "Which {} is named?", "Copy the {}.").format(
            key.replace("_", " ")
        )
        if at:
            doc.turn("user", ask, PLAIN)
        else:
            doc.add(ask + "<|end|>")
        doc.turn("assistant", val, SURE)
    return doc


def rows_of(world: World, d: float) -> tuple[list[str], list[list[str]]]:
    """A table: column names and rows of made-up values."""
    kinds = world.rng.sample(KINDS, world.rng.randint(2, 2 + int(3 * d)))
    rows = [
        [getattr(world, kind)() if hasattr(world, kind) else world.of(kind) for kind in kinds]
        for _ in range(world.rng.randint(2, 3 + int(6 * d)))
    ]
    return [FIELDS[kind] for kind in kinds], rows


def csv_cell(cell: str) -> str:
    return f'"{cell}"' if "," in cell else cell


def as_text(columns: list[str], rows: list[list[str]], form: str) -> str:
    """The same table as CSV, markdown, JSON lines, a JSON list or key-value lines."""
    if form == "csv":
        return "\n".join(",".join(csv_cell(cell) for cell in row) for row in [columns, *rows])
    if form == "markdown":
        return "\n".join("| " + " | ".join(row) + " |" for row in [columns, ["---"] * len(columns), *rows])
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    if form == "jsonl":
        return "\n".join(dump(one) for one in objects)
    if form == "json":
        return dump(objects)
    return "\n\n".join("\n".join(f"{key}: {val}" for key, val in one.items()) for one in objects)


def convert(world: World, d: float) -> Doc:
    """One table form into another."""
    columns, rows = rows_of(world, d * 0.5)
    source, target = world.rng.sample(["csv", "markdown", "jsonl", "json", "lines"], 2)
    named = {
        "csv": "CSV",
        "markdown": "a markdown table",
        "jsonl": "JSON lines",
        "json": "a JSON list",
        "lines": "key-value lines",
    }
    doc = start().add("<|user|>").add(world.any(f"Convert to {named[target]}:\n", f"Write this as {named[target]}.\n"))
    return (
        doc.free(as_text(columns, rows, source))
        .add("<|end|><|assistant|>")
        .sure(as_text(columns, rows, target) + "<|end|>")
    )


def find_row(world: World, d: float) -> Doc:
    """A table, then questions on its cells."""
    columns, rows = rows_of(world, d)
    form = world.any("csv", "markdown", "jsonl", "lines", "json")
    doc = start().add("<|user|>").free(as_text(columns, rows, form)).add("<|end|>", 0.0)
    for at in range(world.rng.randint(1, 2 + int(3 * d))):
        row = world.rng.choice(rows)
        key, wanted = world.rng.sample(range(len(columns)), 2)
        if [one[key] for one in rows].count(row[key]) > 1:
            continue
        ask = world.any(
            f"What is the {columns[wanted]} of {row[key]}?",
            f"{columns[wanted]} where {columns[key]} is {row[key]}?",
            f"Find {row[key]}: {columns[wanted]}?",
        )
        doc.turn("user", ask, FREE) if at else doc.add("<|user|>").free(ask).add("<|end|>")
        doc.turn("assistant", row[wanted], SURE)
    return doc


def form_fill(world: World, d: float) -> Doc:
    """A note and a form to complete with what the note says."""
    kinds = world.rng.sample(KINDS, world.rng.randint(2, 3 + int(4 * d)))
    entries = [(FIELDS[kind], getattr(world, kind)() if hasattr(world, kind) else world.of(kind)) for kind in kinds]
    says = [
        world.any(
            f"The {key} is {val}.",
            f"{val} is the {key}.",
            f"{key.title()}: {val}.",
            f"We noted {val} as the {key}.",
            f"For the {key} they gave {val}.",
        )
        for key, val in entries
    ]
    world.rng.shuffle(says)
    order = entries[:]
    world.rng.shuffle(order)
    mark = world.any(": ", " = ", " - ", "..... ")
    doc = start()
    chat = world.chance(0.6)
    doc.add("<|user|>" if chat else "").free(" ".join(says)).add(
        "\n"
        + world.any("Fill in the form:\n", "Form:\n", "Complete:\n")
        + "\n".join(f"{key}{mark.rstrip()}" for key, _ in order)
    )
    doc.add("<|end|><|assistant|>" if chat else "\n\n")
    for at, (key, val) in enumerate(order):
        doc.sure(f"{key}{mark}{val}" + ("" if at + 1 == len(order) else "\n"))
    return doc.sure("<|end|>" if chat else "\n")


def tool_call(world: World, d: float) -> Doc:
    """Tools declared in the system turn, a request, one JSON call, its result, an answer."""
    frame = world.rng.choice(frames())
    name, filled = sentence(world, frame)
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"type": "object", "properties": {key: {"type": "string"} for key, _ in filled.slots}},
            },
        }
    ]
    doc = start().turn("system", dump(tools), PLAIN * 0.5).turn("user", filled.text, PLAIN * 0.5)
    doc.turn("assistant", dump({"name": name, "arguments": dict(filled.slots)}), SURE)
    outcome, extra = world.any("ok", "done", "failed"), value(world, d)
    doc.turn("tool", dump({"status": outcome, "note": extra}), FREE)
    return doc.turn("assistant", world.any(f"The status is {outcome}: {extra}.", f"{outcome.title()}. {extra}"), 0.7)


def json_text(world: World, d: float) -> Doc:
    """Free JSON, nested, with escapes: how brackets close."""

    def node(depth: int) -> object:
        kind = world.rng.random()
        if depth and kind < 0.3:
            return {word(world).replace(" ", "_"): node(depth - 1) for _ in range(world.rng.randint(1, 3))}
        if depth and kind < 0.45:
            return [node(depth - 1) for _ in range(world.rng.randint(1, 3))]
        return world.any(
            world.rng.randint(0, 999),
            True,
            False,
            None,
            value(world, d),
            f'he said "{word(world)}"',
            word(world),
            f"{word(world)}\n{word(world)}",
            float(world.amount()),
        )

    obj = {word(world).replace(" ", "_"): node(2) for _ in range(world.rng.randint(1, 4))}
    doc = start()
    if world.chance(0.5):
        pretty = json.dumps(obj, ensure_ascii=False, indent=2)
        first, second = (pretty, dump(obj)) if world.chance(0.5) else (dump(obj), pretty)
        return (
            doc.add("<|user|>")
            .add("Rewrite on one line:\n" if first == pretty else "Indent:\n")
            .add(first, 0.25)
            .add("<|end|><|assistant|>")
            .sure(second + "<|end|>")
        )
    return doc.add(dump(obj) + "\n", 0.3)
