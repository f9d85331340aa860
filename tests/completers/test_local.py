"""Generation with the loaded model: against a loop without cache, padding, prefix or batch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from transformers import AutoModelForCausalLM
from transformers.models.deepseek_v3 import DeepseekV3Config
from transformers.models.gemma3 import Gemma3TextConfig
from transformers.models.llama import LlamaConfig
from transformers.models.llama4 import Llama4TextConfig
from transformers.models.qwen3 import Qwen3Config
from transformers.models.qwen3_5 import Qwen3_5TextConfig
from transformers.models.qwen3_moe import Qwen3MoeConfig

from tailor.completers import local
from tailor.completers.base import TextStream, gather
from tailor.completers.local import LocalCompleter, choose
from tailor.errors import ResourceError
from tailor.records import Completer, Completion, Request, Sampling, message
from tailor.testing.completers import CompleterContract
from tailor.weights.load import Loaded

# ---------------------------------------------------- tiny random models, and a tokenizer whose ids are bytes

STOP = 256
SHAPE = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": STOP,
    "pad_token_id": None,
}
MOE = {"moe_intermediate_size": 24, "num_experts_per_tok": 2}
LATENT = {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 6,
    "n_routed_experts": 4,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
CHUNKED = {
    "attention_chunk_size": 12,
    "num_local_experts": 2,
    "intermediate_size_mlp": 48,
    "no_rope_layers": [1, 1, 1, 0],
}
CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**SHAPE),
    "qwen3": lambda: Qwen3Config(**SHAPE),
    "qwen3-moe": lambda: Qwen3MoeConfig(**SHAPE, **MOE, num_experts=4),
    "gemma3": lambda: Gemma3TextConfig(
        **SHAPE, sliding_window=12, layer_types=["sliding_attention", "full_attention"] * 2
    ),
    "llama4": lambda: Llama4TextConfig(**SHAPE | CHUNKED),
    "deepseek-v3": lambda: DeepseekV3Config(**{k: v for k, v in (SHAPE | MOE | LATENT).items() if k != "head_dim"}),
    "qwen3.5": lambda: Qwen3_5TextConfig(
        **SHAPE,
        layer_types=["linear_attention", "full_attention"] * 2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
    ),
}


def tiny(family: str = "qwen3", seed: int = 0) -> Loaded:
    """A random fp32 model whose logits are far enough apart that the order of sums decides no token."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIGS[family](), dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)
    return Loaded(model, Path(), torch.device("cpu"), torch.float32, family)


class Bytes:
    """records.Tokenizer of bytes."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        return bytes(i for i in ids if i < STOP).decode(errors="replace")


def renderer(max_length: int = 512) -> Any:
    """What a completer needs of a render.Renderer: the messages' texts, one line each."""

    def prompt_ids(request: Request) -> list[int]:
        return Bytes().encode("".join(turn.text + "\n" for turn in request.messages))

    return SimpleNamespace(
        tokenizer=Bytes(), stop_ids=frozenset({STOP}), notes=[], max_length=max_length, prompt_ids=prompt_ids
    )


def ask(text: str) -> Request:
    """A request of one user turn."""
    return Request(messages=(message("user", text),))


# ------------------------------------------------------------------------------------------------- generating

SHARED = "Say which of these it is: apple, pear. "


class TestContract(CompleterContract):
    def completer(self) -> Completer:
        return LocalCompleter(tiny(), renderer())


def mixed(count: int = 12) -> list[Request]:
    """Prompts with a common beginning, of several lengths, one of them twice."""
    texts = [SHARED + "x" * (number % 7) + f" row {number} " * (number % 3) for number in range(count - 1)]
    return [ask(text) for text in [*texts, texts[0]]]


def reference(loaded, prompt: list[int], limit: int, stops: frozenset[int]) -> tuple[list[int], list[float]]:
    """Greedy decoding by definition: the whole text through the model for every token."""
    ids, logprobs = torch.tensor([prompt]), []
    with torch.no_grad():
        for _ in range(limit):
            chances = loaded.model(input_ids=ids, use_cache=False).logits[0, -1].log_softmax(-1)
            token = int(chances.argmax())
            logprobs.append(float(chances[token]))
            ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
            if token in stops:
                break
    return ids[0, len(prompt) :].tolist(), logprobs


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.filterwarnings("ignore")  # transformers' remarks on kernels that are not installed
def test_greedy_tokens_and_logprobs_are_those_of_plain_decoding(family, monkeypatch):
    monkeypatch.setattr(local, "PREFILL_TOKENS", 64)  # several forward passes a prefix, several a batch
    loaded, render = tiny(family), renderer()
    render.stop_ids = frozenset(range(200, 260))  # about a quarter of all tokens: rows leave at different steps
    answers = gather(LocalCompleter(loaded, render), mixed(), Sampling(max_tokens=24))
    for request, [completion] in zip(mixed(), answers):
        ids, logprobs = reference(loaded, render.prompt_ids(request), 24, render.stop_ids)
        assert list(completion.ids) == ids
        np.testing.assert_allclose(completion.logprobs, logprobs, rtol=1e-3, atol=1e-4)
        stopped = ids[-1] in render.stop_ids
        assert completion.finish_reason == ("stop" if stopped else "length")
        assert completion.text == Bytes().decode(ids[:-1] if stopped else ids)
    assert len({completion.logprobs[0] for [completion] in answers}) == 11  # two of the twelve prompts are equal


