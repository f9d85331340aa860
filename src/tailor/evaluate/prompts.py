"""What the prompted arms say: the instructions that go with labels, and which training rows serve as examples."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tailor.evaluate.arms import show
from tailor.metrics import LABEL_LENGTH, LABEL_ROWS
from tailor.records import Example

MOST_LABELS = 150  # a longer list costs more tokens on every request than a prompt is worth
MOST_NUMBERS = 12  # more numbers than that are no grades but results
_POOL = 400  # rows looked at when examples are chosen for being unlike one another


def auto_instructions(train: Sequence[Example]) -> tuple[str, str]:
    """(instructions, the reason for them in words): the list of labels where the answers are labels, else nothing.

    Answers are labels where each is one short line, at most 150 differ (12 numbers, and no JSON), and each is given by
    three rows and more on average. Any prompt a user would write for such a task names them, so the prompted arms get
    them too.
    """
    answers = [example.answer.strip() for example in train]
    labels = sorted(set(answers))
    if not _are_labels(answers, labels):
        return "", "answers are not labels: no instructions beyond the rows' own system prompts"
    listed = ", ".join(labels) if not any("," in label for label in labels) else "\n" + "\n".join(labels)
    return (
        f"Answer with exactly one of these labels and nothing else: {listed}",
        f"{len(answers):,} answers are {len(labels):,} labels: the instructions list them",
    )


def _are_labels(answers: Sequence[str], labels: Sequence[str]) -> bool:
    if not 2 <= len(labels) <= MOST_LABELS or len(answers) < LABEL_ROWS * len(labels):
        return False
    if len(labels) > MOST_NUMBERS and not any(char.isalpha() for label in labels for char in label):
        return False
    return all(_is_label(label) for label in labels)


def _is_label(answer: str) -> bool:
    return 0 < len(answer) <= LABEL_LENGTH and "\n" not in answer and not answer.startswith(("{", "["))


def choose_shots(
    train: Sequence[Example], k: int, seed: int = 0, *, max_tokens: int, count_tokens: Callable[[str], int]
) -> list[Example]:
    """At most `k` training rows to serve as examples, the same ones whatever the order of `train`.

    Where answers repeat, one row for each of the commonest answers, then a second one; where each answer stands alone,
    rows as unlike one another as can be (farthest first over the words of prompt and answer). `max_tokens` is the
    budget of all examples together. Rows far over their part of it are passed over, and so is what no longer fits:
    fewer than `k` come back where rows are long, none where not even one fits. `count_tokens` counts a text's tokens;
    8 a turn are added for what a template puts around it. Ties fall by a hash of seed and content.
    """
    rows = sorted((row for row in train if row.kind == "chat" and row.answer), key=lambda row: _hash(row, seed))
    counts = Counter(row.answer for row in rows)
    repeated = len(rows) >= LABEL_ROWS * len(counts)
    pool = (_answers_in_turn(rows, counts) if repeated else rows)[:_POOL]
    sized = [(row, _size(row, count_tokens)) for row in pool]
    longest = max(2 * max_tokens / k, 1.5 * min((size for _, size in sized), default=0))
    fitting = [(row, size) for row, size in sized if size <= longest]
    chosen: list[Example] = []
    for row, size in fitting if repeated else _farthest_first(fitting):
        if len(chosen) == k:
            break
        if size <= max_tokens:
            chosen.append(row)
            max_tokens -= size
    return sorted(chosen, key=lambda row: _hash(row, seed))


def _hash(row: Example, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed} {row.key}".encode(), digest_size=8).digest()


def _size(row: Example, count_tokens: Callable[[str], int]) -> int:
    turns = sum(turn.role != "system" for turn in row.messages)
    return count_tokens(show(row.messages)) + 8 * turns


def _answers_in_turn(rows: Sequence[Example], counts: Counter[str]) -> list[Example]:
    """One row of each answer, commonest first, then a second one of each, and so on."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, int, str, int]] = []
    for row in rows:
        turns.append((seen[row.answer], -counts[row.answer], row.answer, len(turns)))
        seen[row.answer] += 1
    return [rows[place] for *_, place in sorted(turns)]


def _farthest_first(rows: Sequence[tuple[Example, int]]) -> Iterator[tuple[Example, int]]:
    """Each time the row whose words overlap least (Jaccard) with the nearest row given before; the first row first."""
    words = [set(show(row.messages).casefold().split()) for row, _ in rows]
    nearest = [0.0] * len(rows)
    left = set(range(len(rows)))
    while left:
        pick = min(left, key=lambda place: (nearest[place], place))
        left.remove(pick)
        yield rows[pick]
        for place in left:
            union = len(words[pick] | words[place])
            nearest[place] = max(nearest[place], len(words[pick] & words[place]) / union if union else 1.0)
