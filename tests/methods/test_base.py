"""Which method trains which rows, and what is said where none does."""

from __future__ import annotations

import pytest

from tailor.errors import ConfigError, DataError
from tailor.methods.base import open_method, settled
from tailor.testing.methods import example

AUTO = {"type": "auto"}


def test_the_commonest_kind_chooses_the_method() -> None:
    assert settled(AUTO, [example("chat", 0), example("text", 1)])["type"] == "sft"
    assert settled(AUTO | {"beta": 0.3}, [example("pair", 0)]) == {"type": "dpo", "beta": 0.3}


def test_all_rows_of_another_kind_are_named_with_what_trains_them() -> None:
    rows = [example("pair", 0), example("chat", 1), example("pair", 2), example("rated", 3), example("pair", 4)]
    with pytest.raises(DataError) as caught:
        settled(AUTO, rows)
    text = str(caught.value)
    assert "the method 'dpo' trains on rows of kind pair; 2 of 5 rows are of kind 'chat' or 'rated'" in text
    assert "rows.jsonl:2: is of kind 'chat'" in text
    assert "rows.jsonl:4: is of kind 'rated'" in text
    assert "chat rows are for --method sft; rated rows are for a method for ratings" in text


def test_where_every_row_is_wrong_none_is_listed() -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl:1: the method 'sft' .* 2 of 2 rows are of kind 'pair'") as caught:
        settled({"type": "sft"}, [example("pair", 0), example("pair", 1)])
    assert not caught.value.problems
    assert "--method dpo" in caught.value.fix


def test_rows_that_no_method_trains_say_what_would() -> None:
    with pytest.raises(DataError, match="no method of this version trains on rows of kind 'prompt'") as caught:
        settled(AUTO, [example("prompt", 0)])
    assert "rewards" in caught.value.fix


def test_an_unknown_method_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="no method called 'dppo'") as caught:
        open_method({"type": "dppo"})
    assert "'dpo'" in caught.value.fix
