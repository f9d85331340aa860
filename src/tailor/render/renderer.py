"""The Renderer: a model folder's tokenizer and template, and the Datums and prompts they make."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tailor.errors import DataError, ModelError
from tailor.records import Datum, Example, Message, Request, Source
from tailor.render.cache import Pairs, RowCache
from tailor.render.conversation import Unrenderable
from tailor.render.mask import Mask
from tailor.render.template import PLAIN, Template
from tailor.render.tokenizer import DEFAULT_CONTEXT, Files, TextTokenizer

VERSION = 1  # of what this room makes of a row; a change here makes caches stale


def load(folder: Path, *, thinking: bool = False) -> Renderer:
    """The Renderer of a model folder; `thinking` renders templates that know a thinking mode with it switched on.

    Raises ModelError where the folder has no usable tokenizer or template.
    """
    return Renderer(Path(folder), thinking=thinking)


class Renderer:
    """Examples -> Datums and Requests -> prompts, for one model in one mode.

    Attributes: `tokenizer`; `template`; `stop_ids`, the tokens that end an assistant turn; `notes`, what had to be
    assumed, to be said aloud; `max_length`, the model's context in tokens; `thinking`.
    """

    def __init__(self, folder: Path, *, thinking: bool = False) -> None:
        if not folder.is_dir():
            raise ModelError("there is no such model folder", where=str(folder))
        files = Files.read(folder)
        self.thinking = thinking
        self.tokenizer = TextTokenizer.read(files)
        self.notes: list[str] = list(self.tokenizer.notes)
        source, where = self._source(files)
        constants: dict[str, Any] = {**self.tokenizer.special, "enable_thinking": thinking, "thinking": thinking}
        self.template = Template(source, constants, where=where)
        if "strftime_now" in source:
            self._note(f"the template writes today's date; it is always {self.template.date}, so that runs repeat")
        if "enable_thinking" in source:
            mode = "on" if thinking else "off"
            self._note(f"the template's thinking mode is {mode} (model.thinking); serve with it {mode} too")
        self._mask = Mask(self.template, self.tokenizer, self._note)
        self.stop_ids = self._mask.stop_ids
        self.max_length = files.context or DEFAULT_CONTEXT
        if files.context is None:
            self._note(f"the model does not say how long its context is; {DEFAULT_CONTEXT:,} tokens are taken")
        digest = hashlib.blake2b((folder / "tokenizer.json").read_bytes(), digest_size=16)
        digest.update(json.dumps([VERSION, self.template.key, sorted(self.tokenizer.eos_ids)]).encode())
        self._fingerprint = digest.hexdigest()
        self._cache: RowCache | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of tokenizer, template and mode: equal fingerprints make equal Datums of equal rows."""
        return self._fingerprint

    def _source(self, files: Files) -> tuple[str, str]:
        """(template, where it stands); the plain one, said aloud, where the folder has none."""
        path = files.folder / "chat_template.jinja"
        if path.exists():
            return path.read_text(encoding="utf-8"), str(path)
        source = files.tokenizer.get("chat_template")
        where = str(files.folder / "tokenizer_config.json")
        if isinstance(source, list):  # several by name
            named = {entry["name"]: entry["template"] for entry in source}
            source = named.get("default")
            if source is None:
                raise ModelError(f"no chat template is called 'default' among {sorted(named)}", where=where)
            self._note("of the model's chat templates the one called 'default' is used")
        if isinstance(source, str):
            return source, where
        self._note("the model has no chat template; a plain one is used: '### User', '### Assistant' over each turn")
        return PLAIN, ""

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    # ------------------------------------------------------------------------------------------ doorways

    def prompt_ids(self, request: Request) -> list[int]:
        """The serving prompt; it ends where the model starts to emit. Raises DataError where the template refuses."""
        try:
            return self._mask.prompt_ids(*self._mask.prompt(request.messages, request.tools))
        except Unrenderable as problem:
            raise DataError(str(problem), fix=problem.fix) from None

    def datums(self, example: Example, group: int) -> list[Datum]:
        """What a chat, a rated answer or a text trains on: one Datum where turns go on from each other, else several.

        Empty where there is nothing to train on (other kinds, no turn of weight other than 0). Raises DataError, with
        the row's place, where the template cannot write the row.
        """
        pairs = self._remembered(_content(example), self._pairs, example)
        return [Datum(ids, weights, group, example.source) for ids, weights in pairs]

    def prefetch(self, examples: Sequence[Example]) -> None:
        """Renders and tokenises many chats in one go, for `datums` to find; rows that cannot be written are left to it.

        Only within `remembering`.
        """
        if self._cache is None:
            return
        keys = [_key(_content(example)) for example in examples]
        missing = [
            (key, example)
            for key, example in zip(keys, examples, strict=True)
            if example.kind in ("chat", "rated") and self._cache.get(key) is None
        ]
        rows = self._mask.turns_many([(example.messages, example.tools) for _, example in missing])
        found = [(key, turns) for (key, _), turns in zip(missing, rows, strict=True) if isinstance(turns, list)]
        for (key, _), pairs in zip(found, self._mask.spans([turns for _, turns in found]), strict=True):
            self._cache.put(key, pairs)

    def _pairs(self, example: Example) -> Pairs:
        try:
            if example.kind == "text":
                return [self._mask.document(example.text)] if example.text else []
            if example.kind in ("chat", "rated"):
                return self._mask.spans([self._mask.turns(example.messages, example.tools)])[0]
            return []
        except Unrenderable as problem:
            raise DataError(str(problem), where=str(example.source), fix=problem.fix) from None

    def answer_datum(
        self,
        messages: Sequence[Message],
        answer: tuple[Message, ...],
        tools: Sequence[dict[str, Any]],
        group: int,
        row: Source,
        label: str = "",
    ) -> Datum:
        """A prompt and one continuation of it, of which the assistant turns of `answer` count.

        Raises DataError where the template cannot write it, or writes turns of the answer that do not go on from one
        another (it rewrites history between them).
        """
        pairs = self._remembered(("answer", messages, answer, tools), self._answer_pairs, messages, answer, tools, row)
        if len(pairs) != 1:
            what = "has no turn to train on" if not pairs else "has several turns, which this chat template cannot join"
            raise DataError(f"the answer {label or 'here'} {what}", where=str(row), fix="give one assistant turn")
        ids, weights = pairs[0]
        return Datum(ids, weights, group, row, label)

    def _answer_pairs(
        self, messages: Sequence[Message], answer: Sequence[Message], tools: Sequence[dict[str, Any]], row: Source
    ) -> Pairs:
        try:
            return self._mask.spans([self._mask.turns([*messages, *answer], tools, first=len(messages))])[0]
        except Unrenderable as problem:
            raise DataError(str(problem), where=str(row), fix=problem.fix) from None

    @contextlib.contextmanager
    def remembering(self, cache: RowCache | None) -> Iterator[None]:
        """Looks rows up in `cache` before rendering them, and puts them there."""
        before, self._cache = self._cache, cache
        try:
            yield
        finally:
            self._cache = before

    def _remembered(self, content: Any, produce: Callable[..., Pairs], *args: Any) -> Pairs:
        if self._cache is None:
            return produce(*args)
        key = _key(content)
        pairs = self._cache.get(key)
        if pairs is None:
            pairs = produce(*args)
            self._cache.put(key, pairs)
        return pairs

    def text(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> str:
        """The serving prompt as text, for people to read."""
        try:
            text, mark = self._mask.prompt(messages, tools)
        except Unrenderable as problem:
            raise DataError(str(problem), fix=problem.fix) from None
        return text.replace(mark, "") if mark else text


def _content(example: Example) -> Any:
    """What decides the Datums of a row."""
    return (example.kind, example.messages, example.tools, example.text)


def _key(content: Any) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(content), digest_size=16).digest()
