"""Lines as they stand on pages -> blocks: page headers and footers off, words and paragraphs joined, titles told apart.

For formats that know lines only (PDF, plain text). What is taken off is never guessed from one page: a line has to come
back on most pages, at their top or bottom, the same but for numbers that count the pages.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from tailor.documents.base import LIGATURES, Block, LeftOut

EDGE = 3  # lines from the top and from the bottom of a page among which headers and footers are looked for
_FULL = 0.7  # of the usual width: a shorter line ends a paragraph
_NUMBER = re.compile(r"\d+")
_BULLET = re.compile(r"(?:[•●▪◦‣·–*-]|\(?(?:[a-zA-Z]|[ivxlcIVXLC]{1,5}|\d{1,3})[.)])\s+\S")
_NUMBERED = re.compile(
    r"(?:(?:ARTICLE|Article|SECTION|Section|Exhibit|EXHIBIT|Schedule|SCHEDULE|Appendix|APPENDIX|Annex|ANNEX|Chapter)\s+"
    r"(?:[IVXLC]+|\d+(?:\.\d+)*|[A-Z])\b[.:]?|\d+(?:\.\d+)*\.?)\s*"
)
_RUN_IN = re.compile(
    r"(?P<title>(?:(?:Section|SECTION|Article|ARTICLE)\s+)?\d+(?:\.\d+)*[.)]?\s+[A-Z][^.:;\n]{2,70}\.)\s+"
    r"(?=[A-Z“\"(])"
)
_LONG_NUMBER = re.compile(r"\d{3}")  # `1501 Farm Credit Drive` is an address
_ONE_TITLE = re.compile(r",|\.\s")  # what no single title holds
_SMALL = {"a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "upon", "with"}
_TITLE_WORDS, _TITLE_LENGTH = 10, 90
_END_OF_SENTENCE = (".", "!", "?", ":", ";", "”", '"')


def blocks(
    pages: Sequence[str], titles: Mapping[tuple[int, str], int] | None = None
) -> tuple[list[Block], list[LeftOut]]:
    """The blocks of pages of text, and the headers and footers taken off them.

    `titles` are lines known to be titles: (page, the line in small letters) -> level.
    """
    known = titles or {}
    split = [page.translate(LIGATURES).splitlines() for page in pages]
    lines, left_out = without_furniture(split)
    words = _words(lines)
    found: list[Block] = []
    for number, page in enumerate(lines, 1):
        paragraphs = _paragraphs(page, words, {line for on, line in known if on == number})
        if found and paragraphs and not paragraphs[0][1] and _goes_on(found[-1], paragraphs[0][0]):
            last = found.pop()
            found.append(Block(last.kind, _joined(last.text, paragraphs.pop(0)[0], words), last.page))
        for text, title in paragraphs:
            level = known.get((number, text.lower()), _level(text))
            found += [Block("heading", text, number, level)] if title else _run_in(text, number)
    return found, left_out


# ------------------------------------------------------------------------------------------- headers and footers


def without_furniture(pages: Sequence[Sequence[str]]) -> tuple[list[list[str]], list[LeftOut]]:
    """The pages without the lines that repeat at their tops or bottoms.

    A line goes where at least three pages, and half of them, have it at the same edge, numbers apart; and where those
    numbers are the same on all or count with the pages (so titles such as `Section 1`, `Section 2` stay, unless every
    page has one). Bare page numbers go from two pages on.
    """
    seen: dict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)  # words, at the top -> page, line
    for number, page in enumerate(pages):
        filled = [index for index, line in enumerate(page) if line.strip()]
        for top, edge in ((True, filled[:EDGE]), (False, filled[-EDGE:])):
            for index in edge:
                if page[index].rstrip().endswith((":", "_")):  # a form to fill in: `Name:`
                    continue
                seen[_key(page[index]), top].append((number, index))
    gone: set[tuple[int, int]] = set()
    for (words, _), places in seen.items():
        on = {page for page, _ in places}
        bare = not any(char.isalpha() for char in words.replace("page", "").replace("of", ""))
        enough = len(on) >= 2 if bare else len(on) >= max(3, len(pages) / 2)
        if enough and _counts(words, [(page, pages[page][index]) for page, index in places], bare):
            gone |= set(places)
    left_out = [LeftOut("page header or footer", page + 1, pages[page][index].strip()) for page, index in sorted(gone)]
    kept = [
        [line for index, line in enumerate(page) if (number, index) not in gone] for number, page in enumerate(pages)
    ]
    return kept, left_out


def _key(line: str) -> str:
    return _NUMBER.sub("#", " ".join(line.split()).lower())


def _counts(words: str, lines: Sequence[tuple[int, str]], bare: bool) -> bool:
    """Whether the numbers of the lines are the same on all pages, or one of them counts with the pages."""
    if "#" not in words:
        return not bare
    columns = list(zip(*([int(found[-9:]) for found in _NUMBER.findall(line)] for _, line in lines)))
    pages = [page for page, _ in lines]
    counting = [len({value - page for value, page in zip(column, pages)}) == 1 for column in columns]
    same = [len(set(column)) == 1 for column in columns]
    fits = all(one or other for one, other in zip(counting, same))
    return fits and (any(counting) or not bare)


# -------------------------------------------------------------------------------------------- words, paragraphs


def _words(pages: Sequence[Sequence[str]]) -> Counter[str]:
    """How often each word, hyphens within included, stands within a line."""
    found: Counter[str] = Counter()
    for page in pages:
        for line in page:
            found.update(word.lower() for word in re.findall(r"\w+(?:-\w+)*", line))
    return found


def _joined(before: str, after: str, words: Counter[str]) -> str:
    """Two lines as one: a word broken by a hyphen is mended, unless it has that hyphen elsewhere in the document."""
    broken = re.search(r"(\w+)-$", before)
    start = re.match(r"\w+", after)
    if broken is None or start is None or not start[0][0].islower():
        return f"{before} {after}" if broken is None or start is None else before + after
    first, second = broken[1].lower(), start[0].lower()
    hyphened, whole = words[f"{first}-{second}"], words[first + second]
    return before + after if hyphened > whole else before[:-1] + after


def _paragraphs(lines: Sequence[str], words: Counter[str], known: Collection[str]) -> list[tuple[str, bool]]:
    """The lines of a page joined to paragraphs, and whether each is a title, as those of `known` are."""
    clean = [" ".join(line.split()) for line in lines]
    lengths = sorted(len(line) for line in clean if line)
    width = lengths[-1 - len(lengths) // 10] if lengths else 0
    found: list[tuple[str, bool]] = []
    ended = True
    for index, line in enumerate(clean):
        if not line:
            ended = True
            continue
        follower = next((later for later in clean[index + 1 :] if later), "")
        looks = is_title(line) or (ended and len(follower) >= _FULL * width and _capital_words(line))
        title = line.lower() in known or (looks and not _shouted(clean, index, width))
        if ended or title or _BULLET.match(line) or _RUN_IN.match(line):
            found.append((line, title))
        else:
            found[-1] = (_joined(found[-1][0], line, words), False)
        ended = title or (len(line) < _FULL * width and line.endswith(_END_OF_SENTENCE))
    return found


def _shouted(lines: Sequence[str], index: int, width: int) -> bool:
    """Whether a line is one of several full ones in capitals: a paragraph that is to be noticed, no title."""
    near = [line for line in lines[max(0, index - 1) : index + 2] if line and line.isupper()]
    return lines[index].isupper() and len(near) > 1 and any(len(line) >= _FULL * width for line in near)


def _goes_on(last: Block, text: str) -> bool:
    """Whether the first paragraph of a page continues the last of the page before."""
    unfinished = last.kind == "paragraph" and not last.text.endswith(_END_OF_SENTENCE)
    return unfinished and (text[:1].islower() or last.text.endswith(("-", ",")))


# -------------------------------------------------------------------------------------------------------- titles


def is_title(line: str) -> bool:
    """Whether a line reads as a title: short, no end of a sentence, and numbered, in capitals or with capital words."""
    numbered = _NUMBERED.match(line)
    rest = line[numbered.end() :] if numbered else line
    words = re.findall(r"[^\W\d_][\w'’-]*", rest)
    if not words:
        return numbered is not None and line[:1].isalpha() and not rest.strip()  # `ARTICLE IV` alone
    if len(line) > _TITLE_LENGTH or len(words) > _TITLE_WORDS or line.endswith((",", ";", ":", "-")):
        return False
    if re.search(r"[$%@=_]|\d", rest) or (line.endswith(".") and not (numbered and len(words) <= _TITLE_WORDS // 2)):
        return False
    if numbered:
        return _LONG_NUMBER.match(line) is None and _ONE_TITLE.search(rest) is None and _capital_words(rest)
    letters = [char for char in rest if char.isalpha()]
    return len(letters) >= 4 and all(char.isupper() for char in letters)


def _capital_words(line: str) -> bool:
    """Whether the words of a short line begin with capitals, as those of a title do."""
    words = re.findall(r"[^\W\d_][\w'’-]*", line)
    small = [word for word in words if not word[0].isupper()]
    fits = 0 < len(words) <= _TITLE_WORDS and len(line) <= _TITLE_LENGTH and not re.search(r"[\d:,$@=_]", line)
    return fits and len(small) < len(words) and {word.lower() for word in small} <= _SMALL


def _run_in(text: str, page: int) -> list[Block]:
    """A paragraph, the title that runs into it apart (`7. Term. This Agreement ...`)."""
    run_in = _RUN_IN.match(text)
    if run_in is not None and is_title(run_in["title"]):
        rest = text[run_in.end() :]
        return [Block("heading", run_in["title"], page, _level(run_in["title"])), Block("paragraph", rest, page)]
    return [Block("list" if _BULLET.match(text) else "paragraph", text, page)]


def _level(title: str) -> int:
    """1 for unnumbered titles and articles, one more for each part of a number: `3.2` is 3."""
    number = re.match(r"(?:Section\s+)?(\d+(?:\.\d+)*)", title, re.IGNORECASE)
    return 2 + number[1].count(".") if number else 1
