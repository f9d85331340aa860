"""thimble: the shipped files load, round-trip and score as their card says; the recipe trains, stops and resumes."""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

ROOT = Path(__file__).parents[2]
EMBEDDED = ROOT / "src/tailor/weights/embedded/thimble"
sys.path.insert(0, str(ROOT / "recipes/thimble"))

import card  # noqa: E402
import corpus  # noqa: E402
import pretrain  # noqa: E402
from lexicon import World  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(EMBEDDED)


def test_every_string_round_trips(tokenizer):
    rng = random.Random(5)
    texts = [
        "".join(
            chr(rng.choice([rng.randrange(1, 592), rng.randrange(0x3000, 0x9000), rng.randrange(0x1F300, 0x1F700)]))
            for _ in range(24)
        )
        for _ in range(200)
    ]
    for text in [*texts, "card_not_arrived", '{"a": ["b", 1]}', "  two  spaces\n\n\ttab ", "don't", "12.50 €"]:
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_a_word_has_the_same_pieces_wherever_it_stands(tokenizer):
    def pieces(text: str) -> list[str]:
        return [piece.lstrip("Ġ_") for piece in tokenizer.tokenize(text) if piece not in ("Ġ", "_")]

    for word in ("ramón", "Tibenko", "arrived", "playlist", "Vorusabran"):
        assert pieces(word) == pieces(f" {word}") == pieces(f"_{word}")


def test_rendered_history_is_a_prefix_and_the_answers_are_marked(tokenizer):
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "ok"},
        {"role": "assistant", "content": "done"},
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    for declared in (None, tools):
        whole = tokenizer.apply_chat_template(messages, tokenize=False, tools=declared)
        for count in range(1, len(messages)):
            assert whole.startswith(tokenizer.apply_chat_template(messages[:count], tokenize=False, tools=declared))
        prompt = tokenizer.apply_chat_template(messages[:4], tokenize=False, tools=declared, add_generation_prompt=True)
        assert whole == prompt + "done<|end|>"
    marked = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    answers = [token for token, mark in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if mark]
    assert tokenizer.decode(answers) == '{"name": "f", "arguments": {"a": 1}}<|end|>done<|end|>'


def test_the_plain_forward_pass_equals_transformers():
    stock = transformers.AutoModelForCausalLM.from_pretrained(EMBEDDED, dtype=torch.float32)
    plain, _ = card.load(EMBEDDED)
    ids = torch.randint(12, 4096, (2, 70), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = plain.logits(plain.hidden(ids, dtype=torch.float32)), stock(ids).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_shipped_files_are_small():
    assert (EMBEDDED / "model.safetensors").stat().st_size < 12e6


def test_every_kind_of_document_is_seeded_and_weighted():
    for name, make in corpus.KINDS.items():
        for difficulty in (0.0, 0.5, 1.0):
            one, same = (make(World(random.Random(f"{name}/7")), difficulty) for _ in range(2))
            assert one == same, name
            assert one.text.startswith("<|bos|>") and sum(weight for _, weight in one.pieces) > 0


def test_a_killed_run_resumes_where_it_stood(tmp_path):
    schedule = json.loads((ROOT / "recipes/thimble/schedule-small.json").read_text())
    schedule |= {"measure_every": 4, "measure_n": 1, "phases": [{**schedule["phases"][0], "steps": 8, "rows": 4}]}
    path = tmp_path / "schedule.json"
    path.write_text(json.dumps(schedule))

    def start(out: str) -> argparse.Namespace:
        return argparse.Namespace(
            schedule=path, out=tmp_path / out, small=True, eager=True, continue_from=None, export=None
        )

    whole = pretrain.run(start("whole"))
    (tmp_path / "half").mkdir()
    half = pretrain.run(start("half"), stop_after=5)
    assert half["step"] == 5
    resumed = pretrain.run(start("half"))
    assert resumed["step"] == whole["step"] == 8
    assert (tmp_path / "half/export/model.safetensors").read_bytes() == (
        tmp_path / "whole/export/model.safetensors"
    ).read_bytes()


def test_the_weights_score_as_the_card_says():
    assert card.check(EMBEDDED, 24) == []
