"""Curses, slurs or threats in an answer.

By a list of English, German, French and Spanish words that hardly have another meaning. A model repeats them to users,
and providers of fine-tuning refuse the whole file. Nothing is taken out: it may be the task, and a list knows no
context; where the question holds such a word too it is for information alone. Silent on mild words (damn, hell), on
words that are names or things as well (dick, prick, coon), and on prompts: what users say is what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit, Severity

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q304"
SEVERITY = "warn"
COST = "the model repeats it to users, and a provider may refuse the whole file"
FIX = "read it: take the row out, or say it in other words"
_LISTED = """
    fuck fucks fucked fucker fuckers fuckin fucking fuckface fuckwit motherfucker motherfuckers motherfucking
    clusterfuck shit shits shitty shitting bullshit shithead shithole dipshit horseshit asshole assholes arsehole
    arseholes asshat bitch bitches bitching cunt cunts twat twats wanker wankers dickhead dickheads cocksucker
    cocksuckers
    bastard bastards slut sluts slutty whore whores skank douchebag douchebags dumbass dumbasses
    nigger niggers nigga niggas faggot faggots tranny trannies kike kikes wetback wetbacks
    gook gooks raghead ragheads towelhead towelheads retard retards retarded
    scumbag scumbags moron morons imbecile kys stfu wtf gtfo
    scheiße scheisse arschloch arschlöcher wichser hurensohn fotze schlampe missgeburt verpiss
    putain merde connard connasse salope enculé
    mierda gilipollas pendejo hijueputa maricón joder
"""
_WORDS = frozenset(_LISTED.split())
_PHRASES = re.compile(
    r"kill (?:yourself|urself)|go (?:and )?die\b|hope you die|(?:i(?:'ll| will)|gonna) kill you"
    r"|you(?:'re| are) (?:so |such )?(?:a |an )?(?:stupid|worthless|pathetic|idiot|disgusting|useless|dumb)"
    r"|(?:stupid|dumb|filthy|worthless) (?:idiot|cow|pig|piece)|(?:shut up|piss off|screw you|go to hell|drop dead)\b"
)
_HINTS = (
    *("kill", " die", "you're", "you are", "stupid", "dumb", "filthy", "worthless"),
    *("shut up", "piss off", "screw you", "go to hell", "drop dead"),
)
_HIDDEN = re.compile(
    r"\bf[*#@$!%u][*#@$!%c]k(?:ing|er|ed|s)?\b|\bf\*{2,}(?:k|ing)|\bsh[*!1#@]t(?:ty|s)?\b|\bb[*!1]tch(?:es)?\b|\ba[*$]{2}hole",
    re.IGNORECASE,
)
_BARE = str.maketrans(dict.fromkeys('.,!?;:()[]{}<>"“”„«»…*_/\\`~|-', " "))
_TEXT = 4000  # characters that are looked at


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row, for the first such word."""
    if row.against:
        return
    word = _toxic(row.answer)
    if word:
        told: Severity | None = "inform" if _toxic(row.prompt) else None
        yield Hit(message=f"{word!r}", evidence=row.given(), at=word, severity=told)


def _toxic(text: str) -> str:
    """The first word or phrase of the list, as it stands in the text; "" for none."""
    text = text[:_TEXT]
    lower = text.lower()
    words = lower.translate(_BARE).split()
    found = None
    if not _WORDS.isdisjoint(words):
        found = re.search(rf"(?<!\w)(?:{'|'.join(sorted(_WORDS.intersection(words)))})(?!\w)", lower)
    elif any(hint in lower for hint in _HINTS):
        found = _PHRASES.search(lower)
    if found is None and ("*" in text or "sh1t" in lower or "@" in text):
        found = _HIDDEN.search(text)
    return text[found.start() : found.end()] if found is not None else ""
