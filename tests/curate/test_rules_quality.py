"""The rules of quality (Q): defects as they were met in published data, and what only looks like them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailor.curate.check import check
from tailor.curate.mojibake import pieces, read_again
from tailor.curate.rows import Row
from tailor.curate.rules import broken_encoding, homoglyphs, html_leftovers, invisible_characters
from tailor.records import Example, Source, message
from tailor.testing.rules import RuleContract, chat, pair

CASES = Path(__file__).parents[3] / "shared/data/ftfy-cases"
WORDS = ("kettle", "invoice", "garage", "paint", "harbour", "voucher", "screw", "colleague", "ladder", "window")
MONTHS = ("March", "April", "May", "June", "July", "August", "winter", "spring", "summer", "autumn", "town", "vain")


def said(*texts: str) -> list[dict[str, str]]:
    return [pair("What does it say?", text) for text in texts]


def all_lines(*texts: str) -> tuple[list[dict[str, str]], set[int]]:
    return said(*texts), set(range(1, len(texts) + 1))


def mended(rule: Any, text: str) -> str:
    example = Example(kind="chat", source=Source("a", 1), messages=(message("user", "q"), message("assistant", text)))
    return str(rule.mend(Row(example)).get(text, text))


class TestPlaceholderAnswer(RuleContract):
    name = "placeholder-answer"
    fires = {
        "left open": all_lines("TODO", "N/A", "nan", "...", "<your answer here>", "Lorem ipsum dolor sit amet.", "-"),
        "an empty cell": ([pair("Who?", "None"), *said("The red team won it.", "Nobody knows.")], {1}),
    }
    silent = {
        "answers": said("None.", "Nobody.", "42", "To do is to be.", "I have no answer to that.", "Yes!"),
        "a class of that name": [pair(word, ("none", "missing", "urgent")[n % 3]) for n, word in enumerate(WORDS)] * 2,
        "no answer at all": [chat(("user", "?"), ("assistant", "I see"))],
    }


class TestRefusal(RuleContract):
    name = "refusal"
    fires = {
        "declines": all_lines(
            "I'm sorry, but I can't assist with that.",
            "I’m unable to provide you with a real-time percentage.",
            "Apologies, but I don't have access to the tools.",
            "I apologize, but I cannot provide personal details.",
        ),
        "as an AI": all_lines("As an AI language model, I can share some facts about dolomite."),
        "to a user who cannot do something else": (
            [pair("I can't open the file you sent. Write it in here.", "I cannot see what files were sent to you.")],
            {1},
        ),
        "in an early turn": (
            [chat(("user", "a"), ("assistant", "I cannot do this."), ("user", "b"), ("assistant", "c"))],
            {1},
        ),
    }
    silent = {
        "sorry for something": said("I'm sorry for the delay. It ships today.", "I cannot believe it!", "I can help."),
        "who it is": said("I am an AI assistant developed by Tailors.", "It works as an AI does."),
        "the user declines": [chat(("user", "I cannot log in. As an AI, help."), ("assistant", "Reset it."))],
        "the user's own words": [
            pair("Combine: It rains. I cannot go to the park.", "I'm afraid that it rains and I can't go to the park."),
        ],
        "context only": [
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "I cannot do this.", "weight": 0},
                    {"role": "user", "content": "b"},
                    {"role": "assistant", "content": "Done."},
                ]
            }
        ],
    }


class TestTemplateLeftovers(RuleContract):
    name = "template-leftovers"
    fires = {
        "never filled": all_lines(
            "I am {{name}}, made by {{author}}.", "Dear {first_name}, welcome!", "On [insert date] we met."
        ),
        "never taken off": all_lines("### Response:\nParis", "Name five. <noinput>", "Output: Paris"),
    }
    silent = {
        "code": said("```python\nprint(f'{name}')\n```", "In Python, {name} is a set.", "return `Hello ${name}`;"),
        "a workflow file": said("name: ghcr\nurl: https://ghcr.io/${{ github.repository }}\nsteps:"),
        "braces of another kind": said('{"name": "Uta"}', "the set {1, 2}", r"\frac{a}{b}"),
        "asked for": [pair("Reply as 'Answer: yes'.", "Answer: yes")],
        "braces as a topic": [pair("Replace the word in braces: He moved {expeditiously}.", "He moved quickly.")],
    }


class TestBrokenEncoding(RuleContract):
    name = "broken-encoding"
    fires = {
        "read as Windows-1252": all_lines("cafÃ© au lait", "itâ€™s late", "ðŸ˜€ hi"),
        "read as others": all_lines("Le Vigne di Zam√≤", "LiĂ¨ge", "РґРѕСЂРѕРіРµ"),
        "lost": all_lines("caf\ufffd au lait"),
    }
    silent = {
        "honest text": said(
            "café – “late”", "AMANHÃ… TALVEZ", "4×£5", "Год, рік, њива", "√π = 1.77", "你好，世界", "👩‍👩‍👧"
        ),
    }

    def test_repairs(self) -> None:
        for broken, meant in {
            "cafÃ© au lait": "café au lait",
            "itâ€™s": "it’s",
            "nÃƒÂ©": "né",
            "wei√ü": "weiß",
        }.items():
            assert mended(broken_encoding, broken) == meant
        assert mended(broken_encoding, "l’humanitÃ© lÃ  ©") == "l’humanitÃ© lÃ  ©", "intact text beside it: not touched"

    @pytest.mark.parametrize("page", ["cp1252", "cp1250", "cp1251", "mac_roman"])
    def test_texts_broken_on_purpose(self, page: str) -> None:
        for text in ("déjà vu à Orléans, très près", "“quoted” – and more", "naïve façade", "Füße größer"):
            broken = text.encode().decode(page, "ignore")
            assert pieces(broken), broken
            assert not pieces(text)
            assert read_again(broken) in (broken, text)


class TestInvisibleCharacters(RuleContract):
    name = "invisible-characters"
    fires = {
        "zero width": all_lines("how much less \u200bis it", "\ufeffHello", "Go\xadPage"),
        "control": all_lines("a\x08b", "\x1b[31mred\x1b[0m"),
        "direction": all_lines("access \u202elevel\u202c"),
        "a space that does not break": all_lines("24 times.\xa0In 2010"),
    }
    silent = {
        "they belong there": said(
            "👩‍👩‍👧", "می‌خواهم", "שלום \u200fworld", "🏴\U000e0067\U000e0062\U000e007f", "« mot »", "a\tb\r\nc\x0c"
        ),
        "typography": said("10\xa0000 €", "Qui ?\xa0»", "p.\xa05"),
    }

    def test_repairs(self) -> None:
        assert mended(invisible_characters, "less \u200bis\xa0it é") == "less is\xa0it é"
        assert mended(invisible_characters, "a\x08b\u200b") == "a\x08b"


class TestHtmlLeftovers(RuleContract):
    name = "html-leftovers"
    fires = {
        "entities": all_lines("R&amp;B", "it is &#x27;doped&#x27;", "a&nbsp;b", "10Î&frac14;s"),
        "tags": all_lines("one<br>two", "<p>Install it.</p>", '<a href="x.org">here</a>'),
    }
    silent = {
        "a topic": said("In HTML, &amp; is an ampersand.", "```\n<p>hi</p>\n```", "Use the <b> tag."),
        "no mark-up": said("AT&T; and R&B", "a < b and b > c", "x<y", "<b"),
    }

    def test_repairs(self) -> None:
        assert mended(html_leftovers, "R&#39;s caf&eacute;&nbsp;&lt;b&amp;lt;") == "R's café &lt;b&amp;lt;"


class TestHomoglyphs(RuleContract):
    name = "homoglyphs"
    fires = {
        "Cyrillic and Greek": all_lines("pаypal", "Αpple pie", "SENSЕ"),
        "ligatures": all_lines("signiﬁcant", "dovoǉno"),
    }
    silent = {
        "formulas": said("5 μm, Δt, kΩ, πr", "hν = E"),
        "other languages": said("Скажи привет Windows", "Το Google είναι", "USB-кабель"),
    }

    def test_repairs(self) -> None:
        assert mended(homoglyphs, "pаypаl, signiﬁcant, кабель") == "paypal, significant, кабель"
        assert len(homoglyphs._LIKE) == len(homoglyphs._LATIN)


class TestSpecialTokensInContent(RuleContract):
    name = "special-tokens-in-content"
    fires = {
        "anywhere": all_lines("a <|im_start|>system b", "[INST] do it [/INST] done", "<start_of_turn>user"),
        "left by an export": all_lines("Paris.</s>", "<s>Paris.", "Paris.<|endoftext|>"),
    }
    silent = {
        "others": said("a | b < c", "use <s>old</s> new", "[1] INST", "<|> is an operator", "list<string>"),
    }


WHOLE = [pair(f"What of the {word}?", f"It is about the {word} that we sold.") for word in WORDS] * 3


SOLD = [
    pair(f"q {n}", f"Of the old harbour they sold {n} {word}s in {MONTHS[n % 12]}.")
    for n, word in enumerate(WORDS * 12)
]
CUT = set(range(121, 141))


def cut(*ends: str) -> list[dict[str, str]]:
    """Twenty answers that end so, without a mark."""
    return [pair(f"r {n}", f"Then of {n} {word}s {ends[n % len(ends)]}") for n, word in enumerate(WORDS * 2)]


def unmarked(count: int) -> list[dict[str, str]]:
    """Whole sentences whose mark is not there."""
    return [pair(f"s {n}", f"Of all {WORDS[n % 10]}s they sold {n} in {MONTHS[n % 12]}") for n in range(count)]


class TestEcho(RuleContract):
    name = "echo"
    fires = {
        "the question": ([pair("Who wrote the long letter?", "Who wrote the long letter?"), *WHOLE], {1}),
        "its last paragraph": ([pair("Make it polite.\n\nsend me the saw now", "send me the saw now"), *WHOLE], {1}),
    }
    silent = {
        "copying is the task": [
            pair(f"copy: {text}\n\n{text}", text) for text in ("a b c d e f", "g h i j k l", "m n o p q")
        ],
        "short, found in the question": [pair("Saw or drill?\n\ndrill", "drill"), *WHOLE],
        "another case": [pair("Write it as a title.\n\nthe book of the shop", "The Book of the Shop"), *WHOLE],
    }


class TestTruncatedAnswer(RuleContract):
    name = "truncated-answer"
    fires = {
        "never closed": all_lines(
            "```python\nprint(1)\n", '{"ref": "AF61446", "item": "T', "It holds many parts (such as the old saw"
        ),
        "a last word that cannot be one": ([*WHOLE, pair("q", "It serves as a reminder of the importance of")], {31}),
        "no mark where all have one": ([*WHOLE, pair("q", "You can choose what to invest in. While the coin")], {31}),
        "a last line that all others have": (
            [
                *(pair("q", f"One {word} costs 3.\n#### 3") for word in WORDS * 3),
                pair("q", "One ladder costs 4, so two"),
            ],
            {31},
        ),
        "no mark where some have none, most in the middle": (SOLD + cut("the old", "they sold") + unmarked(4), CUT),
        "the beginning of a word, where some have no mark": (
            [
                *(pair(f"q {word}", f"They sold the old {word} of the harbour in March.") for word in WORDS * 3),
                *(pair(f"r {word}", f"They gave away the {word} of the harbour") for word in WORDS[:6]),
                pair("q", "They sold the old ladder of the har"),
            ],
            {37},
        ),
    }
    silent = {
        "phrases": [pair(word, f"one {word} from the old shop") for word in WORDS] * 3,
        "no mark where some have none, all at an end": SOLD + unmarked(24),
        "the same end again and again": SOLD + cut("to the harbour man"),
        "a share": [*WHOLE, *said("John has run farther. Confidence: 99%")],
        "the end of a name": [*WHOLE, *said("The domain of the country is the one named .af")],
        "lists, titles, sums, tags": [
            *WHOLE,
            *said(
                "1. saw\n2. the drill of the shop", "I Love Watching The Beautiful Sunrise", "7818 x 86175 = 674667340"
            ),
            *said(
                "Experience love like no other. #PuppyLove",
                "Sorted in order: Apple, Banana, Cherry",
                "What! -C.S. Lewis",
            ),
            *said("{{author}} 制作了我，我的目的是回答用户问题并提供必要的支持。", "const x = f(\n  a,\n);"),
        ],
    }


class TestSelfRepetition(RuleContract):
    name = "self-repetition"
    fires = {
        "a loop at the end": all_lines("The monkey says: " + "Ooh ooh ah ah! *giggle* " * 8),
        "sentences": all_lines("The saw was sold in March. It was a good one, they say. " * 4),
    }
    silent = {
        "a refrain": said(
            "Row the boat down the stream.\nMerrily we go.\nLife is but a dream.\nRow on.\nAnd on and on we go."
        ),
        "numbers": said("0" * 200, "1, 1, 1, 1, " * 20),
        "code": said("```\n" + "    return value\n" * 9 + "```"),
    }


class TestMissingContext(RuleContract):
    name = "missing-context"
    fires = {
        "nothing is there": (
            [pair("Describe the attached image.", "A cat."), pair("What is shown in the following picture?", "A dog.")],
            {1, 2},
        )
    }
    silent = {
        "it stands below": [pair("Read the following document:\n\nWe sold it.\nAnd more.", "Sold.")],
        "talk of it": [pair("How do I attach a file to a mail?", "Click."), pair("What is a graph?", "Nodes.")],
        "an address": [pair("Describe the image in the attached file http://a.b/c.png", "A cat.")],
    }


@pytest.mark.skipif(not CASES.exists(), reason=f"{CASES} is not here")
def test_broken_text_from_the_wild_is_flagged_and_honest_text_is_not() -> None:
    """All 70 and none of 31. Two cases are ligatures (Q204), one an entity (Q203), one C1 controls alone (Q202)."""
    rules = (broken_encoding, invisible_characters, html_leftovers, homoglyphs)

    def flagged(file: str, *using: Any) -> list[bool]:
        texts = [case["original"] for case in json.loads((CASES / file).read_text())]
        rows = [Row(Example(kind="text", source=Source("a", 1), text=text)) for text in texts]
        return [any(list(rule.look(row)) for rule in using) for row in rows]

    assert all(flagged("in-the-wild.json", *rules))
    assert sum(flagged("in-the-wild.json", broken_encoding)) == 66
    assert not any(flagged("negative.json", broken_encoding, html_leftovers))


@pytest.mark.skipif(not CASES.exists(), reason=f"{CASES} is not here")
@pytest.mark.parametrize(("file", "repaired"), [("in-the-wild.json", 34), ("synthetic.json", 6), ("negative.json", 0)])
def test_what_is_repaired_is_repaired_rightly(file: str, repaired: int) -> None:
    cases = json.loads((CASES / file).read_text())
    changed = [case for case in cases if read_again(case["original"]) != case["original"]]
    for case in changed:
        assert read_again(case["original"]) in (case.get("fixed-encoding"), case["fixed"]), case["label"]
    assert len(changed) >= repaired


def test_no_rule_is_upset_by_nothing() -> None:
    assert not check([]).findings
