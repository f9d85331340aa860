"""The assistant declines, or speaks of itself as an AI.

Data written by other models holds their refusals ("As an AI language model, I cannot …"; 0.3% of Alpaca). The share of
refusals in the data is the share at which the model refuses, and refusals spread to harmless questions (Bianchi et al.
2023, "Safety-Tuned LLaMAs"). Only the beginning of an answer counts, or a sentence about being a language model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q105"
SEVERITY = "warn"
COST = "the model declines at the rate at which the data does, harmless questions included"
FIX = "write a real answer, or keep the row if the model shall decline here"

_HINTS = ("an ai", "an artificial intelligence", "language model", "learning model")
_DECLINES = re.compile(
    r"(?i)\W{0,3}(?:(?:unfortunately|sorry|i(?:'?| a)m (?:sorry|afraid)|i regret|i apologi[sz]e|my apologies|apologies)"
    r"\b[^.\n]{0,60}?)?"
    r"\b(?:i(?:'m| am) (?:not able|unable|not (?:comfortable|allowed|permitted|going)) to|i must (?:refuse|decline)"
    r"|it (?:would|is|'s)(?:n't| not) (?:be )?(?:appropriate|ethical|possible|right) for me to"
    r"|(?:that|this|it) (?:goes|is|would be) against my (?:\w+ )?(?:guidelines|polic|programming|principles|rules)"
    r"|i (?:can(?:'|no)t|can not|cannot|won't|will not|must decline|have to decline)"
    r"(?! (?:believe|wait|say enough|stress|imagine|help but|thank|recall|remember|stand))"
    r"|i (?:do not|don't) have (?:the (?:ability|capability|capabilities)|access|personal))"
)
_SELF = re.compile(
    r"(?i)\bas an? (?:ai|artificial intelligence|(?:large )?language model|machine learning model)\b"
    r"(?: (?:language )?model| assistant| chatbot)?,"
    r"|\bi(?:'m| am) (?:just |only )?an? (?:ai|(?:large )?language model)\b"
    r"[^.]{0,30}?(?:,| and| so| that| who)+ (?:i )?(?:unable|can'?t|cannot|don't|do not|doesn't)"
)
_START = 200  # characters in which a refusal comes


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    turns = row.example.chosen if row.example.kind == "pair" else row.example.messages
    for turn in turns:
        if turn.role == "assistant" and turn.weight != 0 and (text := turn.text.replace("’", "'")):
            declined = _DECLINES.match(text, 0, _START)
            begins = text[: 2 * _START].lower()
            found = declined or (_SELF.search(begins) if any(hint in begins for hint in _HINTS) else None)
            if found:
                said = " ".join(text[found.start() : found.start() + 100].split())
                message = "the assistant declines" if declined else "the assistant speaks of itself as an AI"
                yield Hit(message=message, evidence=said, at=turn.text[found.start() : found.end()])
                return
