"""How hard to filter, and what choosing is worth: the table of design/010, with a linear model instead of thimble.

    python recipes/curation/probe.py ../shared/data flipped 0.3      # seconds to a minute; 0 for clean rows

For each threshold of `--doubt`: how many of the wrong rows it finds, what is left, and the share of right answers of a
ridge on hashed n-grams after training on all that is left, and on 200, 1,000 and 3,000 rows of it, chosen and by lot.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from claim import banking77, rows_of
from noise import spoilt

from tailor.config import CheckConfig
from tailor.curate.check import collected
from tailor.curate.labels import SIZE, grams, judged_among
from tailor.curate.selectors import facility, random
from tailor.curate.selectors.base import Pool
from tailor.records import Example, Source, message

DOUBTS = (np.inf, 0.3, 0.2, 0.1, 0.05, 0.0, -0.1, -0.2)
SIZES = (200, 1000, 3000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds banking77/")
    parser.add_argument("noise", choices=("flipped", "next-class"))
    parser.add_argument("rate", type=float)
    arguments = parser.parse_args()
    clean, _, _ = rows_of("banking77", arguments.shared)
    _, test = banking77(arguments.shared / "banking77")
    rows = [*spoilt(clean, arguments.noise, arguments.rate), *test]
    wrong = np.array([ours != theirs for ours, theirs in zip(rows, clean)])
    with ExitStack() as stack:
        turns = [(message("user", prompt), message("assistant", answer)) for prompt, answer in rows]
        examples = [Example(kind="chat", source=Source("a", n), messages=both) for n, both in enumerate(turns, 1)]
        corpus = collected(examples, CheckConfig(), stack)
        _, first = np.unique(corpus.row_key[: len(clean)], return_index=True)
        pool = np.sort(first)
        judged = judged_among(corpus, pool)
        assert judged is not None
        model = Model(*grams(corpus, np.arange(len(rows))), [answer for _, answer in rows], len(clean))
        print(f"kappa {judged.fit:.2f}\ndoubt  found   rows   all " + "".join(f"  {size:>5}/lot" for size in SIZES))
        for doubt in DOUBTS:
            stay = judged.of_other - judged.of_own < doubt
            left = pool[stay]
            strata = np.unique(corpus.answer_key[left], return_inverse=True)[1]
            line = f"{doubt:5} {(wrong[pool] & ~stay).sum() / max(1, wrong[pool].sum()):6.1%} {len(left):6,} "
            line += f"{model.right(left):.3f}"
            for size in [size for size in SIZES if size <= len(left)]:
                by_lot = [model.right(random.choose(Pool(corpus, left, strata, seed), size)) for seed in range(3)]
                chosen = facility.choose(Pool(corpus, left, strata), size)
                line += f"  {model.right(chosen):.3f}/{np.mean(by_lot):.3f}"
            print(line, flush=True)


class Model:
    """A ridge from n-grams to labels, tested on the rows from `cut` on."""

    def __init__(self, places: np.ndarray, counts: np.ndarray, answers: list[str], cut: int) -> None:
        rare = np.log((1 + len(counts)) / (1 + np.bincount(places, minlength=SIZE))).astype(np.float32)
        self.rows = np.zeros((len(counts), SIZE), np.float32)
        self.rows[np.repeat(np.arange(len(counts)), counts), places] = rare[places]
        self.rows /= np.maximum(np.linalg.norm(self.rows, axis=1, keepdims=True), 1e-6)
        self.names, self.labels = np.unique(answers, return_inverse=True)
        self.cut = cut

    def right(self, some: np.ndarray) -> float:
        """The share of right answers on the test rows after training on some of the others."""
        rows = self.rows[some]
        wanted = np.eye(len(self.names), dtype=np.float32)[self.labels[some]]
        if len(some) < SIZE:
            weights = rows.T @ np.linalg.solve(rows @ rows.T + np.eye(len(some), dtype=np.float32), wanted)
        else:
            weights = np.linalg.solve(rows.T @ rows + np.eye(SIZE, dtype=np.float32), rows.T @ wanted)
        given = (self.rows[self.cut :] @ weights).argmax(axis=1)
        return float((given == self.labels[self.cut :]).mean())


if __name__ == "__main__":
    main()
