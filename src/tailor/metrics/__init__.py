"""(example, completion) -> Score: one file a metric; `choose` says which one suits the answers at hand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tailor import plugins
from tailor.errors import DataError
from tailor.metrics import number_match
from tailor.metrics._json import NotJson, parse
from tailor.records import Example

MOST = 0.95  # share of the answers that must look alike: a few odd rows do not change what the task is
LABELS = 200  # more distinct answers than this are no set of labels
LABEL_ROWS = 3  # rows a label, on average, below which answers only happen to repeat
LABEL_LENGTH = 80  # characters
SHORT = 60  # characters of an answer that has one right wording
FINAL_NUMBER = re.compile(r"####\s*[-−]?[$€£¥₹]?[\d.,]+\s*$")  # how GSM8K ends its answers
PLAIN_NUMBER = re.compile(r"[-−+]?\s?[$€£¥₹]?\s?[\d.,'’\s]*\d\s?[$€£¥₹%]?")


def companions(name: str) -> tuple[str, ...]:
    """The metrics that are shown beside one: those that its file names as `BESIDE`."""
    beside: tuple[str, ...] = getattr(plugins.load("metrics", name), "BESIDE", ())
    return beside


def choose(examples: Sequence[Example]) -> tuple[str, str]:
    """The metric that suits the wanted answers, and the sentence that says why, with its counts.

    Raises DataError where no example has an answer of text.
    """
    answers = [example.answer.strip() for example in examples if example.answer.strip()]
    if not answers:
        raise DataError(
            "no row has an answer in text to compare with", fix="give rows with answers, or choose --metric"
        )
    n = len(answers)
    objects = sum(map(_is_json, answers))
    if objects >= MOST * n:
        return "json-exact", f"{_of(objects, n)} are JSON: right is valid JSON with every field right"
    if max(map(len, answers)) <= LABEL_LENGTH and "\n" not in "".join(answers):
        labels = len(Counter(answers))
        if 2 <= labels <= LABELS and n >= LABEL_ROWS * labels:
            return "exact", f"the {n:,} answers are {labels} labels: right is the same label"
    numbers = sum(map(_is_number, answers))
    if numbers >= MOST * n:
        return "number-match", f"{_of(numbers, n)} end in a number: right is the same number"
    short = sum(len(answer) <= SHORT and "\n" not in answer for answer in answers)
    if short >= MOST * n:
        return "exact-normalised", f"{_of(short, n)} are one short line: right is the same but for case and blanks"
    return (
        "rouge-l",
        f"{_of(n - short, n)} are longer texts: scored by the words they share with the wanted one in order",
    )


def _of(some: int, n: int) -> str:
    return f"all {n:,} answers" if some == n else f"{some:,} of {n:,} answers"


def _is_json(answer: str) -> bool:
    if not answer.startswith(("{", "[")):
        return False
    try:
        return isinstance(parse(answer), dict | list)
    except NotJson:
        return False


def _is_number(answer: str) -> bool:
    looks = FINAL_NUMBER.search(answer) or (len(answer) <= SHORT and PLAIN_NUMBER.fullmatch(answer))
    return bool(looks) and number_match.last_number(answer) is not None
