"""Every row accounted for: too long, nothing to train on, impossible to write; and tokenised once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tailor.errors import ConfigError, DataError
from tailor.records import Datum, Example, Ledger, Message, Reasoning, Source, Text, message
from tailor.render import Renderer, load, render_rows
from tailor.render.cache import RowCache

CHAT = (
    "{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('bad row') }}{% endif %}"
    "<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROLES = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


@pytest.fixture
def renderer(small_folder: Callable[..., Path]) -> Renderer:
    return load(small_folder(template=CHAT, special=ROLES))


def chat(*turns: str, line: int = 1, system: str | None = None, **rest: Any) -> Example:
    messages = [message("system", system)] if system else []
    messages += [message("assistant" if i % 2 else "user", text) for i, text in enumerate(turns)]
    return Example(kind="chat", source=Source("rows.jsonl", line), messages=tuple(messages), **rest)


def render(renderer: Renderer, examples: list[Example], policy: str = "refuse", limit: int = 30, **rest: Any) -> Any:
    ledger = Ledger()
    make = rest.pop("make", renderer.datums)
    rows = render_rows(examples, renderer, make, max_length=limit, over_length=policy, ledger=ledger, **rest)
    return rows, ledger


def answers(renderer: Renderer, row: list[Datum]) -> list[str]:
    """The trained text of each Datum."""
    return [renderer.tokenizer.decode(datum.ids[datum.weights > 0]) for datum in row]


def prompts(renderer: Renderer, row: list[Datum]) -> list[str]:
    """The text of each Datum before its last weighted span."""
    starts = [np.flatnonzero(datum.weights == 0)[-1] + 1 for datum in row]
    return [renderer.tokenizer.decode(datum.ids[:start]) for datum, start in zip(row, starts, strict=True)]


def test_rows_keep_their_order_and_index(renderer: Renderer) -> None:
    examples = [chat("a", "1", line=1), chat("b", line=2), chat("c", "3", line=3)]
    said: list[tuple[int, int]] = []
    rows, ledger = render(renderer, examples, progress=lambda what, done, total: said.append((done, total)))
    assert [[datum.group for datum in row] for row in rows] == [[0], [2]]
    assert [row[0].row.line for row in rows] == [1, 3]
    assert ledger.dropped == {"nothing to train on": 1}
    assert ledger.dropped_at == {"nothing to train on": ["rows.jsonl:2"]}
    assert ledger.tokens_in == sum(len(datum) for row in rows for datum in row)
    assert said[0] == (0, 3) and said[-1] == (3, 3)


def test_no_row_left_is_an_error(renderer: Renderer) -> None:
    with pytest.raises(DataError, match=r"(?s)no row is left.*rows\.jsonl:2: nothing to train on"):
        render(renderer, [chat("b", line=2)])
    assert render(renderer, [])[0] == []


def test_rows_that_cannot_be_written_are_reported_all_at_once(renderer: Renderer) -> None:
    examples = [chat("bad", "x", line=1), chat("a", "1", line=2), chat("bad", "x", line=3)]
    with pytest.raises(DataError, match="2 rows cannot be written") as caught:
        render(renderer, examples)
    assert [problem.where for problem in caught.value.problems] == ["rows.jsonl:1", "rows.jsonl:3"]
    assert all("bad row" in problem.what for problem in caught.value.problems)


def test_long_rows_are_refused_with_what_would_be_lost(renderer: Renderer) -> None:
    examples = [chat("a", "x " * 40, line=1), chat("a", "1", line=2), chat("a", "x " * 100, line=3)]
    lengths = [len(renderer.datums(example, 0)[0]) for example in examples]
    with pytest.raises(DataError) as caught:
        render(renderer, examples)
    lost = lengths[0] - 30 + lengths[2] - 30
    assert f"2 rows longer than 30 tokens; cutting would lose {lost} answer tokens" in str(caught.value)
    assert [problem.where for problem in caught.value.problems] == ["rows.jsonl:3", "rows.jsonl:1"]  # longest first
    assert f"{lengths[2]} tokens" in caught.value.problems[0].what
    assert "--over-length drop, split or cut-prompt" in caught.value.fix


def test_drop(renderer: Renderer) -> None:
    examples = [chat("a", "x " * 40, line=1), chat("a", "1", line=2)]
    rows, ledger = render(renderer, examples, "drop")
    assert answers(renderer, rows[0]) == ["1<|end|>"] and len(rows) == 1 and rows[0][0].group == 1
    assert ledger.dropped_at == {"longer than 30 tokens": ["rows.jsonl:1"]}
    assert ledger.tokens_dropped == len(renderer.datums(examples[0], 0)[0])


def test_split_of_a_text_trains_every_token_once(renderer: Renderer) -> None:
    text = Example(kind="text", source=Source("rows.jsonl", 1), text="the quick brown fox " * 20)
    (whole,) = renderer.datums(text, 0)
    ((*windows,),), ledger = render(renderer, [text], "split", 16)
    assert all(len(window) <= 16 for window in windows)
    assert windows[0].ids[0] == whole.ids[0]
    assert np.concatenate([w.ids[w.weights > 0] for w in windows]).tolist() == whole.ids[1:].tolist()
    for before, after in pairwise(windows):
        assert before.ids[-1] == after.ids[0]  # what the first token of a window is predicted from
    assert ledger.dropped == {}


def test_split_of_a_chat(renderer: Renderer) -> None:
    example = chat("one", "1", "two", "2", "three", "3", "four", "4", "five", "5", system="sys")
    (row,), ledger = render(renderer, [example], "split", 30)
    assert all(len(datum) <= 30 for datum in row) and len(row) > 1
    assert "".join(answers(renderer, row)) == "".join(f"{i}<|end|>" for i in range(1, 6))
    assert all(text.startswith("<|system|>sys<|end|><|user|>") for text in prompts(renderer, row))
    assert any("1 row longer than 30 tokens split into" in note for note in renderer.notes)
    assert ledger.dropped == {}


def test_split_cannot_divide_one_question(renderer: Renderer) -> None:
    with pytest.raises(DataError, match="one question with its answer is too long"):
        render(renderer, [chat("a", "x " * 40)], "split")
    with pytest.raises(DataError, match="kind rated cannot be split"):
        rated = Example(kind="rated", source=Source("f", 1), messages=chat("a", "x " * 40).messages, rating=1.0)
        render(renderer, [rated], "split")


def test_cut_prompt_drops_the_oldest_turns(renderer: Renderer) -> None:
    example = chat("one", "1", "two", "2", "three", "3", "four", "4", "five", "5", system="sys")
    (row,), _ = render(renderer, [example], "cut-prompt", 30)
    assert all(len(datum) <= 30 for datum in row)
    assert "".join(answers(renderer, row)) == "".join(f"{i}<|end|>" for i in range(1, 6))  # each once
    last = prompts(renderer, row)[-1]
    assert last.startswith("<|system|>sys<|end|><|user|>") and "five" in last and "four" in last and "one" not in last


def test_cut_prompt_keeps_the_end_of_a_long_question(renderer: Renderer) -> None:
    question = " ".join(str(i) for i in range(100, 200))
    example = chat(question, "the answer", system="sys")
    (row,), ledger = render(renderer, [example], "cut-prompt", 40)
    (datum,) = row
    assert answers(renderer, row) == ["the answer<|end|>"]
    (prompt,) = prompts(renderer, row)
    kept = prompt.removeprefix("<|system|>sys<|end|><|user|>").removesuffix("<|end|><|assistant|>")
    assert kept and question.endswith(kept)
    longer = chat(question[-len(kept) - 1 :], "the answer", system="sys")
    assert len(datum) <= 40 < len(renderer.datums(longer, 0)[0])  # not a character more than needed
    assert ledger.tokens_dropped == len(renderer.datums(example, 0)[0]) - len(datum)


def test_cut_prompt_of_a_pair_keeps_both_answers(renderer: Renderer) -> None:
    pair = Example(
        kind="pair",
        source=Source("rows.jsonl", 1),
        messages=chat("one", "1", "two " * 30).messages,
        chosen=(message("assistant", "good"),),
        rejected=(message("assistant", "bad answer"),),
    )

    def make(example: Example, group: int) -> list[Datum]:
        sides = (("chosen", example.chosen), ("rejected", example.rejected))
        return [
            renderer.answer_datum(example.messages, side, example.tools, group, example.source, label)
            for label, side in sides
        ]

    (row,), _ = render(renderer, [pair], "cut-prompt", make=make)
    assert [datum.label for datum in row] == ["chosen", "rejected"] and all(len(datum) <= 30 for datum in row)
    assert answers(renderer, row) == ["good<|end|>", "bad answer<|end|>"]
    first, second = prompts(renderer, row)
    assert first == second


def test_an_answer_is_never_cut(renderer: Renderer) -> None:
    for example in (chat("a", "x " * 40), Example(kind="text", source=Source("f", 1), text="x " * 40)):
        with pytest.raises(DataError, match=r"too long|no prompt to cut"):
            render(renderer, [example], "cut-prompt")


def test_an_unknown_policy(renderer: Renderer) -> None:
    with pytest.raises(ConfigError, match="did you mean 'cut-prompt'"):
        render(renderer, [], "cut_prompt")


# ------------------------------------------------------------------------------------------------------- cache


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "cache"


class Counting:
    """Counts the renderings that a cache did not spare."""

    def __init__(self, renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        original = renderer._mask.spans

        def spans(rows: Any) -> Any:
            self.count += len(rows)
            return original(rows)

        monkeypatch.setattr(renderer._mask, "spans", spans)


def same(a: list[list[Datum]], b: list[list[Datum]]) -> bool:
    def plain(rows: list[list[Datum]]) -> Any:
        return [[(d.ids.tolist(), d.weights.tolist(), d.ids.dtype, d.weights.dtype, d.row) for d in r] for r in rows]

    return bool(plain(a) == plain(b))


def rows_for_cache() -> list[Example]:
    return [
        chat("a", "1", "b", "2", line=1),
        chat("a", "1", line=2),
        Example(kind="text", source=Source("t.txt", 1), text="some text"),
        Example(
            kind="chat",
            source=Source("w", 1),
            messages=(
                message("user", "u"),
                message("assistant", "x", 0.25),
                message("user", "v"),
                message("assistant", ""),
            ),
        ),
    ]


def test_rows_are_tokenised_once(renderer: Renderer, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = render(renderer, rows_for_cache())
    counting = Counting(renderer, monkeypatch)
    first, ledger = render(renderer, rows_for_cache(), cache=store)
    assert counting.count == 3
    second, ledger_again = render(renderer, rows_for_cache(), cache=store)
    assert counting.count == 3
    assert same(plain, first) and same(first, second) and ledger == ledger_again
    render(renderer, [*rows_for_cache(), chat("new", "row")], cache=store)
    assert counting.count == 4
    assert len(list(store.iterdir())) == 2


def test_equal_rows_of_other_places_keep_their_place(renderer: Renderer, store: Path) -> None:
    render(renderer, [chat("a", "1", line=1)], cache=store)
    ((datum,),), _ = render(renderer, [chat("a", "1", line=9)], cache=store)
    assert datum.row == Source("rows.jsonl", 9)


def test_another_mode_does_not_read_it(small_folder: Callable[..., Path], store: Path) -> None:
    template = CHAT + "{% if enable_thinking %} {% endif %}"
    folder = small_folder(template=template, special=ROLES)
    render(load(folder), [chat("a", "1")], cache=store)
    assert RowCache(store, load(folder, thinking=True).fingerprint)._kept == {}
    assert len(RowCache(store, load(folder).fingerprint)._kept) == 1


@pytest.mark.parametrize("damage", ["cut", "bit", "magic", "empty", "count"])
def test_a_damaged_file_is_left_aside(
    renderer: Renderer, store: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    whole, _ = render(renderer, rows_for_cache(), cache=store)
    (path,) = store.iterdir()
    data = bytearray(path.read_bytes())
    if damage == "bit":
        data[-3] ^= 1
    elif damage == "magic":
        data[0] ^= 1
    elif damage == "count":
        data[33] ^= 1
    path.write_bytes({"cut": data[:-7], "empty": b""}.get(damage, data))
    counting = Counting(renderer, monkeypatch)
    again, _ = render(renderer, rows_for_cache(), cache=store)
    assert same(whole, again) and counting.count == 3


def test_work_is_kept_when_rows_are_refused(renderer: Renderer, store: Path) -> None:
    with pytest.raises(DataError):
        render(renderer, [chat("a", "1"), chat("a", "x " * 40)], cache=store)
    assert len(RowCache(store, renderer.fingerprint)._kept) == 2


def test_reasoning_of_rows_is_part_of_their_key(small_folder: Callable[..., Path], store: Path) -> None:
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.reasoning_content or '' }}{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    renderer = load(small_folder(template=template, special=ROLES))
    for thought in ("so", "but"):
        turns = (message("user", "u"), Message("assistant", (Reasoning(thought), Text("x"))))
        row = Example(kind="chat", source=Source("f", 1), messages=turns)
        ((datum,),), _ = render(renderer, [row], cache=store)
        assert renderer.tokenizer.decode(datum.ids[datum.weights > 0]) == f"{thought}x<|end|>"
