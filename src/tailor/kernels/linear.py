"""Linear layers that read the same rows, as one matrix product forward and one back; LoRA adapters included.

y = x W' + s (x A') B' (Hu et al. 2021) keeps x and the r numbers a row of x A', and nothing else: PEFT's own layers
keep three more copies of x, one of them fp32. q, k and v, or gate and up, are stacked into one matrix: frozen weights
are moved once into one storage, of which the modules then hold slices; trained ones are fp32 and are cast into one for
each pass. Adapters of frozen weights stand in further columns and rows of that storage: [x, x A'] [W, s B]' is one
product, where adding s (x A') B' to y reads and writes all of y again (a fifth of the product's time for gate and up);
and so is [dy, dy s B] [W; A] on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from tailor.kernels import low_rank
from tailor.kernels.pages import forget

TILE = 32
"""Numbers of a row that oneDNN multiplies at once. Behind a row of another length it reads on and multiplies by zero:
what lies there must be a number."""

_moved: list[Tensor] = []
"""Weights as their file has them, of which stacked copies were made since the last pass began."""


def begin() -> None:
    """Begins a pass."""
    if _moved:
        forget(_moved)  # once more, as their neighbours have been read since
        _moved.clear()


@dataclass(frozen=True, slots=True)
class Low:
    """A low-rank adapter: A [r, d], B [n, r], and what their product is multiplied by."""

    a: Tensor
    b: Tensor
    scale: float


@dataclass(frozen=True, slots=True)
class Dense:
    """One linear layer: weight [n, d], bias [n], adapter."""

    weight: Tensor
    bias: Tensor | None
    low: Low | None

    def trained(self) -> list[Tensor]:
        """Parameters that want a gradient, in the order of `Bundle.backward`."""
        low = (self.low.a, self.low.b) if self.low is not None else ()
        return [p for p in (self.weight, self.bias, *low) if p is not None and p.requires_grad]


def read(module: nn.Module) -> Dense | None:
    """What `module` computes, if it is a plain linear layer with at most one plain adapter of PEFT's at work."""
    base = getattr(module, "base_layer", None)
    if base is None:
        return Dense(module.weight, module.bias, None) if type(module) is nn.Linear else None
    if type(base) is not nn.Linear or not hasattr(module, "lora_A") or module.merged:
        return None
    weight, bias = base.weight, base.bias
    names = [] if module.disable_adapters else list(module.active_adapters)  # type: ignore[arg-type]
    names = [name for name in names if name in module.lora_A]  # type: ignore[operator]
    if not names:
        return Dense(weight, bias, None)
    plain = len(names) == 1 and not module.lora_variant and not module.lora_bias[names[0]]  # type: ignore
    if not plain or not isinstance(module.lora_dropout[names[0]], nn.Identity):  # type: ignore[index]
        return None
    (name,) = names
    low = Low(module.lora_A[name].weight, module.lora_B[name].weight, float(module.scaling[name]))  # type: ignore
    return Dense(weight, bias, low)


