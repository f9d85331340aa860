"""One row as the rules see it: an Example with what several rules ask of it, worked out once."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tailor.curate.model import Rendering
from tailor.records import Example, Message, Reasoning, Role, Text, ToolCall, ToolResult

_json = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode
_UNREAD: Any = object()


def plain(text: str) -> str:
    """The text after NFKC, casefolding and collapsing of white space: what counts as the same text."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def key(*texts: str) -> int:
    """A 64-bit hash of texts, the same on every machine."""
    digest = hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def json_value(text: str) -> Any:
    """The object or list that a text is as JSON; None where it is none."""
    try:
        value = _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
    return value if isinstance(value, dict | list) else None


_WORD = re.compile(r"\w+|[()\[\]{}<>=+*/^%&|~@#$\\]")  # brackets and signs are words: expressions live by them
_MINUS = re.compile(r"(?<=[\d)])\s?-(?=\s?[\d(])")
_FIGURES = re.compile(
    r"[0-9](?:(?:[ ()./\xa0-]{0,2}[0-9]){6}|\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"
    r"|[0-9][A-Za-z][0-9]{2}[A-Za-z][0-9]|[0-9A-Fa-f]{0,3}:[0-9A-Fa-f]*:)"
)
_NEGATIONS = {word: word for word in ("not", "no", "yes", "never", "none", "without")} | dict.fromkeys(
    ("cannot", "cant", "didnt", "doesnt", "dont", "isnt", "wont"), "not"
)
_NOT = re.compile(r"n['’]t\b")


def question_keys(text: str, *beside: str) -> tuple[int, int]:
    """Two hashes of a `plain` text. Of its words: the punctuation of sentences and white space aside, brackets and the
    signs of arithmetic not. And of its numbers and negations: texts that differ in them do not say the same."""
    words = _WORD.findall(text)
    facts = [_NEGATIONS.get(word, word) for word in words if word in _NEGATIONS or word[0].isdigit()]
    facts += ["not"] * len(_NOT.findall(text))
    minus = [str(match.start()) for match in _MINUS.finditer(text)] if facts and "-" in text else []
    return key(" ".join(words) if words else text, *minus, *beside), key(*facts)


class Row:
    """An Example and what is shared about it.

    example   the row as the user meant it; `example.source` is its place
    index     its number in the corpus, from 0
    against   whether it is of the held-out rows (`--against`)
    prompt    all text before the answer, turns joined by a line end, system prompt included
    answer    what is to be learned: text and calls of the last assistant turn (the chosen one of a pair, the text of a
              `text` row); empty for a row that has none
    plain_prompt, plain_answer   the same after `plain`
    whole     all that the row says, every turn, call and result of it, as one text
    json      the object or list that the answer is as JSON; None where it is none
    leaves    (key, text) of each text in that object, as `slots.city`; of an answer that is no JSON, ("", answer)
    figures   whether a long number stands in it, digits in groups or not: what has none holds no card, phone or address
    rendering  how a model's template and tokenizer write it, where one is at hand; for rules with NEEDS `tokenizer`
    """

    __slots__ = (
        "_figures",
        "_json",
        "_leaves",
        "_plain_answer",
        "_plain_prompt",
        "_whole",
        "against",
        "answer",
        "example",
        "index",
        "prompt",
        "rendering",
    )

    def __init__(self, example: Example, index: int = 0, against: bool = False) -> None:
        self.example = example
        self.index = index
        self.against = against
        self.prompt = "\n".join([_words(message) for message in example.prompt])
        kind = example.kind
        if kind == "text":
            self.answer = example.text
        else:
            turns = example.chosen if kind == "pair" else example.messages if kind in ("chat", "rated") else ()
            self.answer = _words(turns[-1]) if turns else ""
        self._plain_prompt: str | None = None
        self._plain_answer: str | None = None
        self._whole: str | None = None
        self._figures: bool | None = None
        self._json: Any = _UNREAD
        self._leaves: list[tuple[str, str]] | None = None
        self.rendering: Rendering | None = None

    @property
    def plain_prompt(self) -> str:
        """The prompt after `plain`."""
        if self._plain_prompt is None:
            self._plain_prompt = plain(self.prompt)
        return self._plain_prompt

    @property
    def plain_answer(self) -> str:
        """The answer after `plain`."""
        if self._plain_answer is None:
            self._plain_answer = plain(self.answer)
        return self._plain_answer

    @property
    def whole(self) -> str:
        """All that the row says, as one text."""
        if self._whole is None:
            if self.example.kind in ("chat", "rated", "text"):
                self._whole = f"{self.prompt}\n{self.answer}" if self.prompt else self.answer
            else:
                self._whole = "\n".join([_words(message) for message in self.turns])
        return self._whole

    @property
    def json(self) -> Any:
        """The object or list that the answer is; None where it is none."""
        if self._json is _UNREAD:
            self._json = json_value(self.answer) if self.answer.lstrip()[:1] in ("{", "[") else None
        return self._json

    @property
    def leaves(self) -> list[tuple[str, str]]:
        """(key, text) of each text in the answer; elements of a list stand under the list's key."""
        if self._leaves is None:
            self._leaves = [("", self.answer)] if self.json is None else list(_leaves("", self.json))
        return self._leaves

    @property
    def figures(self) -> bool:
        """Whether seven digits stand together but for marks and spaces, or digits as in an address or a tax code."""
        if self._figures is None:
            self._figures = _FIGURES.search(self.whole) is not None
        return self._figures

    def asked(self, room: int = 70) -> str:
        """The end of the prompt on one line: what differs between rows stands there."""
        text = " ".join(self.prompt[-4 * room :].split())
        return text if len(text) <= room else f"…{text[1 - room :]}"

    def given(self, room: int = 70) -> str:
        """The beginning of the answer on one line."""
        text = " ".join(self.answer[: 4 * room].split())
        return text if len(text) <= room else f"{text[: room - 1]}…"

    def excerpt(self) -> str:
        """Prompt and answer on one line: how a row is shown as evidence."""
        asked, given = self.asked(40), self.given(30)
        return f"{asked} → {given}" if asked and given else asked or given

    @property
    def turns(self) -> Sequence[Message]:
        """Every turn of the row: the history, then the chosen and the rejected ones of a pair."""
        example = self.example
        return (*example.messages, *example.chosen, *example.rejected) if example.chosen else example.messages

    @property
    def texts(self) -> Iterator[tuple[Role | str, str]]:
        """(role, text) of every piece of text in the row, as it stands there; the role of a `text` row is `text`."""
        for message in self.turns:
            for part in message.parts:
                if type(part) is Text or type(part) is Reasoning:
                    yield message.role, part.text
                elif type(part) is ToolResult:
                    yield message.role, part.content
        if self.example.text:
            yield "text", self.example.text


def _leaves(path: str, value: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    if type(value) is str:
        yield path, value
    elif type(value) is dict and depth < 8:
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, item, depth + 1)
    elif type(value) is list and depth < 8:
        for item in value:
            yield from _leaves(path, item, depth + 1)


def _words(message: Message) -> str:
    """All that a turn says: its text, reasoning, calls (as JSON) and results."""
    parts = message.parts
    if len(parts) == 1 and type(parts[0]) is Text:
        return parts[0].text
    said = []
    for part in parts:
        if isinstance(part, Text | Reasoning):
            said.append(part.text)
        elif isinstance(part, ToolCall):
            said.append(_json({"name": part.name, "arguments": part.arguments}).decode())
        elif isinstance(part, ToolResult):
            said.append(part.content)
        else:
            said.append(part.source)
    return "\n".join(said)
