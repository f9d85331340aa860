"""What adapters take from the gradient by their layers' outcome, against its definition in fp64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tailor.kernels import low_rank, tile_attention
from tailor.kernels.scratch import frame

CASES = {  # rows, outputs and ranks of layers side by side, numbers behind each row
    "q, k and v": (1984, (256, 128, 128), (16, 16, 16), 48),
    "odd ranks": (96, (64, 96, 32), (8, 5, 20), 3),
    "one layer": (160, (1056,), (33,), 0),
    "one of three has none": (32, (288, 288, 32), (4, 0, 4), 8),
    "many ranks": (64, (96, 32), (64, 64), 0),
    "rows that fill no tile": (37, (64, 64), (4, 4), 8),
}
SCALES = (2.0, 0.5, 1.0)


def draw(case: str) -> tuple[Tensor, Tensor, Tensor, tuple[int, ...], tuple[int, ...]]:
    """bf16 dy, up and inner; what lies behind the rows of dy is NaN."""
    n, columns, ranks, room = CASES[case]
    draws = torch.Generator().manual_seed(n)
    dy = torch.full((n, sum(columns) + room), torch.nan, dtype=torch.bfloat16)[:, : sum(columns)]
    dy.copy_(torch.randn(dy.shape, generator=draws))
    up = torch.block_diag(*(torch.randn(c, r, generator=draws) for c, r in zip(columns, ranks)))
    return dy, up.bfloat16(), torch.randn(n, sum(ranks), generator=draws).bfloat16(), columns, ranks


def run(dy: Tensor, up: Tensor, inner: Tensor, columns: tuple[int, ...], ranks: tuple[int, ...]) -> list[Tensor]:
    with frame():
        return list(low_rank.gradients(dy, up, inner, columns, ranks, SCALES[: len(ranks)]))


@pytest.fixture
def tiles() -> None:
    if not tile_attention.fits(torch.empty(0, dtype=torch.bfloat16)):
        pytest.skip("no matrix tiles here")


@pytest.fixture(params=["tiles", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(tile_attention, "fits", lambda *alike: False)
    else:
        request.getfixturevalue("tiles")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_definition(case: str) -> None:
    dy, up, inner, columns, ranks = draw(case)
    dinner, db = run(dy, up, inner, columns, ranks)
    wanted = dy.double() @ up.double()
    assert (dinner - wanted).norm() < 3e-3 * wanted.norm()
    column = rank = 0
    for size, r, scale in zip(columns, ranks, SCALES):
        wanted = scale * inner[:, rank : rank + r].double().T @ dy[:, column : column + size].double()
        got = db[rank : rank + r, column : column + size]
        assert (got - wanted).norm() <= 3e-3 * wanted.norm()
        column, rank = column + size, rank + r
    with frame():
        da = low_rank.gradient_by_down(inner, dy)
    wanted = inner.double().T @ dy.double()
    assert (da - wanted).norm() < 3e-3 * wanted.norm()


@pytest.mark.usefixtures("tiles")
def test_sums_are_the_same_on_any_number_of_threads() -> None:
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(run(*draw("q, k and v")))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.usefixtures("way")
def test_nan_is_handed_on() -> None:
    """A run that has gone wrong must look so."""
    dy, *others = draw("one layer")
    dy[150, 1050] = torch.nan
    dinner, db = run(dy, *others)
    assert dinner[150].isnan().all() and not dinner[:150].isnan().any()
    assert db[:, 1050].isnan().all() and not db[:, :1050].isnan().any()