@dataclass(frozen=True, eq=False)
class Bundle:
    """Linear layers of the same input, for one pass and out of autograd's sight: what it makes of their parameters it
    keeps."""

    members: tuple[Dense, ...]
    dtype: torch.dtype  # of the arithmetic

    def trained(self) -> list[Tensor]:
        """Parameters that want a gradient, in the order of what `backward` returns."""
        return [parameter for member in self.members for parameter in member.trained()]

    @cached_property
    def lows(self) -> list[Low]:
        """The adapters."""
        return [member.low for member in self.members if member.low is not None]

    @cached_property
    def room(self) -> int:
        """Numbers that `forward` would like free behind each row of x, and `by_input` behind each of dy; 0 where they
        are of no use."""
        sizes = sum(self._columns), self.members[0].weight.shape[1]
        fits = all(self._frozen(member.weight) for member in self.members) and not any(size % TILE for size in sizes)
        return sum(self._ranks) if fits else 0

    def forward(self, x: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(y [n, all outputs], in `out` if given; x A' [n, all ranks] where there are adapters).

        x is [n, d], with or without `room`.
        """
        if not self.lows:
            return self._product(x, self.weight, out), None
        inner = x @ self._down.T
        (n, d), room = x.shape, self.room
        if room and x.stride(0) == d + room:
            x = x.as_strided((n, d + room), x.stride())
            x[:, d:] = inner
            return self._product(x, self._joined, out), inner
        return self._product(x, self.weight, out).addmm_(inner, self._up.T), inner

    def _product(self, x: Tensor, weight: Tensor, out: Tensor | None) -> Tensor:
        bias = self._bias
        if out is None:
            return torch.nn.functional.linear(x, weight, bias)
        return torch.mm(x, weight.T, out=out) if bias is None else torch.addmm(bias, x, weight.T, out=out)

    def backward(
        self, dy: Tensor, x: Tensor, inner: Tensor | None, out: Tensor | None
    ) -> tuple[Tensor | None, list[Tensor]]:
        """(gradient by x in `out`, or None without; those of `trained()`, fp32). `inner` is what `forward` returned."""
        dx, dlow = self.by_input(dy, inner, out)
        return dx, self.by_parameters(dy, x, dlow)

    def by_input(
        self, dy: Tensor, inner: Tensor | None, out: Tensor | None
    ) -> tuple[Tensor | None, tuple[Tensor, Tensor] | None]:
        """(gradient by x in `out`, or None without; those by x A' and B', where there are adapters). dy [t, n] is as x
        above."""
        dlow = None
        if inner is not None:
            dlow = low_rank.gradients(dy, self._up, inner, self._columns, self._ranks, self._scales)
        if out is None:
            return None, dlow
        (t, n), room, weight = dy.shape, self.room, self.weight
        if dlow is not None and room and dy.stride(0) == n + room:
            dy = dy.as_strided((t, n + room), dy.stride())
            dy[:, n:] = dlow[0]
            _ = self._down  # stands in the rows behind the stack's own
            whole = weight.as_strided((n + room, weight.shape[1]), weight.stride())
            return torch.mm(dy, whole, out=out), dlow
        dx = torch.mm(dy, weight, out=out)
        return (dx if dlow is None else dx.addmm_(dlow[0], self._down)), dlow

    def by_parameters(self, dy: Tensor, x: Tensor, dlow: tuple[Tensor, Tensor] | None) -> list[Tensor]:
        """Gradients of `trained()`, fp32, from what `by_input` returned."""
        da, db = (low_rank.gradient_by_down(dlow[0], x), dlow[1]) if dlow is not None else (None, None)
        dw = dy.T @ x if any(member.weight.requires_grad for member in self.members) else None
        grads: list[Tensor] = []
        row = rank = 0
        for member, columns, more in zip(self.members, self._columns, self._ranks):
            rows, ranks = slice(row, row + columns), slice(rank, rank + more)
            row, rank = rows.stop, ranks.stop
            if member.weight.requires_grad and dw is not None:
                grads.append(dw[rows].float())
            if member.bias is not None and member.bias.requires_grad:
                grads.append(dy[:, rows].sum(0, dtype=torch.float32))
            if member.low is not None and da is not None and db is not None:
                if member.low.a.requires_grad:
                    grads.append(da[ranks])
                if member.low.b.requires_grad:
                    grads.append(db[ranks, rows].T)
        return grads

    @cached_property
    def weight(self) -> Tensor:
        """[all outputs, d] in the type of the arithmetic."""
        weights = [member.weight for member in self.members]
        if all(map(self._frozen, weights)):
            return _stacked(weights, self.room)
        if len(weights) == 1 and weights[0].dtype == self.dtype:
            return weights[0].detach()
        return torch.cat([w.detach().to(self.dtype) for w in weights])

    @cached_property
    def _joined(self) -> Tensor:
        """[W, s B], [all outputs, d + all ranks], of a frozen stack."""
        rows, d = self.weight.shape
        joined = self.weight.as_strided((rows, d + self.room), self.weight.stride())
        joined[:, d:] = self._up
        return joined

    def _frozen(self, weight: Tensor) -> bool:
        return weight.dtype == self.dtype and not weight.requires_grad

    @cached_property
    def _columns(self) -> list[int]:
        return [len(member.weight) for member in self.members]

    @cached_property
    def _ranks(self) -> list[int]:
        return [len(member.low.a) if member.low is not None else 0 for member in self.members]

    @cached_property
    def _scales(self) -> list[float]:
        return [member.low.scale if member.low is not None else 0.0 for member in self.members]

    @cached_property
    def _bias(self) -> Tensor | None:
        if all(member.bias is None for member in self.members):
            return None
        none = [m.weight.new_zeros(len(m.weight)) if m.bias is None else m.bias.detach() for m in self.members]
        return torch.cat([bias.to(self.dtype) for bias in none])

    @cached_property
    def _down(self) -> Tensor:
        """All A, one below the other, [all ranks, d]; of a frozen stack, in the rows behind its own."""
        joined = torch.cat([low.a for low in self.lows])
        if not self.room:
            return joined.to(self.dtype)
        place = self.weight.storage_offset() + len(self.weight) * self.weight.stride(0)
        return self.weight.as_strided(joined.shape, self.weight.stride(), place).copy_(joined)

    @cached_property
    def _up(self) -> Tensor:
        """All scaled B, each in the rows and columns of its own layer, zeros elsewhere, [all outputs, all ranks]."""
        parts = []
        for member in self.members:
            b = member.low.b * member.low.scale if member.low is not None else member.weight[:, :0]
            parts.append(b.to(self.dtype))
        return torch.block_diag(*parts) if len(parts) > 1 else parts[0]  # type: ignore[no-untyped-call]


def _stacked(weights: Sequence[Tensor], room: int) -> Tensor:
    """Frozen weights as one matrix: as they lie, if they are neighbours with `room` free columns behind each row and as
    many free rows behind the last, else moved into one storage that has them."""
    first = weights[0]
    if len(weights) == 1 and not room:
        return first.detach()
    (columns, step), rows = (first.shape[1], first.stride(0)), [len(weight) for weight in weights]
    place, neighbours = first.data_ptr(), step == columns + room
    for weight in weights:
        same = weight.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        neighbours = neighbours and same and weight.stride() == (step, 1) and weight.data_ptr() == place
        place += len(weight) * step * weight.element_size()
    if room:  # rows behind the last are free only where nothing but these weights lies in the storage
        neighbours = neighbours and first.untyped_storage().nbytes() == (sum(rows) + room) * step * first.element_size()
    if not neighbours:
        whole = first.new_empty(sum(rows) + room, columns + room)
        before = [weight.detach() for weight in weights]
        for weight, old, part in zip(weights, before, torch.split(whole[: sum(rows), :columns], rows)):
            weight.data = part.copy_(old)
        _moved.extend(forget(before))
    return first.detach().as_strided((sum(rows), columns), first.stride())
