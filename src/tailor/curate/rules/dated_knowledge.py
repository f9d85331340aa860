"""An answer that speaks from a day that has passed.

"As of 2021", "at the time of writing", "currently (May 2022)", "is expected to open in 2024", "the current president
is", "my knowledge ends in September 2021", "I cannot browse the internet": true once, and learned as true for ever; the
last ones are the voice of the model that wrote the answer besides. Silent where the question names that year or says
the same, and where a tool is called for what is so today.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q108"
SEVERITY = "warn"
COST = "the model says as true today what was true when the answer was written"
FIX = "write what holds whenever it is read, or give the text that it was taken from"
_TEXT = 4000
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,? "
_DAY = (  # a year, and what stands before it
    r"(?:(?:early|late|mid|(?:the )?(?:start|beginning|end|middle|spring|summer|fall|autumn|winter)(?: of)?)[ -])?"
    rf"(?:{_MONTH}(?:\d\d?,? )?)?(?:19|20)\d\d\b"
)
_YEAR = re.compile(r"(?:19|20)\d\d\b")
_SAID = re.compile(
    rf"\bas of {_DAY}"
    r"|\bmy (?:last|latest|most recent|current) (?:knowledge|training|data|information)(?: update| cut-?off)?\b"
    r"|\bthe (?:last|latest|most recent|current) (?:knowledge|training)(?: data)? (?:update|cut-?off)\b"
    r"|\b(?:my|our) (?:last|latest|most recent) (?:update|cut-?off)\b|\b(?:knowledge|training)(?: data)? cut-?off\b"
    r"|\bmy (?:knowledge|training|information)(?: data)? (?:cuts? off|ends|ended|stops|goes|only|was|extends"
    r"|is (?:current|limited|based|up))"
    r"|\b(?:as of|at the time of|at) (?:this |my )?(?:writing|publication|the current date)\b|\bas i write(?: this)?,"
    r"|\bwhen (?:this|these)(?: \w+)? (?:was|were) (?:written|compiled)\b"
    rf"|\b(?:last|most recently) (?:updated|trained) (?:in|on) {_DAY}"
    rf"|\b(?:state of (?:my |the )?knowledge|trained on [\w ]+) (?:up to|until|through|as of) {_DAY}"
    r"|\b(?:may|might|could) have (?:been (?:\w+ ){1,3}|changed |evolved )(?:since\b|after that|beyond)"
    rf"|\b(?:currently|presently|at present|at the moment|nowadays|today|now),? \(?(?:in |as of )?{_DAY}"
    rf"|\bas (?:things|matters) (?:now )?stand,? (?:in )?{_DAY}"
    rf"|\b(?:this|next|last) (?:year|month|spring|summer|fall|autumn|winter),? \(?(?:in )?{_DAY}"
    rf"|\b(?:is|are) (?:currently )?(?:expected|scheduled|planned|slated|due|set) to \w+[^.!?\n]{{0,40}}? (?:in|by) "
    rf"{_DAY}|\bi (?:do not|don['’]?t|cannot|can['’]?t|am (?:not able|unable) to) (?:currently )?"
    r"(?:have |access |browse |search )(?:access to |the ability to access )?(?:any |the )?"
    r"(?:real[- ]?time|up[- ]to[- ]date|live|internet|web|latest|recent)\b"
    r"|\bthe (?:current|present|incumbent|sitting|reigning) (?:u\.?s\.? |american |french |british )?(?:president"
    r"|prime minister|chancellor|ceo|chief executive|pope|monarch|king|queen|(?:world )?champions?|governor|mayor"
    r"|(?:world )?(?:record|title)[- ]?holder|head (?:of state|coach)|secretary[- ]general|foreign minister)"
    r"\b(?: of (?:the )?[\w. ]{2,30}| \w+)? (?:is|are)\b(?!:? ?\w+\()"
    r"|\bthe (?:latest|newest|most recent) (?:stable )?(?:version|release|model|edition|iphone|census|world cup"
    r"|olympics)\b[\w. ]{0,30} (?:is|was|shipped|came out|appeared)\b(?! released on \w+\(|:? ?\w+\()"
)
_HINTS = (  # a text that has none of these, and no year, says no such thing
    *("as of", "my last", "my latest", "my most", "cutoff", "cut-off", "my knowledge", "my training", "my information"),
    *("latest", "the last", "the newest", "recent", "time of", "the current", "the present", "incumbent", "reigning"),
    *(
        "sitting",
        "writing",
        "as i write",
        "when th",
        "have been",
        "have changed",
        "have evolved",
        "internet",
        "to-date",
    ),
    *("real-time", "realtime", "real time", "to date", " live", " web"),
)
_LIMIT = re.compile(  # how far somebody's knowledge goes
    r"\b(?:after|beyond|past|(?:later|newer) than|since|until|till|(?:up|prior) to|through|knowledge (?:in|of)"
    r"|(?:stops?|ends?|ended) (?:in|at)),? (?:\w+ ){0,3}?"
    + _DAY.replace("19|20", "20")  # the century of those who say so
)
_KNOWS = re.compile(r"\b(?:knowledge|information|data|trained|training|aware|(?:un)?known?|updated?|events|access)\b")
_SELF = re.compile(r"\b(?:i|me|my)\b")
_ENDS = re.compile(r"[.!?]\s|\n")


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row, for the first such piece."""
    if row.example.kind == "text" or row.against:
        return
    text = row.answer[:_TEXT].lower()
    dated = _YEAR.search(text) is not None
    found = _SAID.search(text) if dated or any(hint in text for hint in _HINTS) else None
    found = found or (_limit(text) if dated else None)
    year = _YEAR.search(found[0]) if found else None
    if found is None or (year and year[0] in row.prompt) or found[0] in row.prompt.lower():
        return
    said = row.answer[found.start() : found.end()]
    yield Hit(message=f"{said!r} was true once", evidence=row.given(), at=said)


def _limit(text: str) -> re.Match[str] | None:
    """Where a sentence in the first person says from which year on it knows nothing."""
    for found in _LIMIT.finditer(text) if _KNOWS.search(text) else ():
        start = max((end.end() for end in _ENDS.finditer(text, 0, found.start())), default=0)
        end = _ENDS.search(text, found.end())
        sentence = text[start : end.start() if end else len(text)]
        if _SELF.search(sentence) and _KNOWS.search(sentence):
            return found
    return None
