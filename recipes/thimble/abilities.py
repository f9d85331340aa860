"""What thimble can do, as held-out cases: a prompt and the one right answer, for each ability of the card.

A greedy answer is right exactly when every token of it is the model's first choice after the right prefix, so the
scores here come from one forward pass over prompt and answer; no text needs to be generated.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

import episodes
import labels
import numpy as np
import prose
import records
import torch
from documents import END, Doc
from episodes import TRANSFORMS, codes, pick_classes, start, word
from lexicon import World
from model import Thimble
from tokenizers import Tokenizer

HELD_OUT = "held-out"


@dataclass(frozen=True)
class Case:
    """A rendered prompt that ends in ``<|assistant|>``, and the answer without its end token."""

    prompt: str
    answer: str


def last_turn(doc: Doc) -> Case:
    """The last assistant turn of a chat document as a case."""
    prompt, _, answer = doc.text.rpartition("<|assistant|>")
    return Case(prompt + "<|assistant|>", answer.removesuffix(END))


def chat_only(make: Callable[[World, float], Doc], d: float) -> Callable[[World], Case]:
    """Cases from the first drawn document that has a chat turn."""

    def case(world: World) -> Case:
        while True:
            doc = make(world, d)
            if doc.text.endswith(END) and "<|assistant|>" in doc.text:
                return last_turn(doc)

    return case


def shots(world: World, kind: str, k: int) -> Case:
    """k turns of a mapping made up for the case, then a query: a lookup whose key stands among the shots, a class with
    unseen members, or a string operation."""
    if kind == "lookup":
        keys = list(dict.fromkeys(word(world) for _ in range(max(k, 1) * 3)))[: max(k, 1)]
        pairs = list(zip(keys, codes(world, len(keys)), strict=True))
        pairs, query = pairs[:k], world.rng.choice(pairs)
    elif kind == "class":
        count = 2 if k < 4 else world.rng.randint(2, 3)
        names, tags = pick_classes(world, count), codes(world, count)
        items: list[tuple[str, str]] = []
        while len(items) < k + 1:
            at = len(items) % count if len(items) < count else world.rng.randrange(count)
            item = world.of(names[at])
            if item not in [one for one, _ in items]:
                items.append((item, tags[at]))
        pairs, query = items[:k], items[k]
        world.rng.shuffle(pairs)
    else:
        name = world.rng.choice([one for one in TRANSFORMS if one not in ("identity", "count")])
        mark = world.any("", "!", f" {word(world)}", f"-{world.digits(2)}", f" {world.made_up()}")
        texts = [" ".join(word(world).split()[0] for _ in range(3)) for _ in range(k + 1)]
        answers = [(text, TRANSFORMS[name](text) + mark) for text in texts]
        pairs, query = answers[:k], answers[k]
    doc = start()
    for given, wanted in pairs:
        doc.turn("user", given).turn("assistant", wanted)
    return last_turn(doc.turn("user", query[0]).turn("assistant", query[1]))


def sums(world: World) -> Case:
    a, b = world.rng.randint(10, 99), world.rng.randint(10, 99)
    if world.chance(0.5):
        return last_turn(start().turn("user", f"{a} + {b}").turn("assistant", str(a + b)))
    return last_turn(start().turn("user", f"{max(a, b)} - {min(a, b)}").turn("assistant", str(abs(a - b))))


def question(world: World, given: bool) -> Case:
    """A stated fact asked for, with the passage above it or without."""
    known = prose.facts(world, 0.7)
    entity, attribute, value = world.rng.choice(known)
    name = attribute.split(":")[0]
    passage = " ".join(f"The {a.split(':')[0]} of {e} is {v}." for e, a, v in known) + "\n"
    return last_turn(
        start().turn("user", (passage if given else "") + f"What is the {name} of {entity}?").turn("assistant", value)
    )


def labelled(world: World, count: int) -> Case:
    """One utterance and a list of ``count`` snake_case labels."""
    chosen = labels.choose_intents(world, count)
    names = [intent.label(world, "snake") for intent in chosen]
    doc = start().turn("system", "Answer with only the label. Labels: " + ", ".join(names))
    at = world.rng.randrange(len(chosen))
    return last_turn(doc.turn("user", chosen[at].say(world)).turn("assistant", names[at]))


def extraction(world: World) -> Case:
    """One sentence, the keys told, the record wanted."""
    _, filled = records.sentence(world)
    keys = ", ".join(key for key, _ in filled.slots)
    doc = start().turn("system", f"Answer as JSON with the keys {keys}.").turn("user", filled.text)
    return last_turn(doc.turn("assistant", json.dumps(dict(filled.slots), ensure_ascii=False)))


ABILITIES: dict[str, Callable[[World], Case]] = {
    "copying": chat_only(episodes.copy_turn, 0.5),
    "completing forms": chat_only(records.form_fill, 0.5),
    "2-digit arithmetic": sums,
    "JSON extraction": extraction,
    "span of a sentence": chat_only(records.spot, 0.5),
    "questions with the passage": lambda world: question(world, True),
    "questions without the passage": lambda world: question(world, False),
    **{
        f"{kind} mapping, {k} shots": (lambda world, kind=kind, k=k: shots(world, kind, k))
        for kind in ("lookup", "class", "operation")
        for k in (0, 2, 4, 8)
    },
    "intent from 8 labels": lambda world: labelled(world, 8),
    "instruction in the system turn": chat_only(episodes.obey, 0.5),
}


def cases(name: str, n: int, seed: str = HELD_OUT) -> list[Case]:
    """n held-out cases of an ability."""
    world = World(random.Random(f"{seed}/{name}"))
    return [ABILITIES[name](world) for _ in range(n)]


@torch.no_grad()
def right(model: Thimble, tokenizer: Tokenizer, wanted: list[Case], dtype: torch.dtype = torch.bfloat16) -> list[bool]:
    """Whether greedy decoding gives exactly the answer and then ends."""
    found = [False] * len(wanted)
    encoded = []
    for case in wanted:
        prompt = tokenizer.encode(case.prompt, add_special_tokens=False).ids
        encoded.append((prompt, tokenizer.encode(case.answer + END, add_special_tokens=False).ids))
    order = sorted(range(len(wanted)), key=lambda at: sum(map(len, encoded[at])))
    for begin in range(0, len(order), 32):
        chunk = order[begin : begin + 32]
        width = max(sum(map(len, encoded[at])) for at in chunk)
        ids = np.zeros((len(chunk), width), np.int64)
        for row, at in enumerate(chunk):
            both = encoded[at][0] + encoded[at][1]
            ids[row, : len(both)] = both
        hidden = model.hidden(torch.from_numpy(ids), dtype=dtype)
        for row, at in enumerate(chunk):
            first, length = len(encoded[at][0]), len(encoded[at][1])
            choice = model.logits(hidden[row, first - 1 : first + length - 1]).argmax(-1)
            found[at] = choice.tolist() == encoded[at][1]
    return found


def measure(model: Thimble, tokenizer: Tokenizer, n: int) -> dict[str, float]:
    """The share of right answers for every ability, on n held-out cases each."""
    return {name: sum(right(model, tokenizer, cases(name, n))) / n for name in ABILITIES}
