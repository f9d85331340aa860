"""Does this engine compute what the model itself computes? Asked once a run, before anything is trained."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tailor.errors import ModelError
from tailor.kernels.logprobs import logprobs
from tailor.kernels.trunk import find_causal, find_trunk, why_alone
from tailor.records import Segment, Targets, Tree

# Two rows that share two tokens, and a stranger: rows 0-4 are the first path, 0-1 and 5-6 the second, 7-9 the third.
SEGMENTS = (Segment(-1, 0, 2), Segment(0, 2, 3), Segment(0, 5, 2), Segment(-1, 7, 3))
POSITIONS = np.array([0, 1, 2, 3, 4, 2, 3, 0, 1, 2], np.int32)
PATHS = ([0, 1, 2, 3, 4], [0, 1, 5, 6], [7, 8, 9])
ROUNDING = {torch.float32: 1e-3}  # of a log-prob, relative to 1 nat and more; shorter types:
SHORT_ROUNDING = 0.05


def check_model(model: nn.Module) -> None:
    """Compares log-probs of a small Tree with the model's own forward passes over its rows.

    Raises ModelError where they differ by more than rounding explains: the family does something between hidden rows
    and logits, or inside its attention, that is not known here. Costs four passes over a handful of tokens.
    """
    trunk = find_trunk(model)
    table: Tensor = trunk.get_input_embeddings().weight
    tree, paths = _tree(len(table), share=not why_alone(trunk, 5))
    training = model.training
    model.eval()
    with torch.no_grad():
        ours = logprobs(model, tree)
        theirs = torch.cat([_logprobs(model, tree.ids[path], table.device) for path in paths])
    model.train(training)
    worst = float(((ours - theirs).abs() / (1 + theirs.abs())).max())
    if not worst <= ROUNDING.get(table.dtype, SHORT_ROUNDING):
        raise ModelError(
            f"log-probs of {type(find_causal(model)).__name__} differ from its own forward pass by {worst:.2%}",
            fix="this family is not supported; please report it",
        )


def _tree(vocabulary: int, share: bool) -> tuple[Tree, list[list[int]]]:
    """The Tree, or its first path alone; and the rows of each path. Tokens are spread over the vocabulary."""
    ids = np.linspace(0, vocabulary - 1, len(POSITIONS)).astype(np.int32)
    paths = list(PATHS if share else PATHS[:1])
    segments = SEGMENTS if share else (Segment(-1, 0, 5),)
    size = segments[-1].start + segments[-1].length
    rows = np.array([row for path in paths for row in path[:-1]], np.int32)
    tokens = np.array([ids[row] for path in paths for row in path[1:]], np.int32)
    owners = np.repeat(np.arange(len(paths), dtype=np.int32), [len(path) - 1 for path in paths])
    targets = Targets(rows, tokens, np.ones(len(rows), np.float32), owners)
    return Tree(ids[:size], POSITIONS[:size], segments, targets, ()), paths


def _logprobs(model: nn.Module, ids: np.ndarray, device: torch.device) -> Tensor:
    """log p of each token of `ids` after the first, by the model's own forward pass."""
    row = torch.as_tensor(ids, dtype=torch.int64, device=device)[None]
    logits: Tensor = find_causal(model)(input_ids=row, use_cache=False).logits[0, :-1].float()
    return logits.log_softmax(-1).gather(1, row[0, 1:, None])[:, 0]
