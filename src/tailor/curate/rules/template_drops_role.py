"""A row that the model's chat template or tokenizer does not give back.

The row is written with the template of `--model`, tokenised, and read back from its tokens: every turn has to stand in
it, and the trained tokens have to say each answer to the letter. Templates leave turns out without a word (a system
turn that is not the first, tool results, declared tools), refuse others, and tokenizers without bytes to fall back on
replace what they do not know. The model then learns from a row that nobody wrote, or the loss mask stands beside the
answer. White space around a turn, which most templates take off, does not count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit
from tailor.records import ToolResult

if TYPE_CHECKING:
    from tailor.curate.model import Rendering
    from tailor.curate.rows import Row
    from tailor.records import Message

CODE = "M201"
SEVERITY = "block"
COST = "the model is trained on another row than the one that stands in the file"
FIX = "write the row as this model's template has it, or choose a model whose template has a place for it"
NEEDS = "tokenizer"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    found = row.rendering
    if found is None:
        return
    if found.fault:
        yield Hit(message=found.fault, evidence=row.excerpt(), fix=found.remedy)
        return
    if not found.texts:
        return  # nothing in it is trained
    context = len(row.example.messages) if row.example.kind == "pair" else 0
    for number, turn in enumerate(row.turns):
        trained = turn.role == "assistant" and turn.weight != 0 and number >= context
        for text in _texts(turn):
            if not _stands(text, found.answers if trained else found.texts):
                yield Hit(message=_message(turn.role, text, found), evidence=_begin(text), at=text)
                return
    names = [str(tool.get("function", tool).get("name", "")) for tool in row.example.tools]
    hidden = [name for name in names if not _stands(name, found.texts)]
    if hidden:
        yield Hit(message=f"the template does not show the declared tools ({', '.join(hidden[:3])})", at=hidden[0])


def _texts(turn: Message) -> Iterator[str]:
    """What has to be read back of a turn, without white space around it."""
    yield turn.text.strip()
    for part in turn.parts:
        if isinstance(part, ToolResult):
            yield part.content.strip()


def _stands(text: str, where: Sequence[str]) -> bool:
    if any(text in place for place in where):
        return True
    quoted = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]  # templates quote what tools say
    return any(form in place for form in quoted for place in where)


def _message(role: str, text: str, found: Rendering) -> str:
    squeezed = "".join(text.split())
    if any(squeezed in "".join(place.split()) for place in (*found.texts, *found.answers)):
        return f"the tokens give {_of(role)} back with other white space"
    letters = [char for char in dict.fromkeys(text) if not any(char in place for place in found.texts)]
    if letters:
        named = " ".join(char if char.isprintable() else f"U+{ord(char):04X}" for char in letters[:5])
        return f"the tokenizer loses {named} of {_of(role)}"
    return f"the template leaves out {_of(role)}, or writes it otherwise"


def _of(role: str) -> str:
    return "the answer" if role == "assistant" else f"a {role} turn"


def _begin(text: str) -> str:
    line = " ".join(text[:300].split())
    return line if len(line) <= 90 else f"{line[:89]}…"
