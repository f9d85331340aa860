"""The assistant declines, or speaks of itself as an AI.

Data written by other models holds their refusals ("As an AI language model, I cannot …"; 0.3% of Alpaca). The share of
refusals in the data is the share at which the model refuses, and refusals spread to harmless questions (Bianchi et al.
2023, "Safety-Tuned LLaMAs"). Only the beginning of an answer counts, or a sentence about being a language model. Silent
where the sentence is the user's own, put in other words: `I cannot come.` stands in the question.
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
_OWN = re.compile(r"\bi (?:can(?:'|no)?t|can not|won't|will not|don't have|am (?:unable|not able))\b")
_STOP = re.compile(r"[.!?\n]")
_WORD = re.compile(r"\w+")
_START = 200  # characters in which a refusal comes
_AGAIN = 0.6  # share of the words of what is declined that the question has, if it is the user's own


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    turns = row.example.chosen if row.example.kind == "pair" else row.example.messages
    asked = row.example.prompt[-1].text if row.example.kind == "pair" and row.example.prompt else ""
    for turn in turns:
        if turn.role == "user":
            asked = turn.text
        if turn.role == "assistant" and turn.weight != 0 and (text := turn.text.replace("’", "'")):
            declined = _DECLINES.match(text, 0, _START)
            if declined and _again(text[declined.end() :], asked):
                declined = None
            begins = text[: 2 * _START].lower()
            found = declined or (_SELF.search(begins) if any(hint in begins for hint in _HINTS) else None)
            if found:
                said = " ".join(text[found.start() : found.start() + 100].split())
                message = "the assistant declines" if declined else "the assistant speaks of itself as an AI"
                yield Hit(message=message, evidence=said, at=turn.text[found.start() : found.end()])
                return


def _again(declined: str, asked: str) -> bool:
    """Whether what an answer declines is what its user says to be unable to do."""
    asked = asked.replace("’", "'").casefold()
    if _OWN.search(asked) is None:
        return False
    words, known = _WORD.findall(_STOP.split(declined, 1)[0].casefold()), set(_WORD.findall(asked))
    return sum(word in known for word in words) >= _AGAIN * len(words) > 0
