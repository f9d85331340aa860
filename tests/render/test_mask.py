"""Promise 1: weighted tokens are exactly what the model must emit after the serving prompt."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailor.errors import DataError, ModelError
from tailor.records import (
    Datum,
    Example,
    Media,
    Message,
    Reasoning,
    Request,
    Source,
    Text,
    ToolCall,
    ToolResult,
    message,
)
from tailor.render import Renderer, load
from tailor.render.template import DATE

ROW = Source("rows.jsonl", 7)
ARGUMENTS = {"city": "Zürich", "days": 2}
TOOLS: tuple[dict[str, Any], ...] = (
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    },
)
CALLING = Message("assistant", (ToolCall("get_weather", ARGUMENTS, "call_1"),))
RESULT = Message("tool", (ToolResult("rain", "call_1", "get_weather"),))


def thought(reasoning: str, text: str) -> Message:
    return Message("assistant", (Reasoning(reasoning), Text(text)))


CONVERSATIONS: dict[str, tuple[Message, ...]] = {
    "plain": (message("system", "Be brief."), message("user", "What is 6*7?"), message("assistant", "It is 42.")),
    "no system": (message("user", "Hi"), message("assistant", "Hello.")),
    "multi-turn": (
        message("system", "Be brief."),
        message("user", "One?"),
        message("assistant", "1"),
        message("user", "Two?"),
        message("assistant", "2"),
        message("user", "Three?"),
        message("assistant", "3"),
    ),
    "empty turn": (message("user", "Say nothing."), message("assistant", "")),
    "emoji": (message("user", "🧵 für 你好 👩‍👩‍👧?"), message("assistant", "✂️ ja, 再见 🎉")),
    "lines": (message("user", "a\n\nb"), message("assistant", "first\n\n  second\n\tthird")),
    "reasoning": (message("user", "Is 7 prime?"), thought("Nothing divides 7.", "Yes.")),
    "two reasonings": (
        message("user", "Is 7 prime?"),
        thought("Nothing divides 7.", "Yes."),
        message("user", "Is 8?"),
        thought("2 divides 8.", "No."),
    ),
    "tools": (message("user", "Weather?"), CALLING, RESULT, message("assistant", "It rains.")),
}
JSON_CALL = '{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}'


def wanted(family: str, thinking: bool, turn: Message, after_tool: bool) -> str:
    """What the model must emit for this turn, written out by hand for each template."""
    text = turn.text
    reasoning = "".join(part.text for part in turn.parts if isinstance(part, Reasoning))
    call = any(isinstance(part, ToolCall) for part in turn.parts)
    if family == "thimble":
        return (JSON_CALL if call else text) + "<|end|>"
    if family == "llama3":
        return text + "<|eot_id|>"
    if family == "llama3_1":
        return (JSON_CALL.replace("arguments", "parameters") if call else text) + "<|eot_id|>"
    if family == "gemma3":
        return text + "<end_of_turn>"
    if family == "qwen3":
        think = f"<think>\n{reasoning}\n</think>\n\n" if thinking else ""
        return think + (f"<tool_call>\n{JSON_CALL}\n</tool_call>" if call else text) + "<|im_end|>"
    if family == "deepseekv3":
        body = text
        if call:
            body = (
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
                + json.dumps(ARGUMENTS, ensure_ascii=False)
                + "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            )
        return ("" if after_tool else f"{reasoning}\n</think>\n\n") + body + "<｜end▁of▁sentence｜>"
    if call:
        return (
            " to=functions.get_weather<|channel|>commentary json<|message|>"
            + json.dumps(ARGUMENTS, ensure_ascii=False)
            + "<|call|>"
        )
    analysis = f"<|channel|>analysis<|message|>{reasoning}<|end|><|start|>assistant" if reasoning else ""
    return f"{analysis}<|channel|>final<|message|>{text}<|return|>"


# conversations that a family's template has no place for: (family, thinking) -> names
REFUSED = {
    ("thimble", False): {"reasoning", "two reasonings"},
    ("llama3", False): {"reasoning", "two reasonings", "tools"},
    ("llama3_1", False): {"reasoning", "two reasonings"},
    ("gemma3", False): {"reasoning", "two reasonings", "tools"},
    ("qwen3", False): {"reasoning", "two reasonings"},
}
MODES = [
    ("thimble", False),
    ("llama3", False),
    ("llama3_1", False),
    ("gemma3", False),
    ("qwen3", False),
    ("qwen3", True),
    ("deepseekv3", False),
    ("gptoss", False),
]


class Oracle:
    """transformers' own rendering of the same folder."""

    def __init__(self, folder: Path, thinking: bool, text_arguments: bool) -> None:
        from transformers import PreTrainedTokenizerFast

        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self.thinking = thinking
        self.text_arguments = text_arguments

    def __call__(self, messages: tuple[Message, ...], prompt: bool, tools: tuple[dict[str, Any], ...] = ()) -> str:
        return self.tokenizer.apply_chat_template(
            [self.wire(m) for m in messages],
            tools=list(tools) or None,
            tokenize=False,
            add_generation_prompt=prompt,
            enable_thinking=self.thinking,
        )

    def wire(self, turn: Message) -> dict[str, Any]:
        entry: dict[str, Any] = {"role": turn.role, "content": turn.text}
        for part in turn.parts:
            if isinstance(part, Reasoning):
                entry["reasoning_content"] = entry["thinking"] = part.text  # transformers fills in the second of late
            elif isinstance(part, ToolCall):
                arguments = json.dumps(part.arguments, ensure_ascii=False) if self.text_arguments else part.arguments
                function = {"name": part.name, "arguments": arguments}
                entry["tool_calls"] = [{"type": "function", "id": part.id, "function": function}]
            elif isinstance(part, ToolResult):
                entry |= {"content": part.content, "name": part.name, "tool_call_id": part.id}
        return entry


