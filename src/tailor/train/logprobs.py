"""Log-probs under a model that stands still: what a method wants to know of every token before training.

The reference of preference methods is the policy itself before its first update: the base model under an adapter that
does nothing yet, or where a run goes on from another one, what that one ended with. It is computed once a data set, by
the same kernels over the same kind of Trees as the policy's own log-probs, so where the two are laid out alike they are
equal to the bit and a margin begins at exactly 0.

It is kept in a folder that all runs share, one file a data set, under a hash of all that it depends on: the model's
weights and arithmetic, the Datums in their order and the layout. A file therefore holds what would be computed again,
and a resumed run goes on exactly whether it finds the file or not. Layout, little-endian:

    16 bytes  b"tailor stream 1\\n"     16 bytes  blake2b of the rest     float32[t]  a value a weighted token
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tailor import kernels
from tailor.disk import write_atomic
from tailor.errors import ConfigError, did_you_mean
from tailor.records import Datum, Progress, quiet
from tailor.render.pack import plant
from tailor.weights.load import Loaded

MAGIC = b"tailor stream 1\n"

Values = dict[Datum, np.ndarray]
"""For each Datum a float32 a weighted token, in their order."""


@dataclass(frozen=True)
class Layout:
    """How Datums are laid out: as the training step does it."""

    token_budget: int
    share: bool
    reference: bool = False  # the general kernels, see `train.kernels`


def predicted(datum: Datum) -> np.ndarray:
    """Places of the tokens that are targets: those of weight, the first token never."""
    at = np.flatnonzero(datum.weights)
    return at[at > 0]


@torch.no_grad()
def logprobs(
    loaded: Loaded, datums: Sequence[Datum], layout: Layout, *, progress: Progress = quiet, what: str = "log-probs"
) -> Values:
    """log p of every weighted token, in nats, under the model as it stands; float32, without dropout."""
    loaded.model.eval()
    found: Values = {datum: np.zeros(0, np.float32) for datum in datums}
    trees = plant(datums, layout.token_budget, share=layout.share)
    for done, tree in enumerate(trees):
        progress(what, done, len(trees))
        with loaded.autocast():
            values = kernels.logprobs(loaded.model, tree, reference=layout.reference)
        ends = np.cumsum([len(predicted(datum)) for datum in tree.datums])
        found |= zip(tree.datums, np.split(values.float().cpu().numpy(), ends[:-1]))
    progress(what, len(trees), len(trees))
    return found


def reference(loaded: Loaded, datums: Sequence[Datum], layout: Layout, cache: Path, progress: Progress) -> Values:
    """Log-probs under the policy before its first update, from the cache where they are known. To be called then."""
    path = cache / f"{_key(loaded, datums, layout)}.stream"
    known = _read(path, datums)
    if known is None:
        known = logprobs(loaded, datums, layout, progress=progress, what="reference log-probs")
        body = np.concatenate([known[datum] for datum in datums]).astype("<f4").tobytes()
        write_atomic(path, MAGIC + _digest(body) + body)
    return known


Provider = Callable[[Loaded, Sequence[Datum], Layout, Path, Progress], Values]
STREAMS: Mapping[str, Provider] = {"reference": reference}
"""What a method may ask for in its `STREAMS`."""


def streams(
    names: Sequence[str],
    loaded: Loaded,
    datums: Sequence[Datum],
    layout: Layout,
    *,
    cache: Path,
    progress: Progress = quiet,
) -> list[dict[str, np.ndarray]]:
    """The named streams of each Datum: a float32 a token, 0 where no token is predicted.

    Raises ConfigError for a stream that nobody provides.
    """
    found: list[dict[str, np.ndarray]] = [{} for _ in datums]
    for name in names:
        if name not in STREAMS:
            raise ConfigError(f"the method asks for the unknown stream {name!r}", fix=did_you_mean(name, STREAMS))
        values = STREAMS[name](loaded, datums, layout, cache, progress)
        for datum, held in zip(datums, found):
            held[name] = np.zeros(len(datum), np.float32)
            held[name][predicted(datum)] = values[datum]
    return found


def _read(path: Path, datums: Sequence[Datum]) -> Values | None:
    """None where the file is missing or damaged."""
    with contextlib.suppress(OSError):
        data = path.read_bytes()
        body = data[len(MAGIC) + 16 :]
        ends = np.cumsum([len(predicted(datum)) for datum in datums])
        if data[: len(data) - len(body)] == MAGIC + _digest(body) and len(body) == 4 * ends[-1]:
            return dict(zip(datums, np.split(np.frombuffer(body, "<f4"), ends[:-1])))
    return None


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _key(loaded: Loaded, datums: Sequence[Datum], layout: Layout) -> str:
    """Hash of all that the values depend on."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{layout} {loaded.dtype} {loaded.device.type} {loaded.adapter} {len(datums)}".encode())
    digest.update((loaded.folder / "config.json").read_bytes())
    for name, parameter in loaded.model.named_parameters():
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
        digest.update(parameter.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    for datum in datums:
        digest.update(np.array([len(datum)], "<i8").data)
        digest.update(np.ascontiguousarray(datum.ids, "<i4").data)
        digest.update((datum.weights != 0).tobytes())
    return digest.hexdigest()
