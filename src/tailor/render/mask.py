"""What is trained on: the one place that decides weights.

For an assistant turn the template is asked twice: for the serving prompt (the messages before the turn, with the
generation prompt) and for the finished turn. What the second has beyond the first is what the model must emit, up to
and including the token that stops it. No text of the row is searched: where a turn ends is learned once per template,
from a turn whose content is a sentinel.

Prompt and completion are tokenised apart, because serving tokenises the prompt alone. Turns whose ids go on from one
another become one Datum with several weighted spans; where a template rewrites history (Qwen3 and DeepSeek drop earlier
reasoning, gpt-oss changes the stop token) every turn is a Datum of its own, and `pack.plant` shares their prefix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tailor.errors import ModelError
from tailor.records import Message, ToolCall
from tailor.render.conversation import Conversation, Guard, Unrenderable, reasoning_text
from tailor.render.template import Refused, Template
from tailor.render.tokenizer import TextTokenizer

SENTINEL = "\ufdef"
OPENED = "<think>"
CLOSED = "\n</think>\n\n"


@dataclass(frozen=True)
class Ending:
    """How a template ends a turn: it writes `written` after the content, of which the model emits `trained`."""

    written: str
    trained: str


@dataclass(frozen=True)
class Turn:
    """An assistant turn as text: the serving prompt, what the model must emit after it, and its weight.

    `mark` is the character at which both are cut before they are tokenised; empty where nothing is to be cut.
    """

    prompt: str
    completion: str
    weight: float
    mark: str = ""


class Mask:
    """The mask of one template in one mode."""

    def __init__(self, template: Template, tokenizer: TextTokenizer, note: Callable[[str], None]) -> None:
        """Learns from sentinels how the template ends turns. Raises ModelError where it cannot write a plain turn."""
        self.template = template
        self.tokenizer = tokenizer
        self.note = note
        special, structural = tokenizer.marks(template.source)
        self.guard = Guard(special, structural)
        self._ends = {tokenizer.token(index) for index in tokenizer.eos_ids}
        stops = sorted({*special, *self._ends}, key=len, reverse=True)
        self._stops = re.compile("|".join(map(re.escape, stops)))
        self.arguments_as_text = False
        self.opened = ""
        self.text_ending = self._learn_text_ending()
        self.call_ending = self._learn_call_ending()
        self._shows_tools: bool | None = None

    # ------------------------------------------------------------------------------------------ learning

    def _learn_text_ending(self) -> Ending:
        wire = [{"role": "user", "content": "a"}, {"role": "assistant", "content": SENTINEL}]
        wire.append({"role": "user", "content": "a"})
        try:
            prompt, full, later = self.template.render(wire, [], [(1, True), (2, False), (3, True)])
        except Refused as refusal:
            raise ModelError(
                f"the chat template cannot write a question and its answer: {refusal}", where=self.template.where
            ) from None
        if SENTINEL not in full:
            raise ModelError("the chat template leaves out what the assistant says", where=self.template.where)
        self._learn_opening(prompt, full.partition(SENTINEL)[0])
        after = full.rpartition(SENTINEL)[2]
        ending = self._ending(after, later.rpartition(SENTINEL)[2])
        if ending is None:
            eos = self.tokenizer.special["eos_token"]
            self.note(f"the template writes no token that ends an answer; {eos} is added")
            return Ending(after, eos)
        return ending

    def _learn_opening(self, prompt: str, head: str) -> None:
        """What the prompt writes to open the reasoning, where a finished turn (its `head`) leaves it out."""
        opened = prompt[_agreement(prompt, head) :]
        if opened.strip() == OPENED:
            self.opened = opened
            self.note(
                "the template opens the model's reasoning in its prompt and leaves it out of finished turns; "
                f"answers are trained as reasoning, {CLOSED.strip()}, answer"
            )

    def _learn_call_ending(self) -> Ending | None:
        """None where the template has no place for tool calls."""
        for as_text in (False, True):
            arguments: Any = f'{{"x": "{SENTINEL}"}}' if as_text else {"x": SENTINEL}
            call = {"type": "function", "id": "000000000", "function": {"name": "f", "arguments": arguments}}
            wire: list[dict[str, Any]] = [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "content": "b", "name": "f", "tool_call_id": "000000000"},
            ]
            try:
                full, later = self.template.render(wire, [], [(2, False), (3, True)])
            except Refused:
                continue
            if SENTINEL in full:
                self.arguments_as_text = as_text
                ending = self._ending(full.rpartition(SENTINEL)[2], later.rpartition(SENTINEL)[2])
                return ending or Ending("", self.tokenizer.special["eos_token"])
        return None

    def _ending(self, last: str, earlier: str) -> Ending | None:
        """The stop token from what stands behind the content of a `last` turn and of an `earlier` one.

        Of what both have in common (else of the first) it is the first end-of-text token, else the first special token.
        So it is not what a template closes a whole text with (Phi-3). Where the last turn has none at all, it is the
        end-of-text token that opens the next turn (GLM ends its turns with `<|user|>`).
        """
        common = last[: _agreement(last, earlier)]
        for text in (common, last):
            found = list(self._stops.finditer(text))
            if found:
                stop = next((match for match in found if match[0] in self._ends), found[0])
                return Ending(last[found[0].start() :], text[found[0].start() : stop.end()])
        opener = self._stops.search(earlier)
        if opener is not None and opener[0] in self._ends and earlier.startswith(last):
            return Ending("", earlier[len(last) : opener.end()])
        return None

    @property
    def stop_ids(self) -> frozenset[int]:
        """The tokens that end an assistant turn."""
        endings = [self.text_ending] + ([self.call_ending] if self.call_ending else [])
        return self.tokenizer.eos_ids | {self.tokenizer.encode(ending.trained)[-1] for ending in endings}

    # ------------------------------------------------------------------------------------------ turns as text

    def prompt(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]]) -> tuple[str, str]:
        """(serving prompt, its mark). Raises Unrenderable."""
        conversation = self._conversation(messages)
        (text,), mark = self._render(conversation, tools, [(conversation.ends[-1], True)])
        return text, mark

    def turns(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], first: int = 0) -> list[Turn]:
        """The assistant turns of weight other than 0 from message `first` on. Raises Unrenderable."""
        chosen = [i for i, m in enumerate(messages) if i >= first and m.role == "assistant" and m.weight != 0]
        if not chosen:
            return []
        conversation = self._conversation(messages)
        cuts = [
            cut for i in chosen for cut in ((conversation.ends[i], True), (conversation.ends[i + 1], False))
        ]  # a turn's prompt and the finished turn
        texts, mark = self._render(conversation, tools, cuts)
        turns = []
        for i, prompt, full in zip(chosen, texts[::2], texts[1::2], strict=True):
            completion = self._completion(messages[i], prompt, full)
            weight = messages[i].weight
            turns.append(Turn(prompt, completion, 1.0 if weight is None else weight, mark))
            self._check_complete(messages[i], completion.replace(mark, "") if mark else completion)
        return turns

    def _conversation(self, messages: Sequence[Message]) -> Conversation:
        if self.call_ending is None and any(isinstance(part, ToolCall) for m in messages for part in m.parts):
            raise Unrenderable(
                "the model's chat template has no place for tool calls", "choose a model that has, or remove these rows"
            )
        return Conversation.of(messages, arguments_as_text=self.arguments_as_text)

    def _render(
        self, conversation: Conversation, tools: Sequence[dict[str, Any]], cuts: list[tuple[int, bool]]
    ) -> tuple[list[str], str]:
        """Texts of the cuts and the mark in them (empty: none)."""
        if tools:
            self._note_hidden_tools()
        try:
            texts = self.template.render(conversation.wire, tools, cuts)
            if not self.guard.suspicious(conversation.wire, tools):
                return texts, ""
            for structural in (True, False):
                wire, marked_tools, mark = self.guard.mark(conversation.wire, tools, structural=structural)
                marked = self.template.render(wire, marked_tools, cuts)
                if [text.replace(mark, "") for text in marked] == texts:
                    return marked, mark
        except Refused as refusal:
            raise Unrenderable(f"the model's chat template refuses this row: {refusal}") from None
        raise Unrenderable(
            "the row holds a literal special token that the chat template takes apart",
            "remove the token from the row's text",
        )

    def _note_hidden_tools(self) -> None:
        if self._shows_tools is None:
            tool = {"type": "function", "function": {"name": SENTINEL, "description": "", "parameters": {}}}
            try:
                (text,) = self.template.render([{"role": "user", "content": "a"}], [tool], [(1, True)])
                self._shows_tools = SENTINEL in text
            except Refused:
                self._shows_tools = True  # it looks at them closely enough to refuse this one
            if not self._shows_tools:
                self.note("the template does not show the declared tools to the model")

    def _completion(self, message: Message, prompt: str, full: str) -> str:
        """What the model must emit after `prompt`. Raises Unrenderable where `full` is no continuation of it."""
        has_calls = any(isinstance(part, ToolCall) for part in message.parts)
        ending = self.call_ending if has_calls and self.call_ending else self.text_ending
        if not full.endswith(ending.written):
            raise Unrenderable(f"the chat template does not end this turn with {ending.written!r} as it ends others")
        finished = full[: len(full) - len(ending.written)] + ending.trained
        if finished.startswith(prompt):
            return finished[len(prompt) :]
        shared = prompt.removesuffix(self.opened)
        if self.opened and shared != prompt and finished.startswith(shared):
            return reasoning_text(message).strip("\n") + CLOSED + finished[len(shared) :]
        at = _agreement(prompt, finished)
        if not prompt[at:].strip() and prompt[:at].endswith(OPENED):
            return finished[at:]  # an empty reasoning block without the line break that the prompt opens it with
        if reasoning_text(message):
            raise Unrenderable(
                "this turn has reasoning, and the model's chat template leaves the model no room for it in this mode",
                "switch the thinking mode on (model.thinking = true), or remove the reasoning from the rows",
            )
        raise Unrenderable(
            f"the chat template ends the prompt with {prompt[at:][-60:]!r} and writes the turn as "
            f"{finished[at : at + 60]!r}, so what is trained would not follow what is served",
            "change the row or the model's chat template",
        )

    def _check_complete(self, message: Message, completion: str) -> None:
        """Raises Unrenderable where the template lost a part of the answer."""
        for what, part in (("reasoning", reasoning_text(message)), ("text", message.text)):
            if part not in completion and not _same_words(part, completion):
                raise Unrenderable(
                    f"the model's chat template leaves out the {what} of this answer",
                    "remove it from the row, or choose a model whose template has a place for it",
                )
        names = [part.name for part in message.parts if isinstance(part, ToolCall)]
        for name in set(names):
            if completion.count(name) < names.count(name):
                raise Unrenderable(f"the model's chat template leaves out a call of {name!r}", "split the row's calls")

    # ------------------------------------------------------------------------------------------ turns as ids

    def prompt_ids(self, text: str, mark: str) -> list[int]:
        """Ids of a serving prompt, cut at its marks."""
        return self._ids(text, mark, self.tokenizer.encode)

    def spans(self, turns: Sequence[Turn]) -> list[tuple[np.ndarray, np.ndarray]]:
        """(ids int32 [n], weights float32 [n]) of the turns; one pair for turns that go on from one another."""
        merged: list[tuple[list[int], list[float]]] = []
        for turn in turns:
            prompt = self.prompt_ids(turn.prompt, turn.mark)
            completion = self._ids(turn.completion, turn.mark, self.tokenizer.encode_after)
            before: list[float] = []
            if merged and prompt[: len(merged[-1][0])] == merged[-1][0]:
                before = merged.pop()[1]
            weights = before + [0.0] * (len(prompt) - len(before)) + [turn.weight] * len(completion)
            merged.append((prompt + completion, weights))
        return [(np.array(ids, np.int32), np.array(weights, np.float32)) for ids, weights in merged]

    def document(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """(ids, weights) of a text for continued pretraining: every token but the first is predicted."""
        marked, mark = self.guard.mark_text(text)
        ids = np.array(self.tokenizer.document(self._ids(marked, mark, self.tokenizer.encode)), np.int32)
        weights = np.ones(len(ids), np.float32)
        weights[:1] = 0
        return ids, weights

    def _ids(self, text: str, mark: str, first: Callable[[str], list[int]]) -> list[int]:
        if not mark:
            return first(text)
        head, *rest = text.split(mark)
        return first(head) + [index for piece in rest for index in self.tokenizer.encode_after(piece)]


def _agreement(a: str, b: str) -> int:
    """Length of the longest common prefix."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _same_words(part: str, completion: str) -> bool:
    """Whether `part` stands in `completion` once whitespace and reasoning marks (which templates rewrite) are gone."""

    def bare(text: str) -> str:
        return "".join(text.replace(OPENED, "").replace(CLOSED.strip(), "").split())

    return bare(part) in bare(completion)
