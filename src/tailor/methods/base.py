"""What every method is written against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tailor.errors import ConfigError
from tailor.records import Datum, Example, Kind, Message, Source

TRAINED_BY: dict[Kind, str] = {
    "chat": "sft",
    "text": "sft",
    "pair": "a preference method such as dpo",
    "rated": "a method for ratings such as kto",
    "prompt": "a method driven by rewards, as there is no answer to learn from",
}


class Renderer(Protocol):
    """The part of a renderer that methods use: Examples to tokens, with a loss weight on each."""

    def datums(self, example: Example, group: int) -> list[Datum]:
        """The Example as Datums in which the model's own tokens carry weight."""
        ...

    def answer_datum(
        self,
        messages: Sequence[Message],
        answer: tuple[Message, ...],
        tools: tuple[dict[str, Any], ...],
        group: int,
        row: Source,
        label: str,
    ) -> Datum:
        """One prompt with one continuation, which carries the weight."""
        ...


def refuse_kind(method: str, example: Example, kinds: Sequence[Kind]) -> None:
    """Raises ConfigError unless `method` trains on Examples of this kind, and names what will."""
    if example.kind not in kinds:
        raise ConfigError(
            f"the method {method} cannot train on {example.kind} rows (it takes {' and '.join(kinds)})",
            where=str(example.source),
            fix=f"{example.kind} rows are for {TRAINED_BY[example.kind]}",
        )
