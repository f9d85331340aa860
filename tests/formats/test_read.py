"""The reading of whole data sets: shapes told apart, rows accounted for, columns mapped, files mixed, groups kept."""

from __future__ import annotations

import json
import tracemalloc
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tailor import formats, plugins
from tailor.errors import ConfigError, DataError
from tailor.formats import _detect, _file
from tailor.records import Example, message

CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
PAIR = {"prompt": "a", "chosen": "b", "rejected": "c"}
ALPACA = {"instruction": "a", "input": "", "output": "b"}


def write(path: Path, rows: Iterable[Any]) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def numbered(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"prompt": f"p{i}", "completion": f"c{i}", **more} for i in range(count)]


# -------------------------------------------------------------------------------------------------- bad rows


def test_all_bad_rows_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = ["{", {"messages": [CHAT["messages"][0]]}, {"messages": []}, *[CHAT] * 6, "nonsense"]
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError) as caught:
        formats.read([path])
    assert [problem.where.removeprefix(path) for problem in caught.value.problems] == [
        ":1:2",
        ":2:15",
        ":3:14",
        ":10:1",
    ]
    assert caught.value.what == "4 of 10 rows cannot be used"
    assert "--max-bad 4" in caught.value.fix


def test_problems_of_several_files_and_a_broken_one_come_together(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", [CHAT, {"messages": 1}])
    second = write(tmp_path / "b.json", ["[", json.dumps(CHAT)])
    with pytest.raises(DataError) as caught:
        formats.read([first, second], max_bad="100%")
    assert [problem.where for problem in caught.value.problems] == [f"{first}:2:14", f"{second}:3:1"]


def test_rows_before_the_fault_of_a_file_are_reported_with_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", ["[", '{"prompt": "a", "completion": {}},', '{"prompt": "b"} {}]'])
    with pytest.raises(DataError) as caught:
        formats.read([path])
    assert [problem.where for problem in caught.value.problems] == [f"{path}:2:31", f"{path}:3:17"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_reading_holds_no_more_than_the_rows_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file, "SAMPLE_BYTES", 1 << 20)
    bad = json.dumps({"messages": [{"role": "nobody", "content": "x" * 20_000}]})
    rows = [*[json.dumps(CHAT)] * 10, *[bad] * 2_000]
    path = tmp_path / name
    path.write_text("\n".join(rows) if name == "a.jsonl" else f"[{', '.join(rows)}]")
    formats.read([write(tmp_path / "warm.jsonl", [CHAT])])
    tracemalloc.start()
    reading = formats.read([str(path)], max_bad="100%")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(reading.examples), len(reading.bad)) == (10, 2_000)
    assert path.stat().st_size > 40e6
    assert peak < 10e6  # the sample of the first rows, as text and decoded, and one piece of the file


@pytest.mark.parametrize(
    ("allowed", "fine"), [("2", True), ("1", False), ("20%", True), ("19.9%", False), (" 100 % ", True)]
)
def test_bad_rows_within_the_allowance_are_dropped_and_listed(allowed: str, fine: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*[CHAT] * 8, "{", {"messages": []}])
    if not fine:
        with pytest.raises(DataError):
            formats.read([path], max_bad=allowed)
        return
    reading = formats.read([path], max_bad=allowed)
    assert (reading.rows_in, len(reading.examples)) == (10, 8)
    assert [problem.where for problem in reading.bad] == [f"{path}:9:2", f"{path}:10:14"]


@pytest.mark.parametrize("allowed", ["", "-1", "0.5", "101%", "few", "1e3"])
def test_an_allowance_that_is_none(allowed: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a number of rows nor a share"):
        formats.read([write(tmp_path / "a.jsonl", [CHAT])], max_bad=allowed)


def test_nothing_left_is_an_error_whatever_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not one row is left"):
        formats.read([write(tmp_path / "a.jsonl", ["{", "}"])], max_bad="100%")


def test_bad_rows_before_the_first_good_one_do_not_hide_the_shape(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*["{"] * 1100, *[CHAT] * 3])
    reading = formats.read([path], max_bad="1100")
    assert len(reading.examples) == 3
    assert "chat rows" in reading.seen


# ----------------------------------------------------------------------------------------------------- shapes