@pytest.fixture(scope="module")
def renderers(family_folder: Callable[[str], Path]) -> Callable[[str, bool], tuple[Renderer, Oracle]]:
    made: dict[tuple[str, bool], tuple[Renderer, Oracle]] = {}

    def pair(family: str, thinking: bool) -> tuple[Renderer, Oracle]:
        if (family, thinking) not in made:
            folder = family_folder(family)
            oracle = Oracle(folder, thinking, text_arguments=family == "deepseekv3")
            made[family, thinking] = (load(folder, thinking=thinking), oracle)
        return made[family, thinking]

    return pair


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' strftime_now on the day that tailor always shows a template."""
    from transformers.utils import chat_template_utils

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls.fromisoformat(DATE)

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)


def spans(datum: Datum) -> list[tuple[int, int]]:
    """(start, end) of the runs of weight > 0."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], datum.weights > 0, [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize(("family", "thinking"), MODES)
def test_promise(renderers: Any, family: str, thinking: bool, name: str) -> None:
    renderer, oracle = renderers(family, thinking)
    messages = CONVERSATIONS[name]
    tools = TOOLS if name == "tools" else ()
    example = Example(kind="chat", source=ROW, messages=messages, tools=tools)
    if name in REFUSED.get((family, thinking), ()):
        with pytest.raises(DataError, match=r"reasoning|tool calls") as caught:
            renderer.datums(example, 0)
        assert caught.value.where == "rows.jsonl:7"
        return
    datums = renderer.datums(example, 3)
    decode = renderer.tokenizer.decode
    turns = [i for i, m in enumerate(messages) if m.role == "assistant"]
    found = [(datum, *span) for datum in datums for span in spans(datum)]
    assert len(found) == len(turns)
    for i, (datum, start, end) in zip(turns, found, strict=True):
        prompt = oracle(messages[:i], True, tools)
        assert decode(datum.ids[:start]) == prompt
        assert renderer.prompt_ids(Request(messages=messages[:i], tools=tools)) == datum.ids[:start].tolist()
        assert oracle.tokenizer(prompt, add_special_tokens=False).input_ids == datum.ids[:start].tolist()
        assert decode(datum.ids[start:end]) == wanted(family, thinking, messages[i], messages[i - 1].role == "tool")
        assert int(datum.ids[end - 1]) in renderer.stop_ids
        full = oracle(messages[: i + 1], False, tools)
        if family != "deepseekv3":  # its finished turns leave out the reasoning that its prompt opens
            assert full.startswith(decode(datum.ids[:end])) and full[len(decode(datum.ids[:end])) :].strip() == ""
    for datum in datums:
        assert datum.ids.dtype == np.int32 and datum.weights.dtype == np.float32
        assert datum.weights[-1] > 0 and datum.weights[0] == 0  # nothing behind the stop token
        assert (datum.group, datum.row) == (3, ROW)


@pytest.mark.parametrize(
    ("family", "thinking", "count"),
    [
        ("thimble", False, 1),
        ("llama3", False, 1),
        ("gemma3", False, 1),
        ("qwen3", False, 3),
        ("qwen3", True, 3),
        ("gptoss", False, 3),
    ],
)
def test_turns_are_merged_unless_history_is_rewritten(renderers: Any, family: str, thinking: bool, count: int) -> None:
    renderer, _ = renderers(family, thinking)
    datums = renderer.datums(Example(kind="chat", source=ROW, messages=CONVERSATIONS["multi-turn"]), 0)
    assert len(datums) == count


def test_weights_of_messages(renderers: Any) -> None:
    renderer, _ = renderers("llama3", False)
    one, two, three = (message("assistant", "a", 0), message("assistant", "b", 0.5), message("assistant", "c"))
    user = message("user", "x")
    (datum,) = renderer.datums(Example(kind="chat", source=ROW, messages=(user, one, user, two, user, three)), 0)
    decode = renderer.tokenizer.decode
    assert decode(datum.ids[datum.weights == 0.5]) == "b<|eot_id|>"
    assert decode(datum.ids[datum.weights == 1]) == "c<|eot_id|>"
    assert renderer.datums(Example(kind="chat", source=ROW, messages=(user, one)), 0) == []


def test_a_pair_shares_its_prompt(renderers: Any) -> None:
    renderer, oracle = renderers("qwen3", False)
    history = CONVERSATIONS["multi-turn"][:2]
    decode = renderer.tokenizer.decode
    for label, text in (("chosen", "Uno."), ("rejected", "")):
        datum = renderer.answer_datum(history, (message("assistant", text),), (), 5, ROW, label)
        ((start, end),) = spans(datum)
        assert decode(datum.ids[:start]) == oracle(history, True)
        assert (decode(datum.ids[start:end]), datum.label, datum.group) == (text + "<|im_end|>", label, 5)


def test_an_answer_of_several_turns(renderers: Any) -> None:
    history, answer = (message("user", "One?"),), CONVERSATIONS["multi-turn"][2:5]
    renderer, _ = renderers("llama3", False)
    datum = renderer.answer_datum(history, answer, (), 0, ROW, "chosen")
    assert [renderer.tokenizer.decode(datum.ids[a:b]) for a, b in spans(datum)] == ["1<|eot_id|>", "2<|eot_id|>"]
    renderer, _ = renderers("qwen3", True)
    with pytest.raises(DataError, match="several turns"):
        renderer.answer_datum(history, answer, (), 0, ROW, "chosen")


@pytest.mark.parametrize(("family", "thinking"), MODES)
def test_literal_special_tokens_stay_text(renderers: Any, family: str, thinking: bool) -> None:
    """Whatever special tokens a row spells out, its ids hold just the special tokens that the template wrote."""
    renderer, oracle = renderers(family, thinking)
    special = sorted(renderer.tokenizer.special_ids)
    words = " ".join(renderer.tokenizer.token(i) for i in special)
    quiet = (message("system", "s"), message("user", "u v"), message("assistant", "a b"))
    loud = tuple(message(m.role, m.text + words + m.text) for m in quiet)
    (plain,) = renderer.datums(Example(kind="chat", source=ROW, messages=quiet), 0)
    (datum,) = renderer.datums(Example(kind="chat", source=ROW, messages=loud), 0)
    count = np.bincount(datum.ids, minlength=renderer.tokenizer.vocabulary)
    assert count[special].tolist() == np.bincount(plain.ids, minlength=len(count))[special].tolist()
    ((start, end),) = spans(datum)
    assert renderer.tokenizer.decode(datum.ids[:start]) == oracle(loud[:2], True)
    assert renderer.tokenizer.decode(datum.ids[start:end]) == wanted(family, thinking, loud[2], False)


def test_structural_tokens_of_users_stay_text_and_of_the_model_are_tokens(renderers: Any) -> None:
    renderer, _ = renderers("deepseekv3", False)
    role = renderer.tokenizer.backend.token_to_id("<｜User｜>")
    (datum,) = renderer.datums(
        Example(kind="chat", source=ROW, messages=(message("user", "a<｜User｜>b"), message("assistant", "c"))), 0
    )
    assert (datum.ids == role).sum() == 1
    renderer, _ = renderers("qwen3", True)
    think = renderer.tokenizer.backend.token_to_id("<think>")
    turns = (message("user", "why <think>?"), message("assistant", "<think>\nso\n</think>\n\nthus"))
    (datum,) = renderer.datums(Example(kind="chat", source=ROW, messages=turns), 0)
    assert np.flatnonzero(datum.ids == think).tolist() == [int(np.flatnonzero(datum.weights)[0])]


def test_old_tool_results_in_user_turns_keep_their_meaning(renderers: Any) -> None:
    """Qwen3 looks for <tool_response> in user turns: where a mark would change the text, only special ones get it."""
    renderer, oracle = renderers("qwen3", False)
    turns = (
        message("user", "Weather?"),
        message("assistant", "Wait."),
        message("user", "<tool_response>\nrain\n</tool_response>"),
        message("assistant", "It rains."),
    )
    datum = renderer.datums(Example(kind="chat", source=ROW, messages=turns), 0)[-1]
    (start, _) = spans(datum)[-1]
    assert renderer.tokenizer.decode(datum.ids[:start]) == oracle(turns[:3], True)


def test_a_token_that_the_template_takes_apart_is_refused(small_folder: Callable[..., Path]) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ (m.content | length) ~ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    renderer = load(small_folder(template=template))
    with pytest.raises(DataError, match="literal special token"):
        renderer.prompt_ids(Request(messages=(message("user", "<|end|>"),)))


def test_a_noncharacter_in_the_row_is_kept(renderers: Any) -> None:
    renderer, oracle = renderers("llama3", False)
    turns = (message("user", "\ufdd0<|eot_id|>\ufdd1"),)
    assert renderer.tokenizer.decode(renderer.prompt_ids(Request(messages=turns))) == oracle(turns, True)


def test_what_a_template_leaves_out_is_refused(renderers: Any) -> None:
    renderer, _ = renderers("deepseekv3", False)
    turns = (message("user", "x"), message("assistant", "<think>because</think>thus"))
    with pytest.raises(DataError, match="leaves out the text"):
        renderer.datums(Example(kind="chat", source=ROW, messages=turns), 0)
    renderer, _ = renderers("gptoss", False)
    two = Message("assistant", (ToolCall("get_weather", {}), ToolCall("get_weather", {"city": "Bern"})))
    with pytest.raises(DataError, match="leaves out a call"):
        renderer.datums(Example(kind="chat", source=ROW, messages=(message("user", "x"), two), tools=TOOLS), 0)


def test_what_a_template_refuses_is_a_data_error_with_its_words(renderers: Any) -> None:
    renderer, _ = renderers("gemma3", False)
    turns = (message("user", "a"), message("user", "b"), message("assistant", "c"))
    with pytest.raises(DataError, match="roles must alternate"):
        renderer.datums(Example(kind="chat", source=ROW, messages=turns), 0)
    with pytest.raises(DataError, match="images"):
        renderer.prompt_ids(Request(messages=(Message("user", (Media("image", "cat.png"),)),)))


def test_tools_that_the_template_hides_are_said(family_folder: Callable[[str], Path]) -> None:
    renderer = load(family_folder("deepseekv3"))
    request = Request(messages=(message("user", "x"),), tools=TOOLS)
    for _ in range(2):
        renderer.prompt_ids(request)
    assert [note for note in renderer.notes if "declared tools" in note] == [
        "the template does not show the declared tools to the model"
    ]


STOPS = {
    "an end of text behind the stop token (Phi-3)": (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% else %}<|eot|>{% endif %}",
        ["<|eot|>"],
        "yes<|end|>",
    ),
    "a special token before the stop token (Cohere)": (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|><|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ["<|eot|>"],
        "yes<|end|><|eot|>",
    ),
    "a special token behind the stop token": (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|><|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ["<|end|>"],
        "yes<|end|>",
    ),
    "another stop token in the last turn (gpt-oss)": (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
        "{% if loop.last and not add_generation_prompt %}<|eot|>{% else %}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ["<|eot|>"],
        "yes<|eot|>",
    ),
    "the next turn's role as stop token (GLM)": (
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ["<|eot|>", "<|user|>"],
        "\nyes<|user|>",
    ),
    "no stop token: the end of text is added": (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}",
        ["<|eot|>"],
        "yes<|eot|>",
    ),
}


@pytest.mark.parametrize("name", STOPS)
def test_the_stop_token(small_folder: Callable[..., Path], name: str) -> None:
    template, ends, trained = STOPS[name]
    special = ["<|end|>", "<|eot|>", "<|user|>", "<|assistant|>"]
    index = {text: i for i, text in enumerate(special, start=400)}
    folder = small_folder(
        template=template, special=special, eos=ends[0], generation={"eos_token_id": [index[end] for end in ends]}
    )
    renderer = load(folder)
    assert {renderer.tokenizer.token(i) for i in index.values()} == set(special)
    (datum,) = renderer.datums(
        Example(kind="chat", source=ROW, messages=(message("user", "?"), message("assistant", "yes"))), 0
    )
    assert renderer.tokenizer.decode(datum.ids[datum.weights > 0]) == trained
    assert int(datum.ids[-1]) in renderer.stop_ids
    assert any("is added" in note for note in renderer.notes) == name.startswith("no stop token")


def test_a_prompt_that_finished_turns_do_not_follow_is_refused(small_folder: Callable[..., Path]) -> None:
    template = (
        "{% for m in messages %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}Answer:{% endif %}"
    )
    renderer = load(small_folder(template=template))
    turns = (message("user", "x"), message("assistant", "y"))
    with pytest.raises(DataError, match="ends the prompt with 'Answer:'"):
        renderer.datums(Example(kind="chat", source=ROW, messages=turns), 0)


def test_a_reasoning_block_that_is_opened_in_the_prompt_and_closed_at_once(small_folder: Callable[..., Path]) -> None:
    """Nemotron in thinking mode: the prompt ends in `<think>` and a line break, an empty block has no line break."""
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think>"
        "{% if m.reasoning_content %}{{ '\n' ~ m.reasoning_content ~ '\n' }}{% endif %}</think>{% endif %}"
        "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|><think>\n' }}{% endif %}"
    )
    renderer = load(small_folder(template=template, special=["<|user|>", "<|assistant|>", "<|end|>"]))
    for answer, emitted in (
        (message("assistant", "x"), "</think>x<|end|>"),
        (thought("r", "x"), "r\n</think>x<|end|>"),
    ):
        (datum,) = renderer.datums(Example(kind="chat", source=ROW, messages=(message("user", "q"), answer)), 0)
        assert renderer.tokenizer.decode(datum.ids[datum.weights == 0]) == "<|user|>q<|end|><|assistant|><think>\n"
        assert renderer.tokenizer.decode(datum.ids[datum.weights > 0]) == emitted


def test_a_template_that_cannot_write_a_turn(small_folder: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="leaves out what the assistant says"):
        load(small_folder(template="nothing"))
    with pytest.raises(ModelError, match="not today"):
        load(small_folder(template="{{ raise_exception('not today') }}"))


def test_documents(small_folder: Callable[..., Path]) -> None:
    settings_ = {"template": None, "special": ["<s>", "</s>"], "bos": "<s>", "eos": "</s>"}
    for post_bos, start in ((True, "<s>"), (False, "")):
        renderer = load(small_folder(post_bos=post_bos, **settings_))
        (datum,) = renderer.datums(Example(kind="text", source=ROW, text="A text </s> of its own."), 0)
        assert renderer.tokenizer.decode(datum.ids) == f"{start}A text </s> of its own.</s>"
        assert datum.weights.tolist() == [0.0] + [1.0] * (len(datum) - 1)
        assert (datum.ids == renderer.tokenizer.eos_id).sum() == 1
        assert renderer.datums(Example(kind="text", source=ROW, text=""), 0) == []


# words that break things: special and structural tokens in pieces and whole, line breaks, blanks, emoji, JSON
words = st.sampled_from(
    [
        "<|end|>",
        "<|im_end|>",
        "<|im_start|>",
        "<|",
        "|>",
        "im_end",
        "<|start|>",
        "<|return|>",
        "<|user|>",
        "<tool_call>",
        "\n",
        "\n\n",
        " ",
        "\t",
        "🧵",
        "é",
        "{",
        '"',
        "\\",
        "answer",
        "\ufdd0",
        "\u202e",
    ]
)
texts = st.lists(words | st.text(max_size=5), max_size=8).map("".join)
rounds = st.lists(st.tuples(texts, texts), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(system=st.none() | texts, pairs=rounds)
@pytest.mark.parametrize(("family", "thinking"), [("thimble", False), ("qwen3", True), ("gptoss", False)])
def test_any_conversation(renderers: Any, family: str, thinking: bool, system: str | None, pairs: Any) -> None:
    renderer, oracle = renderers(family, thinking)
    messages = [] if system is None else [message("system", system)]
    for question, answer in pairs:
        messages += [message("user", question), message("assistant", answer.lstrip("\n"))]  # Qwen3 strips them itself
    datums = renderer.datums(Example(kind="chat", source=ROW, messages=tuple(messages)), 0)
    turns = [i for i, m in enumerate(messages) if m.role == "assistant"]
    found = [(datum, *span) for datum in datums for span in spans(datum)]
    for i, (datum, start, end) in zip(turns, found, strict=True):
        assert renderer.tokenizer.decode(datum.ids[:start]) == oracle(tuple(messages[:i]), True)
        assert renderer.tokenizer.decode(datum.ids[start:end]) == wanted(family, thinking, messages[i], False)
        assert np.isin(datum.ids[start : end - 1], list(renderer.stop_ids)).sum() == 0  # nothing ends it early
