"""Measures the shipped weights and writes their card: ``python recipes/thimble/card.py``; ``--check`` compares instead.

What passes through: the embedded folder and held-out cases (abilities.py) in; card.json and CARD.md out. All answers
are greedy. ``--check`` scores a small sample and fails where it cannot come from the model that the card describes.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import corpus
import torch
import torch.nn.functional as F
from abilities import ABILITIES, HELD_OUT, cases, right
from lexicon import World
from model import Shape, Thimble
from pretrain import EMBEDDED, HERE
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

CHECKED = [
    "copying",
    "completing forms",
    "questions with the passage",
    "lookup mapping, 8 shots",
    "intent from 8 labels",
]


def wilson(hits: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a proportion."""
    p = hits / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def load(folder: Path) -> tuple[Thimble, Tokenizer]:
    """The shipped weights in fp32, in the plain forward pass."""
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(**{name: config[name] for name in Shape.__dataclass_fields__ if name in config})
    model = Thimble(shape)
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()})
    return model, Tokenizer.from_file(str(folder / "tokenizer.json"))


def proportion(hits: int, n: int) -> dict[str, float]:
    low, high = wilson(hits, n)
    return {"score": round(hits / n, 4), "n": n, "low": round(abs(low), 4), "high": round(high, 4)}


@torch.no_grad()
def bits_per_byte(model: Thimble, tokenizer: Tokenizer, mix: dict[str, float], n: int) -> dict[str, float]:
    """Bits that the model needs for a byte of held-out documents, special tokens' bits counted and their bytes not."""
    world = World(random.Random(f"{HELD_OUT}/bits"))
    stream = corpus.documents(world, mix, (0.0, 1.0))
    bits = size = 0.0
    for _ in range(n):
        doc = next(stream)
        ids = torch.tensor([tokenizer.encode(doc.text, add_special_tokens=False).ids[:2048]])
        bits += F.cross_entropy(
            model.logits(model.hidden(ids, dtype=torch.float32)[0, :-1]), ids[0, 1:], reduction="sum"
        ).item() / math.log(2)
        size += len(tokenizer.decode(ids[0].tolist(), skip_special_tokens=True).encode())
    return {"score": round(bits / size, 4), "n": n, "bytes": int(size)}


def well_formed(folder: Path, n: int, batch: int = 40) -> dict[str, float]:
    """Whether the record that the model writes of its own accord is JSON at all, right or wrong; by transformers."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    wanted, good = cases("JSON extraction", n, f"{HELD_OUT}/json"), 0
    for begin in range(0, n, batch):
        prompts = [case.prompt for case in wanted[begin : begin + batch]]
        inputs = tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=False, return_token_type_ids=False
        )
        written = model.generate(**inputs, max_new_tokens=160, do_sample=False)[:, inputs["input_ids"].shape[1] :]
        for ids in written.tolist():
            good += tokenizer.eos_token_id in ids and is_json(tokenizer.decode(ids, skip_special_tokens=True))
    return proportion(good, n)


def is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except json.JSONDecodeError:
        return False


def measure_all(folder: Path, n: int) -> dict[str, Any]:
    """Every figure of the card."""
    model, tokenizer = load(folder)
    schedule = json.loads((HERE / "schedule.json").read_text())
    scores: dict[str, Any] = {
        name: proportion(sum(right(model, tokenizer, cases(name, n), torch.float32)), n) for name in ABILITIES
    }
    scores["JSON well-formedness"] = well_formed(folder, n)
    for k in (0, 2, 4, 8):
        parts = [scores[f"{kind} mapping, {k} shots"] for kind in ("lookup", "class", "operation")]
        scores[f"made-up mapping, {k} shots"] = proportion(
            round(sum(part["score"] * n for part in parts)), n * len(parts)
        )
    return {
        "abilities": scores,
        "bits_per_byte": bits_per_byte(model, tokenizer, schedule["mixes"]["broad"], n),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def markdown(card: dict[str, Any]) -> str:
    """CARD.md: the template beside this file with the figures in it."""
    scores = card["abilities"]
    rows = [
        f"| {name} | {100 * one['score']:.1f}% | {100 * one['low']:.1f}-{100 * one['high']:.1f} | {one['n']} |"
        for name, one in scores.items()
    ]
    gain = 100 * (scores["made-up mapping, 8 shots"]["score"] - scores["made-up mapping, 0 shots"]["score"])
    recall = 100 * (scores["questions with the passage"]["score"] - scores["questions without the passage"]["score"])
    figures = {
        "table": "\n".join(rows),
        "gain": f"{gain:.0f}",
        "recall": f"{recall:.0f}",
        "bits": f"{card['bits_per_byte']['score']:.2f}",
        "bytes": f"{card['bits_per_byte']['bytes']:,}",
        "parameters": f"{card['parameters']:,}",
        "tokens": f"{card['run']['tokens'] / 1e6:.1f}M",
        "minutes": f"{card['run']['seconds'] / 60:.0f}",
    }
    text = (HERE / "card-template.md").read_text()
    for name, figure in figures.items():
        text = text.replace("{" + name + "}", figure)
    return text


def check(folder: Path, n: int) -> list[str]:
    """The abilities whose small-sample score the card's score does not explain (3.3 standard errors)."""
    model, tokenizer = load(folder)
    card = json.loads((folder / "card.json").read_text())["abilities"]
    wrong = []
    for name in CHECKED:
        hits = sum(right(model, tokenizer, cases(name, n), torch.float32))
        low, high = wilson(hits, n, 3.3)
        if not low - 1e-9 <= card[name]["score"] <= high + 1e-9:
            wrong.append(f"{name}: the card says {card[name]['score']:.2f}, {hits} of {n} were right")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=EMBEDDED)
    parser.add_argument("--n", type=int, default=0, help="cases an ability (300; 40 with --check)")
    parser.add_argument(
        "--run",
        type=Path,
        default=HERE / "runs/main/run.json",
        help="what pretrain.py wrote of its run; else the old card's",
    )
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.check:
        wrong = check(args.folder, args.n or 40)
        print("\n".join(wrong) or "the weights score as the card says")
        return int(bool(wrong))
    card = measure_all(args.folder, args.n or 300)
    source = args.run if args.run.exists() else args.folder / "card.json"
    card["run"] = json.loads(source.read_text())["run"]
    (args.folder / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    (args.folder / "CARD.md").write_text(markdown(card))
    return 0


if __name__ == "__main__":
    sys.exit(main())
