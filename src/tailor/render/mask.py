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
from tailor.render.cache import Pairs
from tailor.render.conversation import Conversation, Guard, Unrenderable, reasoning_text
from tailor.render.template import Job, Refused, Template
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


@dataclass(frozen=True)
class _Plan:
    """The rendering that turns need: for each of `messages` two cuts, its prompt and the finished turn."""

    job: Job
    messages: list[Message]


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
        after = _behind_sentinel(full)
        ending = self._ending(after, _behind_sentinel(later))
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
                ending = self._ending(_behind_sentinel(full), _behind_sentinel(later))
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
        job = Job(conversation.wire, tools, [(conversation.ends[-1], True)])
        (rendered,) = self.template.render_many([job])
        (text,), mark = self._guarded(job, rendered)
        return text, mark

    def turns(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], first: int = 0) -> list[Turn]:
        """The assistant turns of weight other than 0 from message `first` on. Raises Unrenderable."""
        (found,) = self.turns_many([(messages, tools)], first)
        if isinstance(found, Unrenderable):
            raise found
        return found

    def turns_many(
        self, rows: Sequence[tuple[Sequence[Message], Sequence[dict[str, Any]]]], first: int = 0
    ) -> list[list[Turn] | Unrenderable]:
        """`turns` of many rows with one exchange with the template's process; what a row raises stands in its place."""
        plans = [self._plan(messages, tools, first) for messages, tools in rows]
        rendered = iter(self.template.render_many([plan.job for plan in plans if isinstance(plan, _Plan)]))
        found: list[list[Turn] | Unrenderable] = []
        for plan in plans:
            try:
                found.append(self._turns(plan, next(rendered)) if isinstance(plan, _Plan) else plan)
            except Unrenderable as problem:
                found.append(problem)
        return found

    def _plan(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], first: int
    ) -> _Plan | list[Turn] | Unrenderable:
        """What to ask the template for; no turns at all where none counts."""
        chosen = [i for i, m in enumerate(messages) if i >= first and m.role == "assistant" and m.weight != 0]
        if not chosen:
            return []
        try:
            conversation = self._conversation(messages)
        except Unrenderable as problem:
            return problem
        ends = conversation.ends
        cuts = [cut for i in chosen for cut in ((ends[i], True), (ends[i + 1], False))]  # its prompt, and the turn
        return _Plan(Job(conversation.wire, tools, cuts), [messages[i] for i in chosen])

    def _turns(self, plan: _Plan, rendered: list[str] | Refused) -> list[Turn]:
        texts, mark = self._guarded(plan.job, rendered)
        turns = []
        for message, prompt, full in zip(plan.messages, texts[::2], texts[1::2], strict=True):
            completion = self._completion(message, prompt, full)
            turns.append(Turn(prompt, completion, 1.0 if message.weight is None else message.weight, mark))
            self._check_complete(message, completion.replace(mark, "") if mark else completion)
        return turns

    def _conversation(self, messages: Sequence[Message]) -> Conversation:
        if self.call_ending is None and any(isinstance(part, ToolCall) for m in messages for part in m.parts):
            raise Unrenderable(
                "the model's chat template has no place for tool calls", "choose a model that has, or remove these rows"
            )
        return Conversation.of(messages, arguments_as_text=self.arguments_as_text)

    def _guarded(self, job: Job, rendered: list[str] | Refused) -> tuple[list[str], str]:
        """The texts of a job with literal special tokens marked, and the mark (empty: there are none)."""
        if job.tools:
            self._note_hidden_tools()
        try:
            if isinstance(rendered, Refused):
                raise rendered
            if not self.guard.suspicious(job.messages, job.tools):
                return rendered, ""
            for structural in (True, False):
                wire, tools, mark = self.guard.mark(job.messages, job.tools, structural=structural)
                marked = self.template.render(wire, tools, job.cuts)
                if [text.replace(mark, "") for text in marked] == rendered:
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
        return self._ids([(text, mark)])[0]

    def spans(self, rows: Sequence[Sequence[Turn]]) -> list[Pairs]:
        """For each row (ids int32 [n], weights float32 [n]); one pair for turns that go on from one another."""
        turns = [turn for row in rows for turn in row]
        prompts = iter(self._ids([(turn.prompt, turn.mark) for turn in turns]))
        completions = iter(self._ids([(turn.completion, turn.mark) for turn in turns], after=True))
        return [self._merged([(next(prompts), next(completions), turn.weight) for turn in row]) for row in rows]

    def _merged(self, turns: Sequence[tuple[list[int], list[int], float]]) -> Pairs:
        """(prompt, completion, weight) of the turns of one row, joined where one begins with all of the one before."""
        merged: list[tuple[list[int], list[float]]] = []
        for prompt, completion, weight in turns:
            before: list[float] = []
            if merged and prompt[: len(merged[-1][0])] == merged[-1][0]:
                before = merged.pop()[1]
            weights = before + [0.0] * (len(prompt) - len(before)) + [weight] * len(completion)
            merged.append((prompt + completion, weights))
        return [(np.array(ids, np.int32), np.array(weights, np.float32)) for ids, weights in merged]

    def document(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """(ids, weights) of a text for continued pretraining: every token but the first is predicted."""
        marked, mark = self.guard.mark_text(text)
        ids = np.array(self.tokenizer.document(self.prompt_ids(marked, mark)), np.int32)
        weights = np.ones(len(ids), np.float32)
        weights[:1] = 0
        return ids, weights

    def _ids(self, texts: Sequence[tuple[str, str]], *, after: bool = False) -> list[list[int]]:
        """Ids of (text, mark) pairs in one batch; `after`: the texts are continuations."""
        cut = [text.split(mark) if mark else [text] for text, mark in texts]
        heads = self.tokenizer.encode_many([pieces[0] for pieces in cut], after=after)
        rest = iter(self.tokenizer.encode_many([piece for pieces in cut for piece in pieces[1:]], after=True))
        return [
            head + [index for _ in pieces[1:] for index in next(rest)] for head, pieces in zip(heads, cut, strict=True)
        ]


def _behind_sentinel(text: str) -> str:
    return text.rpartition(SENTINEL)[2] if SENTINEL in text else ""


def _agreement(a: str, b: str) -> int:
    """Length of the longest common prefix."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _same_words(part: str, completion: str) -> bool:
    """Whether `part` stands in `completion` once whitespace and reasoning marks (which templates rewrite) are gone."""

    def bare(text: str) -> str:
        return "".join(text.replace(OPENED, "").replace(CLOSED.strip(), "").split())

    return bare(part) in bare(completion)
