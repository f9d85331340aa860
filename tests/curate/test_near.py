"""Near duplicates against an oracle in plain Python: sets of substrings, every pair compared."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tailor import formats
from tailor.config import CheckConfig
from tailor.curate.check import collected
from tailor.curate.near import Pairs, signatures
from tailor.curate.shingles import Template

SHARED = Path(__file__).parents[3] / "shared" / "data"


def without_template(texts: list[str], share: float = 0.05) -> list[str]:
    """The words of each text that stand in no run of six that `share` of the texts have."""
    runs = Counter(
        run for text in texts for run in {tuple(text.split()[i : i + 6]) for i in range(len(text.split()) - 5)}
    )
    shared = {run for run, count in runs.items() if count >= max(8, share * len(texts))}
    left = []
    for text in texts:
        words = text.split()
        taken = {i + k for i in range(len(words) - 5) if tuple(words[i : i + 6]) in shared for k in range(6)}
        left.append(" ".join(word for i, word in enumerate(words) if i not in taken))
    return left


def pieces(text: str) -> set[bytes]:
    raw = text.encode()
    return {raw[i : i + 5] for i in range(len(raw) - 4)}


def oracle(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    sets = [pieces(text) for text in without_template(texts)]
    found = set()
    for a, b in combinations(range(len(texts)), 2):
        if min(len(sets[a]), len(sets[b])) >= 8:
            common = len(sets[a] & sets[b])
            if common / (len(sets[a]) + len(sets[b]) - common) >= threshold:
                found.add((a, b))
    return found


def pairs_of(file: Path, settings: CheckConfig) -> tuple[Pairs, int]:
    with ExitStack() as stack:
        corpus = collected(formats.stream([str(file)]), settings, stack)
        return corpus.near.rows, len(corpus)


def variants(count: int, seed: int) -> list[str]:
    """Texts of a small vocabulary behind one of three openings; a third are a text before with a few words changed."""
    dice = random.Random(seed)
    words = ["".join(dice.choices("abcdefghijklmnoprstuvwé", k=dice.randrange(2, 9))) for _ in range(400)]
    openings = [
        "",
        "read this note and say what it is about note",
        "please sort the following message into a class now",
    ]
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and dice.random() < 0.33:
            text = list(dice.choice(texts))
            for _ in range(dice.randrange(1, 5)):
                text[dice.randrange(len(text))] = dice.choice(words)
        else:
            text = dice.choices(words, k=dice.randrange(3, 40))
        texts.append(text)
    return [f"{dice.choice(openings)} {' '.join(text)}".strip() for text in texts]


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.9])
def test_pairs_are_those_of_exact_comparison(threshold: float, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    texts = list(dict.fromkeys(variants(500, seed=3)))
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found, count = pairs_of(file, CheckConfig(near=threshold))
    assert count == len(texts)
    wanted = oracle(texts, threshold)
    got = set(map(tuple, found.pairs.tolist()))
    assert len(wanted) > 15
    assert len(got & wanted) >= (0.98 if threshold >= 0.8 else 0.94) * len(wanted)
    assert got <= wanted


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/gpteacher")
@pytest.mark.parametrize(("level", "rows", "near"), [("dedupe-only", 7_673, 398), ("similarity-0.7", 3_487, 0)])
def test_tool_use_rows_after_their_template(level: str, rows: int, near: int) -> None:
    """Whole rows call 83% of this set near duplicates; without the template 5% are, and none where others took off
    what was alike at 0.7. The 398 are among the 402 rows that comparing every pair exactly gives where the lines of
    the header are taken off instead (bench/truths.py)."""
    found, count = pairs_of(SHARED / "gpteacher" / f"toolformer-{level}.json", CheckConfig())
    assert count == rows
    assert len(set(found.pairs[:, 1].tolist())) == near


def test_a_signature_agrees_in_the_share_of_common_pieces() -> None:
    dice = random.Random(5)
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for keep in (0.5, 0.8, 0.95):
        shared = ["".join(dice.choices(alphabet, k=12)) for _ in range(300)]
        other = [word if dice.random() < keep else "".join(dice.choices(alphabet, k=12)) for word in shared]
        a, b = " ".join(shared), " ".join(other)
        signed, counts = signatures([a, b], Template(np.empty(0, np.uint64)))
        exact = len(pieces(a) & pieces(b)) / len(pieces(a) | pieces(b))
        assert counts.tolist() == [len(a) - 4, len(b) - 4]
        assert (signed[0] == signed[1]).mean() == pytest.approx(exact, abs=0.16)


def test_permutations_differ_from_each_other() -> None:
    """A hash whose permutations keep the order of values gives the same least piece in every place."""
    texts = ["".join(random.Random(n).choices("abcdefgh ", k=300)) for n in range(50)]
    signed, _ = signatures(texts, Template(np.empty(0, np.uint64)))
    agree = [(signed[a] == signed[b]).mean() for a, b in combinations(range(50), 2)]
    assert max(agree) < 0.4
    assert len(np.unique(signed[0])) > 60


def test_the_template_is_what_many_rows_share() -> None:
    opening = "you are a helpful clerk who answers in one word"
    texts = [f"{opening} {n} word{n} thing{n * 7} end{n}" for n in range(40)]
    template = Template.of(texts)
    left = [len(found) for pieces in template.pieces(texts) for found in np.split(pieces.values, pieces.starts[1:])]
    wanted = [len(pieces(text)) for text in without_template(texts)]
    assert left == wanted
    assert max(left) < 30
    assert not len(Template.of(texts[:7]).runs), "seven rows are no habit"


def left_of(texts: list[str]) -> list[int]:
    """How many pieces each text has left when the template of all of them is off."""
    template = Template.of(texts)
    return [len(found) for part in template.pieces(texts) for found in np.split(part.values, part.starts[1:])]


def test_how_many_questions_begin_is_no_template() -> None:
    """A third begins with `find the`, behind the same opening: those two words are the question's."""
    opening = "you are a helpful clerk who answers in one word"
    questions = [f"{'find the' if n % 3 == 0 else f'q{n} w{n}'} word{n} thing{n * 7} of end{n}" for n in range(90)]
    assert left_of([f"{opening} {question}" for question in questions]) == [len(q) - 4 for q in questions]
    endings = [f"word{n} thing{n * 7} {'is it' if n % 3 == 0 else f'q{n} w{n}'}" for n in range(90)]
    assert left_of([f"{ending} {opening}" for ending in endings]) == [len(text) - 4 for text in endings]


def test_what_half_of_the_texts_begin_with_is_template() -> None:
    texts = [f"notes of {'the office' if n % 4 else 'my'} word{n} thing{n * 7} end{n}" for n in range(60)]
    assert left_of(texts) == [len(text.removeprefix("notes of the office ")) - 4 for text in texts], (
        "the words of a quarter stay, and of two words all"
    )


def test_clusters_join_what_is_joined_by_pairs() -> None:
    found = Pairs(np.array([[1, 4], [4, 9], [2, 3]]), np.array([0.9, 0.9, 0.9]))
    assert found.clusters() == [[1, 4, 9], [2, 3]]
