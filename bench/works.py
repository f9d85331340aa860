"""What is measured: rows of known lengths, on models of known shapes, all made on the spot from a seed.

A word is one token, so lengths are exact for every system and no tokenizer can favour one. Words are drawn by Zipf's
law, which gives training something to learn. Only the standard library is used here.
"""

from __future__ import annotations

import bisect
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORDS = 15_000
SPECIAL = ("<|pad|>", "<|im_start|>", "<|im_end|>")
ROLES = ("system", "user", "assistant")
OVERHEAD = 4  # tokens of the chat template around a turn: <|im_start|> role \n ... <|im_end|>

Range = tuple[int, int]
Row = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """Rows of one kind; lengths in tokens without the template's, both ends included. `batch` rows make a step."""

    name: str
    batch: int
    prefix: int  # tokens of the system prompt; 0: none
    user: Range
    answer: Range
    shared: bool = False  # one system prompt for all rows
    pairs: bool = False  # two answers a prompt


WORKS = {
    work.name: work
    for work in (
        Work("sft-shared", batch=8, prefix=200, user=(60, 180), answer=(40, 160), shared=True),
        Work("sft-plain", batch=8, prefix=200, user=(60, 180), answer=(40, 160)),
        Work("sft-short", batch=16, prefix=0, user=(8, 24), answer=(2, 6)),  # as banking77: a question and its label
        Work("dpo", batch=4, prefix=0, user=(293, 293), answer=(99, 99), pairs=True),  # 300 and 100 with the template's
    )
}


@dataclass(frozen=True)
class Shape:
    """A model's real dimensions, for weights drawn at random. `quantised`: a base of 4-bit NormalFloat (QLoRA)."""

    name: str
    family: str  # transformers' model_type
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool = True
    quantised: bool = False

    @property
    def folder(self) -> str:
        """Name of the model's folder; a quantised base is read from the same one."""
        return self.name.removesuffix("-nf4")

    def linears(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of the linear layers of one block."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q": (self.hidden, queries),
            "k": (self.hidden, keys),
            "v": (self.hidden, keys),
            "o": (queries, self.hidden),
            "gate": (self.hidden, self.inner),
            "up": (self.hidden, self.inner),
            "down": (self.inner, self.hidden),
        }


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("50m", "qwen3", 512, 1536, 12, 8, 4, 64, 32_768),  # 54M parameters
        Shape("qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151_936),
        Shape("1b", "llama", 2048, 8192, 16, 32, 8, 64, 128_256),  # Llama 3.2 1B
        Shape("1b-nf4", "llama", 2048, 8192, 16, 32, 8, 64, 128_256, quantised=True),
        Shape("8b", "qwen3", 4096, 12_288, 36, 32, 8, 128, 151_936, tied=False),  # Qwen3 8B
        Shape("8b-nf4", "qwen3", 4096, 12_288, 36, 32, 8, 128, 151_936, tied=False, quantised=True),
    )
}


# ------------------------------------------------------------------------------------------------------ rows


class Writer:
    """Draws texts of a given number of words."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(WORDS)))

    def text(self, words: int) -> str:
        """`words` words with blanks between them."""
        total = self.weights[-1]
        draws = (self.random.random() * total for _ in range(words))
        return " ".join(f"w{bisect.bisect(self.weights, draw)}" for draw in draws)

    def between(self, ends: Range) -> str:
        """A text whose length is drawn from `ends`."""
        return self.text(self.random.randint(*ends))


def rows(work: Work, count: int, seed: int = 0) -> Iterator[Row]:
    """`count` rows in the order in which they are trained on: chats, or pairs in TRL's form."""
    writer = Writer(f"{work.name} {seed}")
    system = writer.text(work.prefix)
    for _ in range(count):
        if not work.shared:
            system = writer.text(work.prefix)
        prompt = [_turn("system", system)] * bool(work.prefix) + [_turn("user", writer.between(work.user))]
        answers = [[_turn("assistant", writer.between(work.answer))] for _ in range(1 + work.pairs)]
        if work.pairs:
            yield {"prompt": prompt, "chosen": answers[0], "rejected": answers[1]}
        else:
            yield {"messages": [*prompt, *answers[0]]}


def _turn(role: str, content: str) -> Row:
    return {"role": role, "content": content}


def write_rows(path: Path, content: list[Row] | Iterator[Row]) -> None:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in content:
            file.write(json.dumps(row) + "\n")


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a file that `write_rows` wrote."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Sequence:
    """Lengths of one sequence in tokens: the prefix that siblings share, the rest, and how many are trained on."""

    prefix: int
    own: int
    trained: int


def sequences(work: Work, row: Row) -> list[Sequence]:
    """The sequences of a row: one, or chosen and rejected."""

    def tokens(turns: list[Row]) -> int:
        return sum(len(turn["content"].split()) + OVERHEAD for turn in turns)

    if work.pairs:
        prompt = tokens(row["prompt"]) + 3  # and the answer's header
        answers = [tokens(row[name]) - 3 for name in ("chosen", "rejected")]
        return [Sequence(prompt, answer, answer) for answer in answers]
    turns = row["messages"]
    prefix = tokens(turns[:1]) if work.shared else 0
    return [Sequence(prefix, tokens(turns) - prefix, tokens(turns[-1:]) - 3)]


# ----------------------------------------------------------------------------------------------------- FLOPs


def useful_flops(shape: Shape, work: Work, measured: list[Row], tokens: int, reference: int, rank: int = 16) -> float:
    """FLOPs that training LoRA of `rank` on the rows `measured` needs, where `tokens` went through the model.

    A multiply-add counts 2. Linear layers 4 a weight (forward, gradient of the input), adapters 6, the head 4 for
    trained tokens alone, attention 3 times its causal forward pass. Padding, recomputed activations and logits nobody
    asked for do not count. `reference` tokens were run forward only, for reference log-probs.
    """
    linear = shape.layers * sum(a * b for a, b in shape.linears().values())
    adapter = shape.layers * rank * sum(a + b for a, b in shape.linears().values())
    head = shape.hidden * shape.vocabulary
    parts = [part for row in measured for part in sequences(work, row)]
    own, prefix = sum(part.own for part in parts), max(part.prefix for part in parts)
    # Each copy of a prefix that was really computed attends to itself; every branch attends to its prefix and itself.
    copies = max(0.0, (tokens - own) / prefix) if prefix else 0.0
    pairs = copies * prefix**2 + sum(part.own * (2 * part.prefix + part.own) for part in parts)
    attention = shape.layers * 2 * shape.heads * shape.head_dim * pairs
    trained = sum(part.trained for part in parts)
    training = (4 * linear + 6 * adapter) * tokens + 4 * head * trained + 3 * attention
    share = reference / tokens
    return training + share * (2 * linear * tokens + 2 * head * trained + attention)
