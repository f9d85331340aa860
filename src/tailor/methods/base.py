"""What every method is written against, and how one is opened.

A method is a file with

    KINDS            the kinds of Example it trains on
    Settings         its settings, a `config.Settings` with the field `type`
    datums(example, group, renderer, settings) -> Datums        empty where there is nothing to train on
    units(datums, settings) -> {name: float}                    what each term, and each statistic, is divided by
    loss(logprobs, tree, settings) -> {name: Tensor}            named terms, each a sum over the Targets of a Tree

and, only where it needs them,

    statistics(logprobs, tree, settings) -> {name: Tensor}      sums that are logged, without a gradient
    STREAMS          what it wants to know of every token before training, such as `("reference",)`: `train/logprobs.py`
    WHOLE_GROUPS     True: the loss takes all Datums of an Example at once, so they are kept in one Tree
    RATE, PASSES     factors on the learning rate and the epochs that suit SFT, where the user gives none
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from tailor import plugins
from tailor.config import Settings, validate
from tailor.errors import DataError, Problem
from tailor.records import Datum, Example, Kind, Message, Source, Tree

if TYPE_CHECKING:
    from torch import Tensor

AUTO = "auto"
DEFAULTS: dict[Kind, str] = {"chat": "sft", "text": "sft", "pair": "dpo"}
"""The method that rows of a kind are trained by where none is named."""
TRAINED_BY: dict[Kind, str] = {
    "rated": "a method for ratings, such as KTO",
    "prompt": "a method driven by rewards, as there is no answer to learn from",
}
"""Who trains the kinds that no method of this version does."""


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


@dataclass(frozen=True)
class Method:
    """A method's file with the settings of one run."""

    name: str
    module: ModuleType | Any
    settings: Settings

    @property
    def streams(self) -> tuple[str, ...]:
        """What it wants to know of every token before training."""
        return tuple(getattr(self.module, "STREAMS", ()))

    @property
    def whole_groups(self) -> bool:
        """Whether the Datums of an Example have to share a Tree."""
        return bool(getattr(self.module, "WHOLE_GROUPS", False))

    @property
    def rate(self) -> float:
        """Its learning rate as a multiple of the one that suits SFT."""
        return float(getattr(self.module, "RATE", 1.0))

    @property
    def passes(self) -> float:
        """Its epochs as a multiple of those that suit SFT."""
        return float(getattr(self.module, "PASSES", 1.0))

    def datums(self, example: Example, group: int, renderer: Renderer) -> list[Datum]:
        """What `example` trains on."""
        made: list[Datum] = self.module.datums(example, group, renderer, self.settings)
        return made

    def units(self, datums: Sequence[Datum]) -> dict[str, float]:
        """What each term and statistic over `datums` is divided by."""
        counted: dict[str, float] = self.module.units(datums, self.settings)
        return counted

    def loss(self, logprobs: Tensor, tree: Tree) -> dict[str, Tensor]:
        """The named terms, each a sum over the Targets of `tree`; `logprobs` is fp32 [n]."""
        terms: dict[str, Tensor] = self.module.loss(logprobs, tree, self.settings)
        return terms

    def statistics(self, logprobs: Tensor, tree: Tree) -> dict[str, Tensor]:
        """What is logged beside the loss, each a sum; nothing for most methods."""
        measure = getattr(self.module, "statistics", None)
        sums: dict[str, Tensor] = measure(logprobs, tree, self.settings) if measure is not None else {}
        return sums


def open_method(values: Mapping[str, Any]) -> Method:
    """The method that a run's `[method]` table describes. Raises ConfigError for a name or setting there is not."""
    module = plugins.load("methods", values["type"])
    return Method(values["type"], module, validate(module.Settings, values))


def settled(values: Mapping[str, Any], examples: Sequence[Example]) -> dict[str, Any]:
    """A `[method]` table with its type chosen by the commonest kind of the rows, where it is left open.

    Raises DataError where rows are of a kind that the method does not train, all of them at once, and says what does.
    """
    name = values["type"]
    if name == AUTO:
        (kind, _), *_ = Counter(example.kind for example in examples).most_common(1)
        if kind not in DEFAULTS:
            first = next(example for example in examples if example.kind == kind)
            raise DataError(
                f"no method of this version trains on rows of kind {kind!r}", where=str(first.source), fix=_remedy(kind)
            )
        name = DEFAULTS[kind]
    takes = plugins.load("methods", name).KINDS
    wrong = [example for example in examples if example.kind not in takes]
    if wrong:
        kinds = list(dict.fromkeys(example.kind for example in wrong))
        some = len(wrong) < len(examples)
        raise DataError(
            f"the method {name!r} trains on rows of kind {' or '.join(takes)}; {len(wrong):,} of {len(examples):,} "
            f"rows are of kind {' or '.join(map(repr, kinds))}",
            where=str(wrong[0].source),
            problems=[Problem(str(example.source), f"is of kind {example.kind!r}") for example in wrong if some],
            fix="; ".join(map(_remedy, kinds)),
        )
    return {**values, "type": name}


def _remedy(kind: Kind) -> str:
    if kind in DEFAULTS:
        return f"{kind} rows are for --method {DEFAULTS[kind]}"
    return f"{kind} rows are for {TRAINED_BY[kind]}; methods of this version: {', '.join(plugins.names('methods'))}"