class Counted(torch.nn.Module):
    """A model that counts the tokens it is given."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model, self.config, self.tokens, self.rows = model, model.config, 0, []

    def forward(self, **kwargs):
        self.tokens += kwargs["input_ids"].numel()
        self.rows.append(len(kwargs["input_ids"]))
        return self.model(**kwargs)


def counted(requests: list[Request], sampling: Sampling, **options) -> tuple[Counted, list[list[Completion]]]:
    loaded = tiny()
    loaded.model = Counted(loaded.model)
    answers = gather(LocalCompleter(loaded, renderer(), batch_tokens=100_000, **options), requests, sampling)
    return loaded.model, answers


def test_a_shared_prefix_and_equal_prompts_are_computed_once():
    requests = [ask("p" * 200 + f"{number:03}") for number in range(50)]
    once = Sampling(max_tokens=1)
    assert counted(requests, once)[0].tokens == 201 + 50 * 3  # "000" to "049" share their first digit
    model, answers = counted([requests[0]], Sampling(max_tokens=1, n=40, temperature=1.0))
    assert model.tokens == 204
    assert len(answers[0]) == 40


def test_finished_rows_leave_the_batch():
    model, answers = counted(mixed(40), Sampling(max_tokens=100, temperature=2.0, seed=1))
    lengths = sorted(len(completion.ids) for [completion] in answers)
    assert lengths[0] < lengths[-1]
    assert all(earlier >= later for earlier, later in zip(model.rows[2:], model.rows[3:]))
    running = sum(lengths) - len(lengths)  # the first token of each comes from its prompt's own forward pass
    assert sum(model.rows[2:]) < running / local.KEEP_SHARE + len(lengths)


def test_batches_hold_no_more_slots_than_allowed():
    loaded, sampling = tiny(), Sampling(max_tokens=10)
    loaded.model = Counted(loaded.model)
    small = LocalCompleter(loaded, renderer(), batch_tokens=300)
    answers = gather(small, mixed(), sampling)
    longest = max(len(renderer().prompt_ids(request)) for request in mixed())
    assert max(loaded.model.rows) <= 300 // (longest + 10) + 2
    assert max(loaded.model.rows) > 1
    big = gather(LocalCompleter(tiny(), renderer(), batch_tokens=100_000), mixed(), sampling)
    assert [one.ids for [one] in answers] == [one.ids for [one] in big]


def test_where_memory_runs_out_halves_are_tried(monkeypatch):
    loaded, plain = tiny(), tiny()
    forward = loaded.model.forward

    def tight(**kwargs):
        if len(kwargs["input_ids"]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(**kwargs)

    monkeypatch.setattr(loaded.model, "forward", tight)
    sampling = Sampling(max_tokens=6, temperature=1.0)
    halved = gather(LocalCompleter(loaded, renderer()), mixed(), sampling)
    whole = gather(LocalCompleter(plain, renderer()), mixed(), sampling)
    assert [one.ids for [one] in halved] == [one.ids for [one] in whole]


def test_a_prompt_that_leaves_no_room_is_refused_and_others_are_cut_at_the_context():
    requests = [ask("a" * 30), ask("a" * 18), ask("a" * 10), Request(messages=())]  # a line end follows each turn
    answers = gather(LocalCompleter(tiny(), renderer(max_length=20)), requests, Sampling(max_tokens=4, n=2))
    refused = Completion(text="", finish_reason="refused", prompt_tokens=31)
    assert answers[0] == [refused, refused]
    assert [len(one.ids) for one in answers[1]] == [1, 1]
    assert answers[1][0].finish_reason == "length"
    assert [len(one.ids) for one in answers[2]] == [4, 4]
    assert answers[3] == [Completion(text="", finish_reason="refused")] * 2
    with pytest.raises(ResourceError, match="31 tokens leave no room for an answer: the model reads 20"):
        list(LocalCompleter(tiny(), renderer(max_length=20)).stream(requests[0], Sampling()))


def test_without_the_adapter_the_base_answers():
    loaded, base = tiny(), tiny()
    weight = loaded.model.model.layers[0].mlp.down_proj.weight
    original = weight.detach().clone()
    with torch.no_grad():
        weight.add_(torch.randn_like(weight))

    @contextlib.contextmanager
    def switched_off():
        tuned = weight.data
        weight.data = original
        yield
        weight.data = tuned

    loaded.base = switched_off  # type: ignore[method-assign]
    sampling = Sampling(max_tokens=8)
    wanted = [one.ids for [one] in gather(LocalCompleter(base, renderer()), mixed(), sampling)]
    off = LocalCompleter(loaded, renderer(), adapter=False)
    assert [one.ids for [one] in gather(off, mixed(), sampling)] == wanted
    assert [one.ids for [one] in gather(LocalCompleter(loaded, renderer()), mixed(), sampling)] != wanted
    assert "".join(off.stream(mixed()[0], sampling)) == gather(off, mixed(), sampling)[0][0].text


def test_between_answers_the_caller_may_train():
    loaded = tiny()
    loaded.model.train()
    for _ in LocalCompleter(loaded, renderer(), batch_tokens=1).complete(mixed(3), Sampling(max_tokens=2)):
        assert loaded.model.training
        assert not torch.is_inference_mode_enabled()
        loaded.model(input_ids=torch.tensor([[1, 2]])).logits.sum().backward()
    for _ in LocalCompleter(loaded, renderer()).stream(mixed()[0], Sampling(max_tokens=2)):
        assert loaded.model.training
        assert not torch.is_inference_mode_enabled()


def test_progress_counts_requests_to_the_end():
    seen: list[tuple[str, int, int]] = []
    completer = LocalCompleter(tiny(), renderer(), batch_tokens=1, progress=lambda *step: seen.append(step))
    gather(completer, mixed(4), Sampling(max_tokens=1))
    assert seen[0] == ("generating", 0, 4)
    assert seen[-1] == ("generating", 4, 4)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_seconds_add_up_to_the_time_taken():
    completer = LocalCompleter(tiny(), renderer(), batch_tokens=100_000)
    started = time.perf_counter()
    answers = gather(completer, mixed(), Sampling(max_tokens=30))
    taken = time.perf_counter() - started
    total = sum(completion.seconds for [completion] in answers)
    assert 0.2 * taken < total <= taken


# ------------------------------------------------------------------------------------------------ choosing tokens


def test_sampling_follows_the_distribution():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 3.0])
    randoms = torch.from_numpy(np.random.default_rng(0).random(20_000))
    for temperature, top_p in ((1.0, 1.0), (0.5, 1.0), (1.0, 0.8)):
        sampling = Sampling(temperature=temperature, top_p=top_p)
        tokens, logprobs = choose(logits.expand(20_000, 5), sampling, randoms)
        chances = np.exp(logits.numpy().astype(float) / temperature)
        chances /= chances.sum()
        if top_p < 1:  # 0.636 + 0.234 = 0.871 passes 0.8
            chances = np.where(np.isin(np.arange(5), [4, 0]), chances, 0)
            chances /= chances.sum()
        counts = np.bincount(tokens.numpy(), minlength=5)
        assert counts[chances == 0].sum() == 0
        kept = chances > 0
        assert scipy.stats.chisquare(counts[kept], 20_000 * chances[kept]).pvalue > 1e-3
        np.testing.assert_allclose(logprobs, logits.log_softmax(-1)[tokens], rtol=1e-6)


def test_the_edges_of_sampling_stay_inside_the_vocabulary():
    logits = torch.tensor([[0.0, -torch.inf, 1.0]]).expand(2, 3)
    edges = torch.tensor([0.0, 1.0 - 2**-53], dtype=torch.float64)
    assert choose(logits, Sampling(temperature=1.0), edges)[0].tolist() == [0, 2]
    assert choose(logits, Sampling(temperature=1.0, top_p=1e-9), edges)[0].tolist() == [2, 2]


def test_seeds_samples_and_repeated_prompts_differ_and_greedy_ones_agree():
    twice, sampling = [mixed()[0]] * 2, Sampling(max_tokens=8, temperature=1.0, n=2, seed=1)
    completer = LocalCompleter(tiny(), renderer())
    drawn = [one.ids for answers in gather(completer, twice, sampling) for one in answers]
    assert len(set(drawn)) == 4
    other = Sampling(max_tokens=8, temperature=1.0, n=2, seed=2)
    assert not set(drawn) & {one.ids for answers in gather(completer, twice, other) for one in answers}
    greedy = gather(completer, twice, Sampling(max_tokens=8, n=2))
    assert len({one.ids for answers in greedy for one in answers}) == 1


# ------------------------------------------------------------------------------------------------------ streaming


def test_pieces_never_end_inside_a_character():
    text = "naïve – 東京 😀, end"
    stream = TextStream(Bytes())
    pieces = [stream.add(byte) for byte in text.encode()] + [stream.end()]
    assert "".join(pieces) == text
    assert [piece for piece in pieces if piece] == list(text)


def test_bytes_that_are_no_text_come_out_at_the_latest_at_the_end():
    stream = TextStream(Bytes())
    ids = [*b"a", 0xE4, 0xB8, *b"b", 0xFF]
    assert "".join([*map(stream.add, ids), stream.end()]) == Bytes().decode(ids) == "a\ufffdb\ufffd"


def test_stop_token_is_in_the_ids_and_not_in_the_text():
    render = renderer()
    render.stop_ids = frozenset(range(STOP))
    [[one]] = gather(LocalCompleter(tiny(), render), [mixed()[0]], Sampling(max_tokens=5))
    assert (one.text, len(one.ids), one.finish_reason) == ("", 1, "stop")
    assert list(LocalCompleter(tiny(), render).stream(mixed()[0], Sampling(max_tokens=5))) == []
