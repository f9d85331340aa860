"""What a small model that has not seen a preference pair thinks of it.

Ridge regression on the difference of the two answers: words, pairs of words and pieces of four characters that stand in
one of them only. Each tenth of the pairs is scored by the model of the other nine. How far scores can be believed, and
how many pairs stand the wrong way round, is fitted to the scores themselves: the chosen answer is the better one with
probability p + (1 - 2p) / (1 + exp(-k score)), where p is the share of pairs turned round (noise of labels as in
Natarajan et al. 2013). Where the answers do not tell, k is small, and no pair is likely to be turned.
"""

from __future__ import annotations

import itertools
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.spool import Spool

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

SAMPLE = 10_000  # pairs that are judged at most: 10 s on one core
_SIZE = 1 << 18
_HEAD = 1000  # characters of each answer that are looked at: what makes it good or bad shows early
_FOLDS = 10
_RIDGE = 3.0
_STEPS = 30
_TASK = 512
_WORD = re.compile(r"\w+|[^\w\s]")


def turned(corpus: Corpus, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """How likely each of these pairs stands the wrong way round, float64 [n]; and the share of pairs that the model
    would guess rightly if none did."""
    tasks = [(corpus.offset[rows[at : at + _TASK]],) for at in range(0, len(rows), _TASK)]
    places, values, counts = (np.concatenate(parts) for parts in zip(*corpus.crew.run(_differences, tasks)))
    scores = _left_out(places, values, counts)
    likely, share = _posterior(scores)
    return likely, (float((scores > 0).mean()) - share) / (1 - 2 * share)


def _differences(spool: Spool, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and signs of what stands in one answer only, one pair after another, and how many each has."""
    places: list[int] = []
    signs: list[int] = []
    counts = []
    for offset in offsets.tolist():
        example = spool.example(offset)
        chosen, rejected = (
            _pieces(" ".join(turn.text for turn in side)) for side in (example.chosen, example.rejected)
        )
        more, less = sorted(chosen - rejected), sorted(rejected - chosen)
        places += more + less
        signs += [1] * len(more) + [-1] * len(less)
        counts.append(len(more) + len(less))
    return np.array(places, np.int64), np.array(signs, np.float64), np.array(counts, np.int64)


def _pieces(text: str) -> set[int]:
    words = _WORD.findall(text[:_HEAD].lower())
    line = f" {' '.join(words)} "
    grams = {line[at : at + 4] for at in range(len(line) - 3)}
    grams.update(f"w {word}" for word in words)
    grams.update(f"p {a} {b}" for a, b in itertools.pairwise(["", *words, ""]))
    return {zlib.crc32(gram.encode("utf-8", "surrogatepass")) % _SIZE for gram in grams}


def _left_out(places: np.ndarray, signs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The score of each pair by the model of the other folds; above 0 where chosen looks like the other chosen ones."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import LinearOperator, cg

    n = len(counts)
    values = signs * (1 + np.log((1 + n) / (1 + np.bincount(places, minlength=_SIZE))))[places]
    pair = np.repeat(np.arange(n), counts)
    lengths = np.sqrt(np.bincount(pair, values**2, minlength=n))
    x = csr_matrix((values / np.maximum(lengths, 1e-9)[pair], (pair, places)), shape=(n, _SIZE))
    fold = np.arange(n) % _FOLDS
    scores = np.empty(n)
    for held in range(_FOLDS):
        seen = x[fold != held]

        def normal(weights: np.ndarray, seen: csr_matrix = seen) -> np.ndarray:
            product: np.ndarray = seen.T @ (seen @ weights) + _RIDGE * weights
            return product

        wanted = seen.T @ np.ones(seen.shape[0])
        weights, _ = cg(
            LinearOperator((_SIZE, _SIZE), matvec=normal, dtype=np.float64), wanted, rtol=1e-3, maxiter=_STEPS
        )
        scores[fold == held] = x[fold == held] @ weights
    return scores


def _posterior(scores: np.ndarray) -> tuple[np.ndarray, float]:
    """How likely each pair is turned round, by the p and k under which the scores are likeliest; and that p."""
    scaled = np.clip(scores / max(float(np.median(np.abs(scores))), 1e-9), -50, 50)
    best, posterior, found = -np.inf, np.zeros(len(scores)), 0.0
    for trust in np.geomspace(0.05, 20, 40):
        better = 1 / (1 + np.exp(-trust * scaled))
        for share in (0.0, *np.geomspace(0.002, 0.4, 30)):
            likely = float(np.log(share + (1 - 2 * share) * better + 1e-12).sum())
            if likely > best:
                best, found = likely, float(share)
                posterior = share * (1 - better) / np.maximum(share * (1 - better) + (1 - share) * better, 1e-12)
    return posterior, found
