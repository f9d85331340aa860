"""k examples of a mapping and then more of it: one shape for all in-context episodes, in plain and chat forms."""

from __future__ import annotations

from dataclasses import dataclass

from documents import PLAIN, SURE, Doc
from lexicon import World

PLAIN_FORMS = [
    ("", " -> ", "\n"),
    ("", ": ", "\n"),
    ("Q: ", "\nA: ", "\n\n"),
    ("Input: ", "\nOutput: ", "\n\n"),
    ("", " => ", "\n"),
    ("in: ", " out: ", "\n"),
    ("Text: ", "\nLabel: ", "\n\n"),
    ("", " = ", "\n"),
    ("- ", " | ", "\n"),
    ("Example: ", "\nAnswer: ", "\n"),
]


@dataclass(frozen=True)
class Pair:
    """One example: ``weight`` says how far its output is determined by what stands before."""

    given: str
    wanted: str
    weight: float
    input_weight: float = PLAIN * 0.6


def render(world: World, pairs: list[Pair], instruction: str = "", form: str = "") -> Doc:
    """The pairs in a random form; the last is the query in the forms that set it apart."""
    form = form or world.any("plain", "plain", "chat", "chat", "chat", "prompt", "system")
    doc = Doc()
    if form == "plain":
        before, between, after = world.rng.choice(PLAIN_FORMS)
        if instruction:
            doc.add(instruction + "\n")
        for pair in pairs:
            doc.add(before, SURE).add(pair.given, pair.input_weight).sure(between).add(pair.wanted, pair.weight).sure(
                after
            )
        return doc
    if form == "chat":
        if instruction:
            doc.turn("system", instruction)
        for pair in pairs:
            doc.turn("user", pair.given, pair.input_weight).turn("assistant", pair.wanted, pair.weight)
        return doc
    before, between, after = world.rng.choice(PLAIN_FORMS)
    doc.add("<|system|>" if form == "system" else "<|user|>")
    if instruction:
        doc.add(instruction + "\n")
    for pair in pairs[:-1]:
        doc.add(before).add(pair.given, pair.input_weight).add(between).add(pair.wanted, pair.weight).add(after)
    query = pairs[-1]
    if form == "system":
        doc.add("<|end|><|user|>").add(query.given, query.input_weight)
    else:
        doc.add(before).add(query.given, query.input_weight).add(between.rstrip())
    return doc.add("<|end|><|assistant|>").add(query.wanted, query.weight).add("<|end|>", SURE)
