"""What every shape of rows has to do: a test class for a new format to inherit.

class TestMine(FormatContract):
    format = my_module
    rows = ({"ask": "a", "say": "b"},)
    broken = (({"ask": "a", "say": 3}, ("say",)),)
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from tailor.formats._detect import best, shapes
from tailor.formats.base import Format, Malformed, Path, Row
from tailor.records import Example, Message, Source

_SOURCE = Source("rows.jsonl", 7)
_JUNK: tuple[Any, ...] = (
    None,
    True,
    1,
    0.5,
    "",
    "x",
    [],
    [1],
    [[]],
    [None],
    {},
    {"x": 1},
    [{}],
    [{"role": "user"}],
    [{"from": 1}],
)


class FormatContract:
    """Subclasses give the shape, rows that it has to read, and rows that it has to refuse with the place of the fault.

    `decided_by_row` is False for a shape that is chosen by looking at many rows, as `table` is.
    """

    format: ClassVar[Format]
    rows: ClassVar[Sequence[Row]]
    broken: ClassVar[Sequence[tuple[Row, Path]]]
    decided_by_row: ClassVar[bool] = True

    def test_names_itself_and_its_keys(self) -> None:
        """`--map` and the messages need both."""
        assert self.format.NAME
        assert self.format.KEYS
        assert all(isinstance(key, str) for key in self.format.KEYS)

    def test_recognises_its_rows_and_no_others(self) -> None:
        """By keys that the row has and the shape declares."""
        assert self.format.recognise({}) == ()
        assert self.format.recognise({"no_such_key": "x", "nor_this_one": 1}) == ()
        for row in self.rows if self.decided_by_row else ():
            used = self.format.recognise(row)
            assert used
            assert set(used) <= set(row) & set(self.format.KEYS)

    def test_no_other_shape_claims_its_rows(self) -> None:
        """With all shapes known, its rows are taken for its own."""
        known = {name: shape for name, shape in shapes().items() if shape is not self.format}
        for row in self.rows if self.decided_by_row else ():
            assert best(row, {"this": self.format} | known)[0] == "this"

    def test_makes_sound_examples(self) -> None:
        """Kind and messages agree, the source is kept, the row is left as it was, and JSON holds all of it."""
        for row in self.rows:
            before = copy.deepcopy(row)
            example = self.format.example(row, _SOURCE)
            assert row == before
            assert example == self.format.example(row, _SOURCE)
            assert example.source == _SOURCE
            assert msgspec.json.decode(msgspec.json.encode(example), type=Example) == example
            _assert_sound(example)

    def test_says_where_a_broken_row_is_broken(self) -> None:
        """By a path that leads to a value of the row."""
        for row, path in self.broken:
            with pytest.raises(Malformed) as caught:
                self.format.example(row, _SOURCE)
            assert caught.value.at == path, caught.value.what
            assert caught.value.what
            value: Any = row
            for step in path:
                value = value[step]

    def test_any_value_under_any_key_is_read_or_refused(self) -> None:
        """A row that no one thought of raises Malformed, and nothing else."""
        for row in self.rows:
            for key in (*self.format.KEYS, *row):
                for junk in _JUNK:
                    for changed in ({**row, key: junk}, {key: junk}):
                        self.format.recognise(changed)
                        try:
                            example = self.format.example(changed, _SOURCE)
                        except Malformed:
                            continue
                        _assert_sound(example)


def _assert_sound(example: Example) -> None:
    """The promises that records.Example makes of each kind."""
    last = example.messages[-1].role if example.messages else None
    match example.kind:
        case "chat":
            assert last == "assistant"
        case "rated":
            assert last == "assistant"
            assert example.rating is not None
        case "prompt":
            assert last in ("user", "tool", "system")
        case "pair":
            assert last in ("user", "tool", "system")
            assert _is_answer(example.chosen)
            assert _is_answer(example.rejected)
        case "text":
            assert example.text
            assert not example.messages
    assert all(message.parts for message in (*example.messages, *example.chosen, *example.rejected))


def _is_answer(messages: Sequence[Message]) -> bool:
    return bool(messages) and messages[0].role == messages[-1].role == "assistant"
