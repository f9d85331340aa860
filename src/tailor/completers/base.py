"""What all completers share: the check of the sampling settings, and answers back in the order of the requests.

A completer never fails on one request among many: a prompt that is empty or leaves the model's context no room for an
answer gives a Completion without text whose finish_reason is "refused". Every metric scores it as wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from tailor.errors import ConfigError
from tailor.records import Completer, Completion, Request, Sampling, Tokenizer


def check(sampling: Sampling) -> None:
    """Raises ConfigError that names every setting no tokens can be chosen by."""
    wrong = [
        text
        for ok, text in (
            (sampling.max_tokens >= 1, f"max_tokens = {sampling.max_tokens} must be 1 or more"),
            (sampling.temperature >= 0, f"temperature = {sampling.temperature} must be 0 (greedy) or more"),
            (0 < sampling.top_p <= 1, f"top_p = {sampling.top_p} must lie above 0 and at most at 1"),
            (sampling.n >= 1, f"n = {sampling.n} must be 1 or more"),
            (sampling.seed >= 0, f"seed = {sampling.seed} must be 0 or more"),
        )
        if not ok
    ]
    if wrong:
        raise ConfigError("; ".join(wrong), fix="correct the sampling settings")


def gather(completer: Completer, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
    """All completions of each request, in the order of `requests`."""
    answers: dict[int, list[Completion]] = dict(completer.complete(requests, sampling))
    return [answers[index] for index in range(len(requests))]


class TextStream:
    """Text of tokens that come one by one, in pieces that join to the text of all and never end inside a character.

    A tokenizer may need several tokens for one character, and may treat the first token of a text apart. So the tokens
    since the last piece are decoded together with those of the piece before, and held back while the end is unfinished
    (U+FFFD).
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._before: list[int] = []
        self._held: list[int] = []

    def add(self, token: int) -> str:
        """What can be shown once `token` is there; may be empty."""
        self._held.append(token)
        piece = self._piece()
        if not piece or piece.endswith("\ufffd"):
            return ""
        self._before, self._held = self._held, []
        return piece

    def end(self) -> str:
        """What was still held back."""
        piece = self._piece()
        self._before, self._held = self._held, []
        return piece

    def _piece(self) -> str:
        shown = self._tokenizer.decode(self._before, skip_special=True)
        return self._tokenizer.decode(self._before + self._held, skip_special=True)[len(shown) :]
