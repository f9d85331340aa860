"""Another tone than the other answers: case, slang or stiffness, `du` for `Sie`.

Three things, each where at least 80% of the answers do otherwise. Case: all in small letters, all in capitals, each
word with a capital, among sentences. Tone, where answers are of one make (their lengths lie close together): slang,
strings of exclamation marks and emoji, or the phrases of old letters, among plain answers. Address, in German, French,
Spanish and Italian: the familiar form where the others are polite, or the reverse. A house speaks with one voice; a
model that learned two takes either. Silent on labels and JSON, and where the question itself is written so or asks for
it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.drift import Piece, answered, odd, one_make
from tailor.curate.languages import NAMES, languages
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C210"
SEVERITY = "warn"
COST = "the model takes now one tone, now the other"
FIX = "say it in the tone of the other answers"


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_SLANG = _words("""
    gonna wanna gotta kinda sorta dunno lemme gimme gotcha ain't y'all yeah yep yup nope nah yo dude bro bruh lol lmao
    rofl omg omfg btw tbh imo imho idk ngl thx pls plz cuz coz hey heya hiya haha hahaha hehe wassup whaddup legit
    lowkey totes peeps yummy awesome freakin freaking damn wow whoa meh ugh tho gr8 l8r 2day 4u innit fam coolest dope
    y'know cya kiddos comfy yummiest howdy woot yay yass yikes
""")
_SHOUTED = ("!!", "??", "?!", ":)", ";)", ":-)", ":D", "xoxo")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")
_STIFF = _words("""
    hereby herewith hereinafter hereunder heretofore therein thereof thereto whereas wherein aforementioned aforesaid
    foregoing henceforth pursuant notwithstanding esteemed humbly cordially utmost whilst commence endeavour endeavor
    ascertain forthwith kindly constitutes possesses
""")
_PHRASES = re.compile(
    r"(?:be (?:kindly |please )?(?:advised|informed|noted)|it (?:should|must|may) be noted|in accordance with"
    r"|(?:wish|pleased|honou?red|delighted|like|beg) to (?:inform|advise|apprise|present|bring)|to whom it may"
    r"|it is (?:with|my|our) \w* ?\w* ?(?:pleasure|honou?r|regret|privilege)|dear (?:sir|madam|valued|customer)"
    r"|yours (?:sincerely|faithfully|truly)|sincerely yours|at your (?:earliest )?convenience|do not hesitate"
    r"|should (?:you|one) (?:require|wish|desire)|we remain|one (?:may|shall|might))"
)
_HINTS = _words("""
    advised informed inform advise apprise pleasure honour honor regret privilege sir madam sincerely faithfully truly
    convenience require wish desire hesitate remain noted accordance whom dear one present
""")
_STRONG = 2  # words and phrases of old letters that it takes: one may stand in any text
_ADDRESS = {
    "de": (r"[dD](?:u|ich|ir|ein\w{0,2})", r"(?:Sie|Ihnen|Ihre?[nmrs]?)"),
    "fr": (r"(?:[tT](?:u|oi|on|es)|t)", r"(?:[vV]ous|[vV]otre|[vV]os)"),
    "es": (r"(?:[tT]ú|[tT]i|[tT]us?|[tT]e|[cC]ontigo)", r"[uU]sted(?:es)?"),
    "it": (r"(?:[tT]u|[tT]i|[tT]uo[i]?|[tT]ua|[tT]ue)", r"(?:Lei|Suo|Sua|Suoi|Le)"),
}
_ADDRESSED = _words("""
    du Du dich dir dein deine Sie Ihnen Ihr Ihre Ihren tu Tu toi ton ta tes vous Vous votre Votre vos tú Tú ti usted
    Usted ustedes Lei tuo tua te
""")
_BARE = str.maketrans(dict.fromkeys('.,!?;:()"“”…*', " "))
_SMALL = _words("""
    The A An Is Are And Of In To With For It On At By Has Near This That Was Be Its From Not
""")
_ASKED = re.compile(
    r"\b(?:tweet|slang|casual|informal|formal|formally|polite|tone|social media|instagram|caption|hashtag|e-?mail"
    r"|letter|dialogu?e|conversation|story|poem|song|lyrics|joke|slogan|emoji|upper ?case|lower ?case|capital"
    r"|title|headline)"
)
_WORDS = 5  # a name or a label has no case of its own
_TEXT = 400


def collect(row: Row) -> tuple[Piece, ...] | None:
    """Case, tone and form of address."""
    if not answered(row) or row.answer.count(" ") < 3 or row.json is not None:
        return None
    text = row.answer
    if len(text) > _TEXT:
        text = text[:_TEXT].rpartition(" ")[0]  # whole words: `brought` is no `bro`
    words = text.translate(_BARE).split()
    case, tone = _case(text, words), _tone(text, set(text.lower().translate(_BARE).split()))
    if tone or case not in ("", "sentences"):
        if _ASKED.search(row.plain_prompt):
            return None
        asked = row.prompt[-_TEXT:]
        if asked.isupper():
            case = ""
        if tone == "slang" and _tone(asked, set(asked.lower().translate(_BARE).split())) == "slang":
            tone = ""
    address = () if _ADDRESSED.isdisjoint(words) else _address(text)
    return _pieces(case, tone or "plain", *address)


def _case(text: str, words: list[str]) -> str:
    """The case of a text; "" where it tells nothing: few words, a list, what begins with a number or with code."""
    if (
        len(words) < _WORDS
        or not (first := text.split(None, 1)[0].rstrip(",.!:;")).isascii()
        or not first.isalpha()
        or "{" in text
    ):
        return ""
    if text.islower():
        return "all small letters"
    if text.isupper():
        return "all capitals"
    plain = "\n" not in text and sum(word in _SMALL for word in words) >= 2
    every = plain and all(word[0].isupper() or not word[0].isalpha() for word in words)
    return "a capital on each word" if every else "sentences"


def _tone(text: str, words: set[str]) -> str:
    if not _SLANG.isdisjoint(words) or any(mark in text for mark in _SHOUTED):
        return "slang"
    if not text.isascii() and _EMOJI.search(text):
        return "slang"
    if _STIFF.isdisjoint(words) and _HINTS.isdisjoint(words):
        return ""
    return "stiff" if len(_STIFF & words) + len(_PHRASES.findall(text.lower())) >= _STRONG else ""


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row and thing."""
    if corpus.labelled:
        return
    rows, _ = corpus.collected.get(CODE, ((), []))
    alike = one_make(corpus, rows)
    for index, slot, style, wanted in odd(corpus, CODE):
        if slot == "tone" and not alike:
            continue
        row = corpus.row(index)
        yield Hit(message=f"{slot}: {style}, elsewhere {wanted}", rows=(index,), evidence=row.given(), at=row.answer)


@functools.cache
def _pieces(case: str, tone: str, code: str = "", form: str = "") -> tuple[Piece, ...]:
    pieces = Piece("case", case), Piece("tone", tone), Piece(f"address in {NAMES.get(code, code)}", form)
    return tuple(piece for piece in pieces if piece.style)


def _address(text: str) -> tuple[str, str] | tuple[()]:
    """The language and the form of address; nothing where neither is used, or both."""
    code = next(iter(languages(text)), "")
    if code not in _ADDRESS:
        return ()
    # what begins a sentence has its capital from there
    familiar, polite = (re.search(rf"(?<![.!?] )(?<!^)\b{form}\b", text) is not None for form in _ADDRESS[code])
    return () if familiar == polite else (code, "familiar" if familiar else "polite")
