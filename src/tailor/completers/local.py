"""Greedy and sampled generation with the loaded model: many requests a forward pass, no token computed twice.

What all prompts begin with (instructions, few-shot examples) goes through the model once for a whole call; equal
prompts, as n samples of one request, once for a batch. A batch holds prompts of similar length, padded on the left. The
prefix is put behind each row's padding, so the layout is that of an ordinary padded batch:

    slot      0 1 2 3 4 5 6 7 8
    row 0     P P P P P a a a a      P from the shared prefix, copied
    row 1     . . P P P P P b b      . padding; slots from 5 on are computed, row 1's last two P among them

Rows that have finished leave the batch. A request's answer does not depend on what else is in the batch: in fp32 up to
the order of sums, in bf16 up to its rounding; sampling draws from a stream of the request's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from tailor.completers.base import TextStream, check
from tailor.errors import ResourceError
from tailor.records import Completion, Progress, Request, Sampling, quiet
from tailor.render import Renderer
from tailor.weights.cache import KVCache, recurrent, shareable
from tailor.weights.load import Loaded
from tailor.weights.memory import free_memory, out_of_memory

MAX_ROWS = 256  # more rows a step gain little on any device and make the slowest row wait longer
PREFILL_TOKENS = 8192  # prompt tokens a forward pass: bounds the memory of activations, saturates the device
MIN_PREFIX = 16  # a shorter shared prefix saves less than the extra forward pass costs
MEMORY_SHARE = 0.25  # of the free memory for keys and values: they are copied once while rows are joined or dropped
KEEP_SHARE = 0.75  # rows are moved together once fewer than this share of them still run


@dataclass(slots=True)
class Row:
    """One completion on its way, for request `index`."""

    index: int
    prompt: tuple[int, ...]
    limit: int  # most tokens it may emit
    stream: tuple[int, ...]  # seed of its own random numbers
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Literal["stop", "length"] | None = None
    seconds: float = 0.0


class LocalCompleter:
    """Completions of a loaded model; `adapter=False` gives those of its base from the same copy.

    `batch_tokens` bounds the slots (rows x longest prompt and answer) that a batch may hold keys and values for; by
    default what a quarter of the free memory holds. A prompt that leaves no room for an answer in the model's context,
    or holds no token at all, gives an empty Completion with finish_reason "refused". `seconds` of a Completion is its
    share of the batch's time, so that they add up to the time taken. `logprobs` are the model's own, before temperature
    and top_p.
    """

    def __init__(
        self,
        loaded: Loaded,
        renderer: Renderer,
        *,
        adapter: bool = True,
        batch_tokens: int | None = None,
        progress: Progress = quiet,
    ) -> None:
        self._engine = Engine(loaded, adapter)
        self._renderer = renderer
        self._batch_tokens = batch_tokens
        self._progress = progress

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """Yields (index of the request, its `sampling.n` completions) batch by batch, the longest prompts first.

        Raises ConfigError for settings that make no sense, ResourceError where not even one row fits in memory.
        """
        check(sampling)
        prompts = [tuple(self._renderer.prompt_ids(request)) for request in requests]
        rows = self._rows(prompts, sampling)
        answers: dict[int, list[Completion]] = {row.index: [] for row in rows}
        for index in sorted(set(range(len(prompts))).difference(answers)):
            refused = Completion(text="", finish_reason="refused", prompt_tokens=len(prompts[index]))
            yield index, [refused] * sampling.n
        prefix = self._prefix({row.prompt for row in rows})
        for batch in self._batches(rows):
            self._progress("generating", len(prompts) - len(answers), len(prompts))
            for row in self._generate(batch, prefix, sampling):
                answers[row.index].append(self._completion(row))
                if len(answers[row.index]) == sampling.n:
                    yield row.index, answers.pop(row.index)
        self._progress("generating", len(prompts), len(prompts))

    def stream(self, request: Request, sampling: Sampling) -> Iterator[str]:
        """Yields pieces of one completion's text as they are generated; a piece never ends inside a character. Raises
        ResourceError for a prompt that leaves no room for an answer in the model's context."""
        check(sampling)
        prompt = tuple(self._renderer.prompt_ids(request))
        rows = self._rows([prompt], sampling)[:1]
        if prompt and not rows:
            raise ResourceError(
                f"{len(prompt):,} tokens leave no room for an answer: the model reads {self._renderer.max_length:,}",
                fix="shorten it, or begin a new conversation (/new in a chat)",
            )
        if not rows:
            return
        text = TextStream(self._renderer.tokenizer)
        with self._engine.inference():
            batch = Batch(self._engine, rows, None, sampling, self._renderer.stop_ids)
        while batch.rows:
            with self._engine.inference():
                batch.step()
            if rows[0].finish != "stop":
                yield from filter(None, [text.add(rows[0].ids[-1])])
        yield from filter(None, [text.end()])

    def _rows(self, prompts: Sequence[tuple[int, ...]], sampling: Sampling) -> list[Row]:
        """One Row a sample of each prompt that leaves room for an answer. Its random numbers are named by seed, prompt,
        and which sample of that prompt it is: neither the batch nor the other requests of the call change them."""
        asked: Counter[tuple[int, ...]] = Counter()
        rows = []
        for index, prompt in enumerate(prompts):
            room = self._renderer.max_length - len(prompt)
            if room <= 0 or not prompt:
                continue
            digest = hashlib.blake2b(np.array(prompt, np.int64).tobytes(), digest_size=8).digest()
            for _ in range(sampling.n):
                stream = (sampling.seed, int.from_bytes(digest, "big"), asked[prompt])
                asked[prompt] += 1
                rows.append(Row(index, prompt, min(sampling.max_tokens, room), stream))
        return rows

    def _batches(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """Rows of similar length together, the longest first: a lack of memory shows at once, and an estimate of the
        time left errs on the safe side."""
        if not rows:
            return
        budget = self._batch_tokens or self._engine.affordable_slots()
        batch: list[Row] = []
        for row in sorted(rows, key=lambda row: (-len(row.prompt), row.prompt)):
            slots = len((batch or [row])[0].prompt) + row.limit
            if batch and (len(batch) == MAX_ROWS or (len(batch) + 1) * slots > budget):
                yield batch
                batch = []
            batch.append(row)
        yield batch

    def _prefix(self, prompts: set[tuple[int, ...]]) -> KVCache | None:
        """Keys and values of what all prompts begin with; at least the last token of each is left to compute."""
        if len(prompts) < 2 or not self._engine.shareable:
            return None
        first, last = min(prompts), max(prompts)  # no two differ earlier than the first and last in order
        shared = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
        shared = min(shared, min(map(len, prompts)) - 1)
        if shared < MIN_PREFIX:
            return None
        cache = KVCache()
        with self._engine.inference():
            self._engine.prefill([first[:shared]], shared, None, cache)
        return cache

    def _generate(self, rows: list[Row], prefix: KVCache | None, sampling: Sampling) -> list[Row]:
        """The rows, finished. Where memory runs out, one half is generated after the other."""
        try:
            with self._engine.inference():
                batch = Batch(self._engine, rows, prefix, sampling, self._renderer.stop_ids)
                while batch.rows:
                    batch.step()
            return rows
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(rows) == 1:
                raise ResourceError(
                    f"the memory does not hold a prompt of {len(rows[0].prompt):,} tokens and its answer",
                    fix="free some, choose another --device, or shorten the prompts",
                ) from error
        batch = None  # type: ignore[assignment]  # its memory is needed for what follows
        self._engine.free()
        half = len(rows) // 2
        fresh = [Row(row.index, row.prompt, row.limit, row.stream) for row in rows]
        return self._generate(fresh[:half], prefix, sampling) + self._generate(fresh[half:], prefix, sampling)

    def _completion(self, row: Row) -> Completion:
        emitted = row.ids[:-1] if row.finish == "stop" else row.ids
        return Completion(
            text=self._renderer.tokenizer.decode(emitted, skip_special=True),
            ids=tuple(row.ids),
            logprobs=tuple(row.logprobs),
            finish_reason=row.finish or "length",
            prompt_tokens=len(row.prompt),
            seconds=row.seconds,
        )


class Engine:
    """The loaded model as a function from tokens to the logits of the next, with or without its adapter."""

    def __init__(self, loaded: Loaded, adapter: bool) -> None:
        self._loaded = loaded
        self._adapter = adapter
        self.device = loaded.device
        self.shareable = shareable(loaded.model)

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients, eval mode, adapter on or off. Never held while a caller has control: it may be training."""
        model, training = self._loaded.model, self._loaded.model.training
        chosen = contextlib.nullcontext() if self._adapter else self._loaded.base()
        with chosen, self._loaded.autocast(), torch.inference_mode():
            model.eval()
            try:
                yield
            finally:
                if training:
                    model.train()

    def forward(self, ids: Tensor, positions: Tensor, mask: Tensor | None, cache: Any) -> Tensor:
        """fp32 logits `[rows, vocabulary]` after the last of `ids [rows, new]`. `mask [rows, slots]` is False at
        padding."""
        logits: Tensor = self._loaded.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return logits[:, -1].float()

    def prefill(self, prompts: Sequence[tuple[int, ...]], width: int, mask: Tensor | None, cache: Any) -> Tensor:
        """Fills `cache` with what it lacks of the prompts, padded on the left to `width`; logits after their last."""
        ids = np.zeros((len(prompts), width), dtype=np.int64)
        positions = np.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = prompt
            positions[row, width - len(prompt) :] = np.arange(len(prompt))
        start = cache.get_seq_length()
        # Keys and values are filled piece by piece; a recurrent state takes its padding only at the very start.
        piece = max(1, PREFILL_TOKENS // len(prompts)) if self.shareable else width
        for first in range(start, width, piece):
            last = min(first + piece, width)
            logits = self.forward(
                torch.from_numpy(ids[:, first:last]).to(self.device),
                torch.from_numpy(positions[:, first:last]).to(self.device),
                None if mask is None else mask[:, :last],
                cache,
            )
        return logits

    def new_cache(self) -> Any:
        """An empty cache of the kind that the model needs."""
        return KVCache() if self.shareable else recurrent(self._loaded.model)

    def affordable_slots(self) -> int:
        """Slots whose keys and values a share of the free memory holds; what one takes is measured."""
        if not self.shareable:
            return PREFILL_TOKENS  # rows of a recurrent model go through prefill all at once
        cache = KVCache()
        with self.inference():
            self.prefill([(0,)], 1, None, cache)
        return max(1, int(MEMORY_SHARE * free_memory(self.device) / cache.bytes))

    def free(self) -> None:
        """Gives memory that torch keeps for later back to the device."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class Batch:
    """Rows that are generated together. `step` emits one token of each; `rows` are those still running."""

    def __init__(
        self, engine: Engine, rows: list[Row], prefix: KVCache | None, sampling: Sampling, stop_ids: frozenset[int]
    ) -> None:
        started = time.perf_counter()
        self._engine = engine
        self._sampling = sampling
        self._stop_ids = stop_ids
        self._slots = rows  # the rows of all tensors below; some of them may have finished
        self.rows = rows
        self._steps = 0
        self._share = 0.0  # seconds a row has used that ran all the time
        prompts = {prompt: number for number, prompt in enumerate(dict.fromkeys(row.prompt for row in rows))}
        width, longest = max(map(len, prompts)), max(row.limit for row in rows)
        pads = torch.tensor([width - len(prompt) for prompt in prompts], device=engine.device)
        self._mask = None
        if pads.any():
            self._mask = torch.arange(width + longest, device=engine.device) >= pads[:, None]
        self._positions = width - pads[:, None]  # of the next token
        self._randoms = None
        if sampling.temperature > 0:
            draws = [np.random.default_rng(row.stream).random(row.limit) for row in rows]
            padded = np.stack([np.pad(draw, (0, longest - len(draw))) for draw in draws])
            self._randoms = torch.from_numpy(padded).to(engine.device)
        self._cache, self._logits = self._prefill(list(prompts), width, pads.tolist(), prefix)
        if len(prompts) < len(rows):
            places = torch.tensor([prompts[row.prompt] for row in rows], device=engine.device)
            self._take(places, randoms=False)
        self._share += (time.perf_counter() - started) / len(rows)

    def step(self) -> None:
        """Emits one token of every running row; rows that finish by it leave."""
        started = time.perf_counter()
        randoms = None if self._randoms is None else self._randoms[:, self._steps]
        tokens, logprobs = choose(self._logits, self._sampling, randoms)
        for row, token, logprob in zip(self._slots, tokens.tolist(), logprobs.tolist()):
            if row.finish is None:
                row.ids.append(token)
                row.logprobs.append(logprob)
                if token in self._stop_ids:
                    row.finish = "stop"
                elif len(row.ids) == row.limit:
                    row.finish = "length"
        running = [row for row in self._slots if row.finish is None]
        if running:
            if len(running) < KEEP_SHARE * len(self._slots):
                places = [place for place, row in enumerate(self._slots) if row.finish is None]
                kept = torch.tensor(places, device=self._engine.device)
                self._take(kept)
                self._slots, tokens = running, tokens[kept]
            mask = None if self._mask is None else self._mask[:, : self._cache.get_seq_length() + 1]
            self._logits = self._engine.forward(tokens[:, None], self._positions, mask, self._cache)
            self._positions = self._positions + 1
        self._steps += 1
        self._share += (time.perf_counter() - started) / len(self.rows)
        for row in self.rows:
            row.seconds = self._share
        self.rows = running

    def _prefill(
        self, prompts: list[tuple[int, ...]], width: int, pads: list[int], prefix: KVCache | None
    ) -> tuple[Any, Tensor]:
        """The cache filled with the prompts, and the logits after each; a bounded number of tokens a forward pass."""
        missing = width - (prefix.get_seq_length() if prefix else 0)
        chunk = max(1, PREFILL_TOKENS // missing) if self._engine.shareable else len(prompts)
        caches, logits = [], []
        for first in range(0, len(prompts), chunk):
            some = slice(first, first + chunk)
            cache = prefix.spread(pads[some], width) if prefix else self._engine.new_cache()
            mask = None if self._mask is None else self._mask[some]
            logits.append(self._engine.prefill(prompts[some], width, mask, cache))
            caches.append(cache)
        return (caches[0] if len(caches) == 1 else KVCache.join(caches)), torch.cat(logits)

    def _take(self, places: Tensor, *, randoms: bool = True) -> None:
        """Keep the rows at `places` of every tensor, in that order."""
        self._cache.reorder_cache(places)
        self._logits = self._logits[places]
        self._positions = self._positions[places]
        self._mask = None if self._mask is None else self._mask[places]
        if randoms and self._randoms is not None:
            self._randoms = self._randoms[places]


def choose(logits: Tensor, sampling: Sampling, randoms: Tensor | None) -> tuple[Tensor, Tensor]:
    """The next token of each row of `logits [rows, vocabulary]` and the model's log-probability of it.

    `randoms` holds one number in [0, 1) a row: sampling takes the token at which the cumulative probability, after
    temperature and within the smallest set of tokens that reaches top_p (Holtzman et al. 2020), passes it.
    """
    if randoms is None:
        tokens = logits.argmax(dim=-1)
    else:
        chances = (logits.double() / sampling.temperature).softmax(dim=-1)
        order = None
        if sampling.top_p < 1:
            chances, order = chances.sort(dim=-1, descending=True, stable=True)
            chances = chances.masked_fill(chances.cumsum(dim=-1) - chances >= sampling.top_p, 0.0)
        sums = chances.cumsum(dim=-1)
        found = torch.searchsorted(sums, randoms[:, None] * sums[:, -1:], right=True)
        found = found.clamp(max=logits.shape[1] - 1)
        tokens = (found if order is None else order.gather(-1, found))[:, 0]
    return tokens, logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(dim=-1)