def test_mixed_shapes_are_refused_with_the_first_row_of_each(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*[CHAT] * 4, ALPACA, CHAT, PAIR, ALPACA])
    with pytest.raises(DataError) as caught:
        formats.read([path])
    assert caught.value.what == (
        "3 of 8 rows cannot be used; shapes are mixed: "
        f"chat rows from {path}:1, 2 alpaca from {path}:5, 1 pairs from {path}:7"
    )
    assert [problem.where for problem in caught.value.problems] == [f"{path}:{line}:1" for line in (5, 7, 8)]


def test_the_majority_says_what_the_file_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [CHAT, *[ALPACA] * 5])
    reading = formats.read([path], max_bad="1")
    assert "alpaca rows" in reading.seen
    assert [problem.where for problem in reading.bad] == [f"{path}:1:1"]


def test_a_rated_row_among_chats_is_not_read_as_a_chat(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*[CHAT] * 3, CHAT | {"label": False}])
    with pytest.raises(DataError, match="1 rated from"):
        formats.read([path])
    assert len(formats.read([path], format="chat").examples) == 4


def test_keys_that_no_shape_uses_are_said_aloud(tmp_path: Path) -> None:
    reading = formats.read([write(tmp_path / "a.jsonl", [CHAT | {"id": 1}, CHAT | {"url": "u"}])])
    assert reading.seen == f"{tmp_path / 'a.jsonl'}: 2 chat rows: rows have 'messages'; not used: id, url"


def test_a_file_without_any_answer_holds_prompts(tmp_path: Path) -> None:
    reading = formats.read([write(tmp_path / "a.jsonl", [{"prompt": "a"}, {"prompt": "b", "completion": None}])])
    assert {example.kind for example in reading.examples} == {"prompt"}
    assert "none has an answer; if it stands under another name, say --map completion=NAME" in reading.seen


def test_prompts_without_answers_are_all_named_when_a_late_row_has_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*[{"prompt": "a"}] * 1500, *numbered(2), {"prompt": "z"}])
    reading = formats.read([path], max_bad="1501")
    assert [example.prompt[0].text for example in reading.examples] == ["p0", "p1"]
    assert [int(problem.where.split(":")[1]) for problem in reading.bad] == [*range(1, 1501), 1503]


def test_an_unknown_format_is_named_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'sharegpt'"):
        formats.read([write(tmp_path / "a.jsonl", [CHAT])], format="sharegtp")


def test_a_format_that_does_not_fit_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this row has no instruction"):
        formats.read([write(tmp_path / "a.jsonl", [CHAT])], format="alpaca")


def test_a_third_party_shape_is_one_more_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def example(row: Any, source: Any) -> Example:
        said = (message("user", row["ask"]), message("assistant", row["say"]))
        return Example(kind="chat", source=source, messages=said)

    def recognise(row: Any) -> tuple[str, ...]:
        return ("ask", "say") if "ask" in row else ()

    mine = types.SimpleNamespace(KEYS=("ask", "say"), NAME="asked", recognise=recognise, example=example)
    names, load = plugins.names, plugins.load
    monkeypatch.setattr(plugins, "names", lambda kind: [*names(kind), "mine"])
    monkeypatch.setattr(plugins, "load", lambda kind, name: mine if name == "mine" else load(kind, name))
    _detect.shapes.cache_clear()
    try:
        reading = formats.read([write(tmp_path / "a.jsonl", [{"ask": "a", "say": "b"}])])
    finally:
        _detect.shapes.cache_clear()
    assert reading.examples[0].answer == "b"
    assert "1 asked row: rows have 'ask' and 'say'" in reading.seen


# -------------------------------------------------------------------------------------------------------- map


def test_map_names_the_columns(tmp_path: Path) -> None:
    rows = [{"x": "a", "y": "b", "prompt": "no"}]
    reading = formats.read([write(tmp_path / "a.jsonl", rows)], map={"prompt": "x", "completion": "y"})
    assert [m.text for m in reading.examples[0].messages] == ["a", "b"]
    assert "(map: prompt=x,completion=y); not used: prompt" in reading.seen


def test_map_leads_to_any_shape(tmp_path: Path) -> None:
    reading = formats.read([write(tmp_path / "a.jsonl", [{"dialog": CHAT["messages"]}])], map={"messages": "dialog"})
    assert reading.examples[0].answer == "b"
    rows = [{"q": "a", "good": "b", "bad": "c"}]
    columns = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    assert formats.read([write(tmp_path / "b.jsonl", rows)], map=columns).examples[0].kind == "pair"


