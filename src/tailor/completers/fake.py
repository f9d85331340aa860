"""Scripted answers: a completer for tests and examples that needs no model.

    FakeCompleter({"What is 2 + 2?": "4"}, otherwise="I don't know")
    FakeCompleter(lambda request: request.messages[-1].text.upper())
    FakeCompleter.knowing(examples, right=30, seed=1)     # 30 of them, drawn by the seed, answered as wanted

Its tokens are words with the blanks behind them, so `max_tokens` cuts an answer as a model's would.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tailor.completers.base import check
from tailor.errors import ConfigError
from tailor.records import Completion, Example, Request, Sampling

Script = Callable[[Request], str]


class FakeCompleter:
    """Answers from a script: a function of the request, or a table by the text of the last message.

    Raises ConfigError on a request that the table lacks, unless `otherwise` is given. `calls` keeps every request.
    """

    def __init__(self, script: Script | Mapping[str, str], *, otherwise: str | None = None) -> None:
        self._script = script if callable(script) else _table(script, otherwise)
        self.calls: list[Request] = []

    @classmethod
    def knowing(
        cls, examples: Sequence[Example], *, right: int, seed: int = 0, wrong: str = "no idea"
    ) -> FakeCompleter:
        """Gives the wanted answer to `right` of the examples, drawn by the seed, and `wrong` to the others."""
        if not 0 <= right <= len(examples):
            raise ConfigError(f"right = {right} must lie between 0 and the {len(examples)} examples")
        chosen = set(np.random.default_rng(seed).permutation(len(examples))[:right].tolist())
        table = {
            example.prompt[-1].text: example.answer if row in chosen else wrong for row, example in enumerate(examples)
        }
        return cls(table)

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """Yields (index of the request, its completions), all of them the scripted answer."""
        check(sampling)
        for index, request in enumerate(requests):
            self.calls.append(request)
            yield index, [self._completion(request, sampling)] * sampling.n

    def stream(self, request: Request, sampling: Sampling) -> Iterator[str]:
        """Yields the scripted answer word by word."""
        check(sampling)
        self.calls.append(request)
        yield from _words(self._script(request))[: sampling.max_tokens]

    def _completion(self, request: Request, sampling: Sampling) -> Completion:
        words = _words(self._script(request))
        kept = words[: sampling.max_tokens]
        return Completion(
            text="".join(kept),
            ids=tuple(zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in kept),
            logprobs=(0.0,) * len(kept),
            finish_reason="stop" if len(kept) == len(words) else "length",
            prompt_tokens=sum(len(_words(message.text)) for message in request.messages),
        )


def _words(text: str) -> list[str]:
    """Pieces that join to `text`: words with the blanks behind them."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def _table(answers: Mapping[str, str], otherwise: str | None) -> Script:
    def answer(request: Request) -> str:
        prompt = request.messages[-1].text
        found = answers.get(prompt, otherwise)
        if found is None:
            raise ConfigError(f"the script has no answer to {prompt!r}", fix="add it, or give `otherwise`")
        return found

    return answer
