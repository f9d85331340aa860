"""Generation with the embedded model, its own renderer and real adapters."""

from __future__ import annotations

import pytest
import torch

from tailor import render
from tailor.completers.base import gather
from tailor.completers.local import LocalCompleter
from tailor.config import AdapterConfig, ModelConfig
from tailor.records import Request, Sampling, message
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, load
from tailor.weights.locate import locate

GREEDY = Sampling(max_tokens=6)


@pytest.fixture(scope="module")
def renderer() -> render.Renderer:
    return render.load(locate("thimble"))


@pytest.fixture
def loaded() -> Loaded:
    return load(ModelConfig(dtype="fp32"), device="cpu")


def requests() -> list[Request]:
    shots = (
        message("user", "apple"),
        message("assistant", "fruit"),
        message("user", "leek"),
        message("assistant", "veg"),
    )
    asked = ("pear", "plum and quince", "two onions", "pear", "a rather long list: beans, peas, lentils")
    return [Request(messages=(message("system", "Sort it."), *shots, message("user", text))) for text in asked]


def ids(completer: LocalCompleter) -> list[tuple[int, ...]]:
    return [completion.ids for [completion] in gather(completer, requests(), GREEDY)]


def test_greedy_tokens_are_those_of_plain_decoding(loaded, renderer):
    answers = gather(LocalCompleter(loaded, renderer), requests(), GREEDY)
    for request, [completion] in zip(requests(), answers):
        prompt = renderer.prompt_ids(request)
        seen = torch.tensor([[*prompt, *completion.ids]])
        with torch.no_grad():
            logits = loaded.model(input_ids=seen, use_cache=False).logits[0, len(prompt) - 1 : -1]
        assert logits.argmax(-1).tolist() == list(completion.ids)
        ended = completion.ids[-1] in renderer.stop_ids
        assert completion.finish_reason == ("stop" if ended else "length")
        text = renderer.tokenizer.decode(completion.ids[: len(completion.ids) - ended], skip_special=True)
        assert completion.text == text
        assert "".join(LocalCompleter(loaded, renderer).stream(request, GREEDY)) == text
        assert completion.prompt_tokens == len(prompt)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_base_and_tuned_answer_from_one_copy(loaded, renderer, kind):
    before = ids(LocalCompleter(loaded, renderer))
    attach(loaded, AdapterConfig(type=kind, r=4), seed=0)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in loaded.trainable().values():
            if parameter.ndim > 1:
                parameter.add_(torch.randn(parameter.shape, generator=draw) * 0.1)
    assert ids(LocalCompleter(loaded, renderer)) != before
    assert ids(LocalCompleter(loaded, renderer, adapter=False)) == before


def test_in_bf16_too(renderer):
    completer = LocalCompleter(load(ModelConfig(dtype="bf16"), device="cpu"), renderer)
    assert all(ids(completer))
