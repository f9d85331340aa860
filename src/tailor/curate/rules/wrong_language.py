"""An answer in another language than its question.

Told by the script or the small words of both; where the question does not tell (a list of facts, a name), by what
nearly all answers are in. The model takes it up and answers some users in a language that they did not choose. Silent
where the question speaks of a language, quotes another one or asks for a translation; where more than a fifth of the
answers are in another language, which is then the task; and on answers that are too short to tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.drift import FEWEST, USUAL, answered
from tailor.curate.languages import NAMES, SCRIPTS, language, languages, script, sentences
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "Q301"
SEVERITY = "warn"
COST = "the model answers some users in a language that they did not choose"
FIX = "answer in the language of the question, or take the row out"
ASKED = re.compile(
    r"translat|übersetz|tradui|traduc|traduz|перев[её]|翻译|翻訳|번역|\blanguages?\b"
    r"|\b(?:in|into|to|from|speaks?|using|an?) (?:english|german|french|spanish|italian|portuguese|dutch|swedish|danish"
    r"|norwegian|polish|czech|romanian|finnish|hungarian|turkish|indonesian|vietnamese|croatian|serbian|russian|ukrainian"
    r"|bulgarian|chinese|mandarin|japanese|korean|arabic|persian|farsi|hebrew|greek|hindi|bengali|tamil|thai|latin)\b"
)


def collect(row: Row) -> tuple[str, str] | None:
    """The language of the question, "" where it does not tell, and those that the answer may be in; None where that
    does not tell."""
    if not answered(row) or len(row.answer) < 8 or row.json is not None or "```" in row.answer:
        return None
    given = languages(row.answer)
    if not given:
        return None
    turn = next((turn for turn in reversed(row.example.prompt) if turn.role == "user"), None)
    asked = language(turn.text[-300:]) if turn is not None else None
    return asked or "", " ".join(given)


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    if not seen:
        return
    usual, count = Counter(given for _, given in seen).most_common(1)[0]
    home = usual if len(seen) >= FEWEST and count >= USUAL * len(seen) and " " not in usual else ""
    odd = [at for at, (asked, given) in enumerate(seen) if (asked or home) and (asked or home) not in given.split()]
    if len(seen) >= FEWEST and len(odd) > (1 - USUAL) * len(seen):
        return
    for at in odd:
        asked, given = seen[at][0], seen[at][1].split()
        row = corpus.row(rows[at])
        sure = asked or (len(given) == 1 and _written_as(home, row.prompt))  # a name may be of any language near it
        if ASKED.search(row.plain_prompt) or not sure:
            continue
        if any(not set(given).isdisjoint(languages(part)) for part in sentences(row.prompt)):
            continue
        whose = f"the question in {NAMES[asked]}" if asked else f"the other answers in {NAMES[home]}"
        message = f"the answer is in {NAMES[given[0]]}, {whose}"
        yield Hit(message=message, rows=(row.index,), evidence=row.excerpt(), at=row.answer)


def _written_as(code: str, text: str) -> bool:
    """Whether a text that does not tell its language has the letters of this one."""
    letters = script(text[-300:])
    most = max(letters, key=letters.__getitem__, default="")
    return most in SCRIPTS.get(code, ("latin",))
