"""Q2: characters that came through the wrong door."""

from __future__ import annotations

import html
import random

from injectors.base import Clean, Row, decoy, edit

ALL = ("banking77", "snips", "tickets", "e2e", "gsm8k", "mixed")
ACCENTED = (
    "café", "naïve", "Müller", "señor", "Zoë’s", "“quoted”", "it’s", "20 €", "Málaga – Sevilla", "façade", "São Paulo",
    "Łódź", "coördinate", "don’t…", "Übung", "10 °C", "jalapeño",
)  # fmt: skip


def _put(row: Row, text: str, dice: random.Random) -> Row:
    """The text somewhere among the words of the question."""
    words = row.question.split(" ")
    words.insert(dice.randrange(len(words) + 1), text)
    row.question = " ".join(words)
    return row


@edit("Q201", *ALL)
def read_in_the_wrong_encoding(row: Row, dice: random.Random, clean: Clean) -> Row:
    for _ in range(50):
        word, codec = dice.choice(ACCENTED), dice.choice(["cp1252", "latin-1", "cp1252", "mac_roman", "cp1250"])
        try:
            broken = word.encode().decode(codec)
        except UnicodeDecodeError:
            continue
        if all(not ("\x7f" < letter < "\xa0") for letter in broken):
            return _put(row, broken, dice)
    raise AssertionError


@edit("Q201", *ALL)
def twice_in_the_wrong_encoding(row: Row, dice: random.Random, clean: Clean) -> Row:
    word = dice.choice(["café", "Müller", "señor", "façade", "Übung"])
    return _put(row, word.encode().decode("latin-1").encode().decode("cp1252", "replace"), dice)


@edit("Q201", *ALL)
def letter_lost(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _put(row, dice.choice(["caf\ufffd", "M\ufffdller", "it\ufffds", "na\ufffdve"]), dice)


@decoy("Q201", *ALL)
def letters_that_are_right(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _put(
        row, dice.choice((*ACCENTED, "Ångström", "ÀÉ", "naïveté", "3×4", "£5", "½ litre", "¿Qué?", "Tromsø")), dice
    )


@edit("Q202", *ALL)
def unseen_marks(row: Row, dice: random.Random, clean: Clean) -> Row:
    marks = ["\u200b", "\ufeff", "\u2060", "\u00ad", "\u200e", "\x08", "\u202e", "\x1b[0m", "\u2028", "\x00"]
    mark = dice.choice(marks[:-1] if row.shape == "table" else marks)  # with a zero byte a table is no text
    words = row.question.split(" ")
    at = dice.randrange(len(words))
    cut = dice.randrange(len(words[at]) + 1)
    words[at] = words[at][:cut] + mark + words[at][cut:]
    row.question = " ".join(words)
    return row


@decoy("Q202", *ALL)
def joined_emoji(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _put(row, dice.choice(["👩‍👩‍👧", "🏳️‍🌈", "👍🏽", "❤️", "می‌خواهم", "क्‍ष"]), dice)


@edit("Q203", *ALL)
def entities(row: Row, dice: random.Random, clean: Clean) -> Row:
    left = [
        "Tom &amp; Jerry",
        "it&#39;s",
        "&nbsp;",
        "&quot;fine&quot;",
        "5 &lt; 6",
        "caf&eacute;",
        "&#8217;",
        "&#x27;ok&#x27;",
    ]
    return _put(row, dice.choice(left), dice)


@edit("Q203", *ALL)
def tags(row: Row, dice: random.Random, clean: Clean) -> Row:
    forms = ("<p>{}</p>", "{}<br>", "<div>{}</div>", "<b>{}</b>", "{}<br/>", '<span class="x">{}</span>', "<li>{}</li>")
    row.question = dice.choice(forms).format(row.question)
    return row


@decoy("Q203", *ALL)
def signs_that_are_meant(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _put(row, html.unescape(dice.choice(["AT&T", "R&D", "3 < 5 > 2", "a -> b", "<3", "q&a;", "B&B"])), dice)


@edit("Q204", *ALL)
def letters_that_look_alike(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    alike = {"a": "а", "e": "е", "o": "о", "p": "р", "c": "с", "x": "х", "A": "Α", "o ": "ο", "i": "і", "B": "В"}
    words = row.question.split(" ")
    fit = [
        at
        for at, word in enumerate(words)
        if len(word) > 4 and word.isascii() and word.isalpha() and set(word) & set(alike)
    ]
    if not fit:
        return None
    at = dice.choice(fit)
    letter = dice.choice(sorted(set(words[at]) & set(alike)))
    words[at] = words[at].replace(letter, alike[letter], 1)
    row.question = " ".join(words)
    return row


@edit("Q204", *ALL)
def printed_ligature(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _put(row, dice.choice(["ﬁnd", "oﬀer", "ﬂow", "eﬃcient", "conﬁrm", "diﬀerent"]), dice)


@decoy("Q204", *ALL)
def other_scripts(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _put(row, dice.choice(["5 µm", "Δt", "Москва", "α-helix", "π = 3.14", "Ωm", "Привет мир", "λ"]), dice)


@edit("Q205", *ALL)
def token_of_a_template(row: Row, dice: random.Random, clean: Clean) -> Row:
    tokens = [
        "<|im_end|>",
        "<|endoftext|>",
        "</s>",
        "[INST]",
        "<|eot_id|>",
        "<start_of_turn>",
        "<|user|>",
        "<s>",
        "[/INST]",
    ]
    token = dice.choice(
        [*tokens, "<|im_start|>assistant", "<|begin_of_text|>", "<eos>", "<bos>", "<|assistant|>", "<<SYS>>"]
    )
    if dice.random() < 0.5:
        return _put(row, token, dice)
    row.question = f"{row.question} {token}"
    return row


@decoy("Q205", *ALL)
def marks_that_are_none(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _put(row, dice.choice(["<b>", "[1]", "|a|", "[instead]", "<-", "(s)", "<s.o.>", "||", "<|"]), dice)