def test_a_fault_in_a_mapped_column_is_named_as_the_file_has_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"x": "a", "y": "b"}, {"x": "a", "y": {}}])
    with pytest.raises(DataError) as caught:
        formats.read([path], map={"prompt": "x", "completion": "y"})
    assert caught.value.problems[0].where == f"{path}:2:17"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"promt": "x"}, "no shape has a key 'promt'.*did you mean 'prompt'"),
        ({"prompt": "txet"}, "the rows have no 'txet'.*did you mean 'text'"),
    ],
)
def test_a_mistyped_map_is_an_error(columns: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"(?s){words}"):
        formats.read([write(tmp_path / "a.jsonl", [{"text": "a", "x": "b"}])], map=columns)


# ------------------------------------------------------------------------------------------- files and weights


def test_globs_are_sorted_and_files_keep_their_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write(tmp_path / f"{name}.jsonl", [{"prompt": name, "completion": "x"}])
    reading = formats.read([str(tmp_path / "c.jsonl"), str(tmp_path / "[ab].jsonl")])
    assert [example.prompt[0].text for example in reading.examples] == ["c", "a", "b"]
    assert len(reading.seen.splitlines()) == 3


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [CHAT])
    with pytest.raises(ConfigError, match="is named twice"):
        formats.read([path, str(tmp_path / "*.jsonl")])


def test_a_weight_below_one_draws_a_seeded_part_by_content(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", numbered(2000))
    shuffled = write(tmp_path / "b.jsonl", reversed(numbered(2000)))
    taken = formats.read([f"{path}:0.5"])
    assert 900 < len(taken.examples) < 1100  # binomial: 1,000 +- 4.5 standard deviations
    assert taken.rows_in == len(taken.examples)
    assert len(taken.left_out) + len(taken.examples) == 2000
    assert f"(weight 0.5: {len(taken.examples):,} taken)" in taken.seen
    keys = {example.key for example in taken.examples}
    assert {example.key for example in formats.read([f"{shuffled}:0.5"]).examples} == keys
    assert {example.key for example in formats.read([f"{path}:0.25"]).examples} < keys
    assert {example.key for example in formats.read([f"{path}:0.5"], seed=1).examples} != keys


def test_weights_above_one_repeat_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", numbered(200))
    assert formats.read([f"{path}:2"]).rows_in == 400
    reading = formats.read([f"{path}:1.5"])
    assert 260 < reading.rows_in < 340
    assert reading.left_out == []


@pytest.mark.parametrize("name", ["a:0.5.jsonl", "b.jsonl:3", "C:\\data\\c.jsonl", "d [x].jsonl"])
def test_colons_and_brackets_in_names_do_no_harm(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, numbered(10))
    reading = formats.read([path])
    assert reading.rows_in == 10
    assert reading.examples[0].source.file == path
    assert formats.read([f"{path}:2"]).rows_in == 20


@pytest.mark.parametrize("weight", ["0", "0.0", "1000"])
def test_a_weight_that_cannot_be(weight: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the weight of"):
        formats.read([f"{write(tmp_path / 'a.jsonl', [CHAT])}:{weight}"])


def test_no_files_at_all() -> None:
    with pytest.raises(DataError, match="no data files"):
        formats.read([])


# ----------------------------------------------------------------------------------------------------- groups


def test_groups_come_from_a_key_or_a_key_within(tmp_path: Path) -> None:
    rows = [CHAT | {"customer": {"id": value}, "a.b": "dot"} for value in ("x", 7, None)]
    path = write(tmp_path / "a.jsonl", rows)
    assert [example.group for example in formats.read([path], group="customer.id").examples] == ["x", "7", None]
    assert {example.group for example in formats.read([path], group="a.b").examples} == {"dot"}


def test_a_group_may_be_a_mapped_column(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "category": "ab"[i % 2]} for i in range(40)]
    assert [e.group for e in formats.read([write(tmp_path / "a.jsonl", rows)], group="category").examples[:2]] == [
        "a",
        "b",
    ]


def test_rows_without_the_group_are_bad_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [CHAT | {"c": "x"}, CHAT, CHAT | {"c": [1]}])
    column = json.dumps(CHAT | {"c": [1]}).index("[1]") + 1
    with pytest.raises(DataError) as caught:
        formats.read([path], group="c")
    assert [problem.where for problem in caught.value.problems] == [f"{path}:2:1", f"{path}:3:{column}"]


def test_a_mistyped_group_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)no key 'custmer'.*did you mean 'customer'"):
        formats.read([write(tmp_path / "a.jsonl", [CHAT | {"customer": "x"}])], group="custmer")
