"""Where a person lives, and, with presidio, names of persons.

A street address behind words that make it somebody's own ("I live at …", "my address is …", "billing address:"): a
house number with a street, or a post box. Addresses of which no such thing is said are left alone: most are those of
offices and sights. Names have no pattern: they are looked for where this rule is selected by its code or name
(`--select P108`) and presidio stands beside tailor (`pip install 'tailor[presidio]'` and one of spaCy's models, such as
`python -m spacy download en_core_web_lg`); about 10 ms a row. In a row that is repaired presidio's names are replaced,
too, the same name by the same pseudonym everywhere.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tailor.curate.personal import Find, digits, hits, replaced
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "P108"
SEVERITY = "warn"
COST = "the model learns who lives where, and says so to others"
FIX = "replace it by a pseudonym: --fix writes the same one for the same name or address"
NAME = "names-and-addresses"
LEAST = 0.6  # presidio's score from which a name counts
_INSTALL = "pip install 'tailor[presidio]' and python -m spacy download en_core_web_lg, or ignore P108"

_CUES = ("address", " live", " reside")
_OWN = (
    r"(?i:\b(?:my|his|her|their|our)(?: (?:new|home|current|old|mailing|postal|street|delivery|shipping|billing))? "
    r"address(?: is| was|:)?|\b(?:i|we|he|she|they) (?:now |currently |still )?(?:lived?|resided?) at"
    r"|\b(?:lives|resides|residing|living) at|\b(?:billing|shipping|delivery|home|mailing) address(?: is|:))[:\s]\s*"
)
_STREET = (
    r"(?:(?i:P\.? ?O\.? Box \d+|PSC \d+, Box \d+)"
    r"|\d{1,6}[A-Za-z]?,? (?:(?:N|S|E|W|NE|NW|SE|SW)\.? )?(?:[^\W\d_][\w.'’-]*|\d+(?:st|nd|rd|th))(?: [\w.'’-]+){0,5}"
    r"|[^\W\d_a-z][\w.'’-]+(?: [\w.'’-]+){0,4} \d{1,5}[A-Za-z]?)"
    r"(?:[\s,]{1,3}(?i:Apt|Apartment|Suite|Unit|Ste|No)\.? ?\w+)?"
)
_ADDRESS = re.compile(rf"{_OWN}(?P<value>{_STREET})")
_KIND = re.compile(  # a word that streets are called by, in the languages of most addresses
    r"(?i)\b(?:st|street|ave|avenue|rd|road|blvd|boulevard|dr|drive|ln|lane|ct|court|way|pl|place|sq|square|terrace|hwy"
    r"|highway|parkway|pkwy|close|crescent|grove|row|box|apt|suite|unit|rue|via|calle|avenida|rua|ulica|ul"
    r")\b|stra(?:ß|ss)e\b|str\.|(?:gatan?|weg|platz|vej|veien|katu|tie|utca|gade)\b"
)
_KNOWN = re.compile(r"(?i)12?34?5? (?:main|any|elm|example|your)\b|Address \d")  # what examples are made of, and --fix


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every address of a person in the text."""
    for match in _ADDRESS.finditer(text):
        if _KIND.search(match["value"]) and not _KNOWN.match(match["value"]):
            yield "address of a person", match["value"].rstrip(".'’-")


def look(row: Row) -> Iterable[Hit]:
    """One Hit a row for an address."""
    return hits(row, find) if _may_hold(row) else ()


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row for names, where they are asked for; where presidio is missing, what to do about it."""
    if not {CODE, NAME} & {entry.upper() if entry[1:].isdigit() else entry.lower() for entry in corpus.settings.select}:
        return
    missing = _missing()
    if missing:
        message = f"names are not looked for: {missing}"
        yield Hit(message=message, severity="inform", fix=_INSTALL)
        return
    for found in corpus.map(_named):
        yield from found


def mend(row: Row) -> dict[str, str]:
    """Each address as a house in Example Street, and each name that presidio sees beside it as `Person …`."""
    every: list[Find] = [find] if _missing() else [find, _names()]
    return replaced(row, lambda text: [pair for look_for in every for pair in look_for(text)], _pseudonym)


def _may_hold(row: Row) -> bool:
    text = row.whole.lower()
    return any(cue in text for cue in _CUES)


def _pseudonym(value: str) -> str:
    number = digits(value, 6)
    return f"Address {number}" if re.search(r"\d", value) else f"Person {number}"


# ----------------------------------------------------------------------------------------------- presidio


def _missing() -> str:
    """What has to be installed before names can be found; empty for nothing."""
    if importlib.util.find_spec("presidio_analyzer") is None:
        return "presidio is not installed"
    import spacy

    return "" if spacy.util.get_installed_models() else "spaCy has no model that knows names"


def _named(rows: list[Row]) -> list[Hit]:
    return [
        Hit(message=hit.message, rows=(row.index,), evidence=hit.evidence, at=hit.at)
        for row in rows
        if not row.against
        for hit in hits(row, _names())
    ]


@functools.cache
def _names() -> Find:
    """A function that finds names in English text; a model of spaCy's is loaded once a process, and never fetched."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    models = sorted(spacy.util.get_installed_models(), key=lambda name: (not name.startswith("en"), name))
    models_of = [{"lang_code": "en", "model_name": models[0]}]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models_of}).create_engine()
    analyze: Callable[..., Any] = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"]).analyze

    def names(text: str) -> Iterator[tuple[str, str]]:
        for found in analyze(text=text, language="en", entities=["PERSON"], score_threshold=LEAST):
            if not text[found.start : found.end].startswith("Person "):
                yield "name of a person", text[found.start : found.end]

    return names
