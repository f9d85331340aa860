"""What every training method promises. Inherit and name it:

class TestMine(MethodContract):
    name = "mine"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, get_args

import numpy as np
import pytest
import torch

from tailor.errors import ConfigError, DataError
from tailor.methods.base import Method, open_method, settled
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
    def method(self) -> Method:
        """The method with these settings."""
        return open_method({"type": self.name, **self.settings})

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds it trains on."""
        taken: tuple[Kind, ...] = self.method.module.KINDS
        return taken

    def groups(self, kind: Kind) -> list[list[Datum]]:
        """The Datums of each Example, with the streams the method asks for: any values, fixed for a Datum's tokens."""
        examples = [example(kind, number) for number in range(self.rows)]
        made = [self.method.datums(row, group, ByteRenderer()) for group, row in enumerate(examples)]
        return [[self._streamed(datum) for datum in group] for group in made]

    def _streamed(self, datum: Datum) -> Datum:
        drawn = np.random.default_rng(datum.ids.tolist())
        values = {name: -5 * drawn.random(len(datum), np.float32) for name in self.method.streams}
        return replace(datum, streams=values)

    def plant(self, datums: Sequence[Datum], budget: int = 10_000, *, share: bool = True) -> list[Tree]:
        """The micro-batches of a step."""
        return plant(datums, budget, share=share, whole=self.method.whole_groups)

    def sums(self, table: torch.Tensor, trees: Sequence[Tree]) -> tuple[dict[str, torch.Tensor], ...]:
        """Each term, and each statistic, over the Trees, under a model whose log-probs depend on token and depth."""
        totals: tuple[dict[str, torch.Tensor], ...] = ({}, {})
        for tree in trees:
            at = torch.as_tensor(tree.positions[tree.targets.rows], dtype=torch.int64)
            tokens = torch.as_tensor(tree.targets.tokens, dtype=torch.int64)
            logprobs = table.log_softmax(-1)[at, tokens]
            for total, part in zip(
                totals, (self.method.loss(logprobs, tree), self.method.statistics(logprobs.detach(), tree))
            ):
                for name, value in part.items():
                    assert value.ndim == 0, f"{name} is no sum"
                    total[name] = total.get(name, torch.zeros(())) + value
        return totals

    @staticmethod
    def table() -> torch.Tensor:
        """Logits [depth, token] of that model."""
        return torch.randn(128, VOCABULARY, generator=torch.Generator().manual_seed(0)).requires_grad_()

    # ------------------------------------------------------------------------------------------------ promises

    def test_it_takes_known_kinds_and_other_rows_are_refused_by_line(self) -> None:
        assert self.kinds
        assert set(self.kinds) <= set(get_args(Kind))
        for kind in get_args(Kind):
            if kind in self.kinds:
                assert settled({"type": self.name}, [example(kind, 2)]) == {"type": self.name}
                continue
            with pytest.raises(DataError) as caught:
                settled({"type": self.name}, [example(kind, 2)])
            assert caught.value.where == "rows.jsonl:3"
            assert caught.value.fix

    def test_unknown_settings_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="unknown setting 'nonsense'"):
            open_method({"type": self.name, **self.settings, "nonsense": 1})

    def test_settings_go_to_json_and_back(self) -> None:
        made = self.method.settings
        assert type(made).model_validate_json(made.model_dump_json()) == made

    def test_datums_belong_to_their_example(self) -> None:
        for kind in self.kinds:
            for group, datums in enumerate(self.groups(kind)):
                assert datums
                assert all(datum.group == group and datum.row == Source("rows.jsonl", group + 1) for datum in datums)
                assert any(datum.trained for datum in datums)

    def test_all_that_is_summed_has_units_that_are_counted_before_the_forward_pass(self) -> None:
        for kind in self.kinds:
            datums = [datum for group in self.groups(kind) for datum in group]
            units = self.method.units(datums)
            terms, statistics = self.sums(self.table(), self.plant(datums))
            assert terms and not terms.keys() & statistics.keys()
            assert units.keys() == terms.keys() | statistics.keys()
            assert all(isinstance(value, float) and value > 0 for value in units.values())
            assert not any(value.requires_grad for value in statistics.values())

    def test_units_add_up_whatever_the_order_of_rows(self) -> None:
        for kind in self.kinds:
            groups = self.groups(kind)
            forth = self.method.units([d for g in groups for d in g])
            back = self.method.units([d for g in groups[::-1] for d in g])
            parts = [self.method.units(group) for group in groups]
            assert forth == pytest.approx(back)
            assert forth == pytest.approx({name: sum(part[name] for part in parts) for name in forth})

    def test_any_split_into_micro_batches_gives_the_same_sums_and_gradient(self) -> None:
        for kind in self.kinds:
            groups = self.groups(kind)
            datums = [datum for group in groups for datum in group]
            halves = ([d for g in half for d in g] for half in (groups[::2], groups[1::2]))
            splits = [
                self.plant(datums),
                self.plant(datums, share=False),
                self.plant(datums, 60),
                self.plant(datums, 8),
                [tree for group in groups for tree in self.plant(group)],
                [tree for half in halves for tree in self.plant(half)],
            ]
            seen = []
            for trees in splits:
                table = self.table()
                terms, statistics = self.sums(table, trees)
                (gradient,) = torch.autograd.grad(torch.stack([terms[name] for name in sorted(terms)]).sum(), table)
                seen.append((terms | statistics, gradient))
            first, gradient = seen[0]
            assert bool(gradient.isfinite().all())
            assert float(gradient.abs().sum()) > 0
            for sums, other in seen[1:]:
                for name, value in sums.items():
                    torch.testing.assert_close(value, first[name], rtol=1e-5, atol=1e-5)
                torch.testing.assert_close(other, gradient, rtol=1e-5, atol=1e-6)

    def test_a_row_that_stands_twice_in_a_step_counts_twice(self) -> None:
        for kind in self.kinds:
            groups = self.groups(kind)
            once, twice = (self.sums(self.table(), self.plant([d for g in groups for d in g] * n)) for n in (1, 2))
            for name, value in (once[0] | once[1]).items():
                torch.testing.assert_close((twice[0] | twice[1])[name], 2 * value, rtol=1e-5, atol=1e-5)
