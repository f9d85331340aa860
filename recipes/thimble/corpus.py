"""The corpus as an endless, seeded stream: (seed, step) in, a packed batch of token ids and loss weights out.

``schedule.json`` names the phases: row length, rows a step, difficulty and the share of every kind of document.
Nothing is stored: a step's text is made anew from its number, so a killed run resumes on the same text.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import episodes
import labels
import numpy as np
import prose
import records
from documents import Doc
from lexicon import World
from tokenizers import Tokenizer

KINDS = {
    "repeat": episodes.repeat,
    "copy_turn": episodes.copy_turn,
    "lookup": episodes.lookup,
    "classify": episodes.classify,
    "transform": episodes.transform,
    "relation": episodes.relation,
    "label_direct": labels.label_direct,
    "label_listed": labels.label_listed,
    "label_shots": labels.label_shots,
    "paraphrase": labels.paraphrase,
    "obey": episodes.obey,
    "extract": records.extract,
    "spot": records.spot,
    "convert": records.convert,
    "find_row": records.find_row,
    "form_fill": records.form_fill,
    "tool_call": records.tool_call,
    "json_text": records.json_text,
    "passage": prose.passage_questions,
    "no_passage": prose.no_passage,
    "arithmetic": prose.arithmetic,
    "dates": prose.dates,
    "everyday": prose.everyday,
    "dialogue": prose.dialogue,
    "listing": prose.listing,
}


def documents(world: World, mix: dict[str, float], difficulty: tuple[float, float]) -> Iterator[Doc]:
    """Documents for ever, in the shares of ``mix``."""
    kinds, shares = list(mix), list(mix.values())
    while True:
        kind = world.rng.choices(kinds, shares)[0]
        yield KINDS[kind](world, world.rng.uniform(*difficulty))


def tokens_of(tokenizer: Tokenizer, docs: list[Doc]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ids and per-token weights of each document; a token takes the weight of the piece its last character is in."""
    found = []
    for doc, encoded in zip(
        docs, tokenizer.encode_batch([doc.text for doc in docs], add_special_tokens=False), strict=True
    ):
        ends = np.cumsum([len(text) for text, _ in doc.pieces])
        weights = np.array([weight for _, weight in doc.pieces], np.float32)
        last = np.array([end - 1 for _, end in encoded.offsets])
        found.append((np.array(encoded.ids, np.int64), weights[np.searchsorted(ends, last, side="right")]))
    return found


def pack(
    items: list[tuple[np.ndarray, np.ndarray]], rows: int, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First-fit-decreasing into rows: ids, weights (0 on padding) and the number of the document at each place."""
    ids = np.zeros((rows, length), np.int64)
    weights = np.zeros((rows, length), np.float32)
    owner = np.zeros((rows, length), np.int32)
    room, count = np.full(rows, length), np.zeros(rows, np.int32)
    for tokens, weight in sorted(items, key=lambda item: -len(item[0])):
        fits = np.flatnonzero(room >= len(tokens))
        if not len(fits):
            continue
        row = fits[0]
        at = length - room[row]
        count[row] += 1
        ids[row, at : at + len(tokens)], weights[row, at : at + len(tokens)], owner[row, at : at + len(tokens)] = (
            tokens,
            weight,
            count[row],
        )
        room[row] -= len(tokens)
    return ids, weights, owner


def batch(
    tokenizer: Tokenizer, seed: int, step: int, phase: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The packed batch of one step."""
    world = World(random.Random(f"{seed}/{step}"))
    stream = documents(world, phase["mix"], tuple(phase["difficulty"]))
    rows, length = phase["rows"], phase["length"]
    items: list[tuple[np.ndarray, np.ndarray]] = []
    total = 0
    while total < 1.04 * rows * length:
        fresh = [item for item in tokens_of(tokenizer, [next(stream) for _ in range(32)]) if len(item[0]) <= length]
        items += fresh
        total += sum(len(ids) for ids, _ in fresh)
    return pack(items, rows, length)
