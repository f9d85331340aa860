"""An adapter merged into the weights of its base: one model that transformers, and all that reads its format, takes.

Merging is done in fp32 and checked twice on the user's own rows, always in fp32 arithmetic, so that nothing but the
weights can differ: right after it, where only a mistake could show, and once more on the folder that was written, read
back by stock transformers, where rounding to the number type it is stored in shows too. A short or gentle tuning moves
the weights less than bf16 can hold; what rounding takes of it is measured and said.
"""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn

from tailor.config import ModelConfig
from tailor.disk import need_space, replaced
from tailor.errors import ModelError
from tailor.weights.load import capped, hushed, load
from tailor.weights.quantise import dequantise
from tailor.weights.save import add_companions

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
LIMITS = {"fp32": 1e-5, "fp16": 4e-3, "bf16": 2e-2}
"""How far logits may be off, as a share of their spread (rms of the difference over the standard deviation). fp32: ten
times what the order of sums explains. The others: about twice what rounding every weight to that type does."""
MOST_LOST = 0.5  # of what the tuning changed: a model that has lost more is not the one that was measured


class Merged(Struct, frozen=True):
    """What was written, and how it compares with the unmerged model over `tokens` tokens of `rows` rows.

    `merging` and `stored` are differences of logits as a share of their spread: in fp32, and read back from disk.
    `largest` is the largest difference of one logit, `lost` the share of what the tuning changed that rounding took.
    """

    model: str
    dtype: str
    bytes: int
    rows: int
    tokens: int
    merging: float
    merging_limit: float
    stored: float
    stored_limit: float
    largest: float
    lost: float


def merge(
    config: ModelConfig, adapter: Path, out: Path, rows: Sequence[Sequence[int]], *, dtype: str = "", template: str = ""
) -> Merged:
    """Write the model of `config` with the PEFT adapter in `adapter` merged into it to the new folder `out`.

    `rows` are token ids to compare logits on. `dtype` (fp32, fp16, bf16) is what the weights are stored in; the base's
    own where it is empty. A 4-bit base is dequantised first: the adapter was trained against those values. A head that
    is tied to the embedding while only one of them is adapted gets weights of its own. Takes 4 bytes a parameter of
    memory. Raises ModelError, with nothing left in `out`, where logits differ by more than `LIMITS`; ResourceError.
    """
    from transformers import AutoModelForCausalLM

    exact = config if config.quantise != "none" else config.model_copy(update={"dtype": "fp32"})
    loaded = load(exact, device="cpu")
    dtype = dtype or stored_dtype(loaded.folder)
    with hushed():
        plain = dequantise(loaded.model).float()
    model: Any = _with_adapter(plain, adapter)
    tuned = _logits(model, rows)
    with model.disable_adapter():
        effect = _rms(_logits(model, rows) - tuned)
    _untie(model)
    with _hushed():
        model = model.merge_and_unload()
    merging = _compare(model, rows, tuned, "fp32", "merging changed")
    model.to(DTYPES[dtype])
    size = sum(parameter.nbytes for parameter in model.parameters())
    need_space(out.parent, size)
    with replaced(out) as staged:
        with hushed():
            model.save_pretrained(staged)
        add_companions(loaded.folder, staged, template)
        del model, plain, loaded
        with hushed():
            again = AutoModelForCausalLM.from_pretrained(staged, dtype=torch.float32)
        capped(again)
        stored = _compare(again, rows, tuned, dtype, f"storing it in {dtype} changed")
        difference = _logits(again, rows) - tuned
        lost = _rms(difference) / effect if effect else 0.0
        if lost > MOST_LOST:
            raise ModelError(
                f"rounding to {dtype} would take back {lost:.0%} of what the tuning changed: it moved the weights by "
                "less than that type can hold",
                where=str(adapter),
                fix="--dtype fp32 keeps all of it; a longer tuning moves them further",
            )
    return Merged(
        model=str(out),
        dtype=dtype,
        bytes=size,
        rows=len(rows),
        tokens=sum(map(len, rows)),
        merging=merging,
        merging_limit=LIMITS["fp32"],
        stored=stored,
        stored_limit=LIMITS[dtype],
        largest=float(difference.abs().max()),
        lost=lost,
    )


def stored_dtype(folder: Path) -> str:
    """The number type that most weights in `folder` have, by the heads of its safetensors; bf16 for packed ones."""
    names = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}
    counts: Counter[str] = Counter()
    for path in folder.glob("*.safetensors"):
        with open(path, "rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, tensor in head.items():
            if name != "__metadata__":
                counts[tensor["dtype"]] += math.prod(tensor["shape"])
    return names.get(counts.most_common(1)[0][0], "bf16") if counts else "bf16"


def _with_adapter(model: nn.Module, adapter: Path) -> nn.Module:
    from peft import PeftModel

    with _hushed():
        return PeftModel.from_pretrained(model, str(adapter)).eval()  # type: ignore[no-any-return]


def _untie(model: Any) -> None:
    """Gives a tied head its own copy of the table, where an adapter would otherwise change both by changing one."""
    causal = model.get_base_model()
    table, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    mine, its = (getattr(module, "get_base_layer", lambda module=module: module)() for module in (head, table))
    if mine.weight is its.weight and (mine is not head or its is not table):
        mine.weight = nn.Parameter(mine.weight.detach().clone(), requires_grad=False)
        for config in (causal.config, causal.config.get_text_config()):
            config.tie_word_embeddings = False


@torch.no_grad()
def _logits(model: Any, rows: Sequence[Sequence[int]]) -> Tensor:
    """fp32 [all tokens, vocabulary]."""
    parts = [model(input_ids=torch.tensor([list(row)]), use_cache=False).logits[0] for row in rows]
    return torch.cat(parts).float()


def _compare(model: Any, rows: Sequence[Sequence[int]], wanted: Tensor, dtype: str, what: str) -> float:
    """The difference from `wanted` as a share of its spread. Raises ModelError above the limit of `dtype`."""
    found = _rms(_logits(model, rows) - wanted) / float(wanted.std())
    if not found <= LIMITS[dtype]:
        raise ModelError(
            f"{what} the logits by {found:.2g} of their spread, more than the {LIMITS[dtype]:g} that {dtype} explains",
            fix="nothing was written; keep using the adapter with its base, and please report this model",
        )
    return found


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


@contextmanager
def _hushed() -> Iterator[None]:
    """Without PEFT's worries about tied weights: `_untie` settles them, and the logits are compared in any case."""
    with hushed(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
