"""What every training method promises. Inherit and name it:

class TestMine(MethodContract):
    name = "mine"
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar, get_args

import numpy as np
import pytest
import torch

from tailor import plugins
from tailor.config import validate
from tailor.errors import ConfigError
from tailor.records import Datum, Example, Kind, Message, Source, Tree, message
from tailor.render.pack import plant

VOCABULARY = 256


class ByteRenderer:
    """Renders without a model: a token a byte, the assistant's turns trained at the weight their message gives."""

    def datums(self, example: Example, group: int) -> list[Datum]:
        """One Datum an Example; of plain text every token is trained."""
        if example.kind == "text":
            return [self._datum([(example.text, 1.0)], group, example.source, "")]
        return [self._datum(self._turns(example.messages), group, example.source, "")]

    def answer_datum(
        self,
        messages: Sequence[Message],
        answer: tuple[Message, ...],
        tools: tuple[dict[str, Any], ...],
        group: int,
        row: Source,
        label: str,
    ) -> Datum:
        """The messages as context, the answer trained."""
        context = [(text, 0.0) for text, _ in self._turns(messages)]
        return self._datum(context + self._turns(answer), group, row, label)

    def _turns(self, messages: Sequence[Message]) -> list[tuple[str, float]]:
        return [(m.text, 0.0 if m.role != "assistant" else 1.0 if m.weight is None else m.weight) for m in messages]

    def _datum(self, turns: Sequence[tuple[str, float]], group: int, row: Source, label: str) -> Datum:
        texts = [(text.encode() + b"\n", weight) for text, weight in turns]
        ids = np.frombuffer(b"".join(text for text, _ in texts), np.uint8).astype(np.int32)
        weights = np.concatenate([np.full(len(text), weight, np.float32) for text, weight in texts])
        weights[0] = 0
        return Datum(ids, weights, group, row, label)


def example(kind: Kind, number: int) -> Example:
    """A row of any kind; rows share beginnings."""
    source = Source("rows.jsonl", number + 1)
    asked = message("user", f"what is {number % 2} and {number}?")
    good, bad = message("assistant", f"it is {number}, surely"), message("assistant", f"it is not {number}")
    match kind:
        case "chat":
            return Example(kind=kind, source=source, messages=(asked, good))
        case "pair":
            return Example(kind=kind, source=source, messages=(asked,), chosen=(good,), rejected=(bad,))
        case "rated":
            return Example(kind=kind, source=source, messages=(asked, good), rating=float(number % 2))
        case "prompt":
            return Example(kind=kind, source=source, messages=(asked,))
        case "text":
            return Example(kind=kind, source=source, text=f"page {number % 2}, line {number}: nothing new")


class MethodContract:
    """pytest collects the tests below in the class that inherits them."""

    name: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}
    rows: ClassVar[int] = 6
    """Examples of each kind to try it on."""

    @property
    def method(self) -> ModuleType | Any:
        """The module."""
        return plugins.load("methods", self.name)

    def make(self) -> Any:
        """The Settings."""
        return self.method.Settings(**self.settings)

    def groups(self, kind: Kind) -> list[list[Datum]]:
        """The Datums of each Example."""
        examples = [example(kind, number) for number in range(self.rows)]
        return [self.method.datums(row, group, ByteRenderer(), self.make()) for group, row in enumerate(examples)]

    def terms(self, table: torch.Tensor, trees: Sequence[Tree]) -> dict[str, torch.Tensor]:
        """Each term summed over the Trees, under a model whose log-probs depend on token and depth alone."""
        total: dict[str, torch.Tensor] = {}
        for tree in trees:
            at = torch.as_tensor(tree.positions[tree.targets.rows], dtype=torch.int64)
            tokens = torch.as_tensor(tree.targets.tokens, dtype=torch.int64)
            for name, value in self.method.loss(table.log_softmax(-1)[at, tokens], tree, self.make()).items():
                assert value.ndim == 0, f"the term {name} is no sum"
                total[name] = total.get(name, torch.zeros(())) + value
        return total

    @staticmethod
    def table() -> torch.Tensor:
        """Logits [depth, token] of that model."""
        return torch.randn(128, VOCABULARY, generator=torch.Generator().manual_seed(0)).requires_grad_()

    # ------------------------------------------------------------------------------------------------ promises

    def test_it_takes_known_kinds_and_refuses_the_others_by_line(self) -> None:
        kinds = self.method.KINDS
        assert kinds
        assert set(kinds) <= set(get_args(Kind))
        for kind in set(get_args(Kind)) - set(kinds):
            with pytest.raises(ConfigError) as caught:
                self.method.datums(example(kind, 2), 0, ByteRenderer(), self.make())
            assert caught.value.where == "rows.jsonl:3"
            assert caught.value.fix

    def test_unknown_settings_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="unknown setting 'nonsense'"):
            validate(self.method.Settings, {**self.settings, "nonsense": 1})

    def test_settings_go_to_json_and_back(self) -> None:
        made = self.make()
        assert self.method.Settings.model_validate_json(made.model_dump_json()) == made

    def test_datums_belong_to_their_example(self) -> None:
        for kind in self.method.KINDS:
            for group, datums in enumerate(self.groups(kind)):
                assert datums
                assert all(datum.group == group and datum.row == Source("rows.jsonl", group + 1) for datum in datums)
                assert any(datum.trained for datum in datums)

    def test_every_term_has_units_that_are_counted_before_the_forward_pass(self) -> None:
        for kind in self.method.KINDS:
            datums = [datum for group in self.groups(kind) for datum in group]
            units = self.method.units(datums, self.make())
            assert units.keys() == self.terms(self.table(), plant(datums, 10_000)).keys()
            assert all(isinstance(value, float) and value > 0 for value in units.values())

    def test_any_split_into_micro_batches_gives_the_same_sums_and_gradient(self) -> None:
        for kind in self.method.KINDS:
            groups = self.groups(kind)
            datums = [datum for group in groups for datum in group]
            splits = [
                plant(datums, 10_000),
                plant(datums, 10_000, share=False),
                plant(datums, 60),
                [tree for group in groups for tree in plant(group, 10_000)],
                [tree for half in (groups[::2], groups[1::2]) for tree in plant([d for g in half for d in g], 10_000)],
            ]
            seen = []
            for trees in splits:
                table = self.table()
                terms = self.terms(table, trees)
                (gradient,) = torch.autograd.grad(torch.stack([terms[name] for name in sorted(terms)]).sum(), table)
                seen.append((terms, gradient))
            first, gradient = seen[0]
            assert bool(gradient.isfinite().all())
            assert float(gradient.abs().sum()) > 0
            for terms, other in seen[1:]:
                for name, value in terms.items():
                    torch.testing.assert_close(value, first[name], rtol=1e-5, atol=1e-6)
                torch.testing.assert_close(other, gradient, rtol=1e-5, atol=1e-6)

    def test_the_order_of_rows_does_not_matter_to_units(self) -> None:
        for kind in self.method.KINDS:
            groups = self.groups(kind)
            forth = self.method.units([d for g in groups for d in g], self.make())
            back = self.method.units([d for g in groups[::-1] for d in g], self.make())
            assert forth == pytest.approx(back)
