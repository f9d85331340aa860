"""The rules of which language an answer is in (Q301, Q302), and how a language is told."""

from __future__ import annotations

import pytest

from tailor.curate.languages import NAMES, language, languages, sentences
from tailor.testing.rules import RuleContract, pair


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The Punter is a coffee shop near the river, and it is cheap.", "en"),
        ("Das ist ein gutes Restaurant in der Nähe des Flusses.", "de"),
        ("Je suis désolé, je ne peux pas vous aider.", "fr"),
        ("El restaurante está cerca del río y es barato.", "es"),
        ("Il ristorante è vicino al fiume ed è economico.", "it"),
        ("O restaurante fica perto do rio e é barato.", "pt"),
        ("Het restaurant ligt aan de rivier en is goedkoop.", "nl"),
        ("Restauracja jest nad rzeką i nie jest tania.", "pl"),
        ("Ресторан находится у реки.", "ru"),
        ("Ресторан знаходиться біля річки.", "uk"),
        ("レストランは川の近くにあります。", "ja"),
        ("餐厅靠近河边。", "zh"),
        ("식당은 강 근처에 있습니다.", "ko"),
        ("هذا المطعم يقع بالقرب من النهر", "ar"),
    ],
)
def test_a_sentence_tells_its_language(text: str, code: str) -> None:
    assert language(text) == code
    assert code in NAMES


def test_what_does_not_tell_is_left_open() -> None:
    for text in ("", "card_arrival", "La Traviata", "name[Alimentum], area[city centre]", "World War II", "3 + 4 = 7"):
        assert languages(text) == ()
    assert set(languages("Le restaurant est près de la rivière.")) >= {"fr"}
    assert sentences("One. Two!\nThree") == ["One.", "Two!", "Three"]


HOUSES = [
    pair(f"name[The Mill {n}], area[riverside]", f"The Mill {n} is a pub near the river, and it is not for families.")
    for n in range(40)
]
GERMAN = "Das Lokal liegt in der Nähe des Flusses und bietet günstige Speisen an."


class TestWrongLanguage(RuleContract):
    name = "wrong-language"
    fires = {
        "than nearly all": (
            [*HOUSES, pair("name[The Mill]", GERMAN), pair("name[The Mill]", "这家餐厅位于河边，价格便宜。")],
            {41, 42},
        ),
        "than the question": (
            [pair("Wo liegt das Lokal, und was kostet es dort?", "It is near the river, and not for all.")],
            {1},
        ),
    }
    silent = {
        "a translation": [*HOUSES, pair("Translate to German: The pub is near the river.", GERMAN)],
        "said in a word": [
            *HOUSES,
            pair("Sum up the ruling. Say this using Spanish.", "El Tribunal Superior de la ciudad no lo acepta."),
        ],
        "World War II is no German": [
            *HOUSES,
            pair("When did World War II end?", "World War II ended on wikipedia('War')."),
        ],
        "a name": [*HOUSES, pair("Which opera is it?", "La Traviata, o Il Trovatore")],
        "two tasks": [
            pair(f"q {n}", GERMAN if n % 2 else "It is near the river, and it is not for all.") for n in range(40)
        ],
        "a greeting in Latin letters among Chinese": [
            *[pair(f"你好 {n}", f"您好，我是一个人工智能助手，可以帮助您完成任务 {n}。") for n in range(30)],
            pair("hi", "Hello! I am an assistant, and I can help you with it."),
        ],
    }


class TestLanguageMix(RuleContract):
    name = "language-mix"
    fires = {
        "a sentence more": ([*HOUSES, pair("name[The Mill]", f"The Mill is a pub near the river. {GERMAN}")], {41}),
        "behind a few words": (
            [
                *HOUSES,
                pair("Is it open to the public?", f"It is, and cheap. {GERMAN}"),
                pair("q", f"To the river: {GERMAN}"),
            ],
            {41, 42},
        ),
        "of a language that has no list": (
            [*HOUSES, pair("Where is it?", "It is near the river. Ní féidir liom cabhrú leat inniu, brón.")],
            {41},
        ),
        "more of it than of the rest": (
            [*HOUSES, pair("Where?", "By the river. Ресторан находится у самой реки.")],
            {41},
        ),
        "a word of another script": ([*HOUSES, pair("name[The Mill]", "The Mill is a 餐厅 near the river.")], {41}),
    }
    silent = {
        "loan words": [*HOUSES, pair("Where?", "The café is near the river, a déjà vu for the fiancée.")],
        "in brackets": [*HOUSES, pair("name", "The word is (餐厅), and it is said near the river.")],
        "asked for": [*HOUSES, pair("What is 餐厅?", "The word 餐厅 is that for a place to eat.")],
        "a translation": [
            *HOUSES,
            pair("Translate to German and explain.", f"It is this. {GERMAN} That is what it is."),
        ],
        "Latin words in Chinese": [*HOUSES, pair("你好", "您好，我可以用 Python 写代码，也可以用 PyTorch。")],
        "letters of formulas": [*HOUSES, pair("q", "The angle is α, and the sum of it is Σ of all.")],
    }
