"""Q301 and Q302: answers in another language than they should be, or in two."""

from __future__ import annotations

import random
import re

from injectors.base import Clean, Row, decoy, edit
from injectors.wording import PROSE

GERMAN = (
    "Das ist leider nicht möglich, weil die Karte noch nicht freigeschaltet wurde.",
    "Bitte wenden Sie sich an den Kundendienst, der Ihnen gerne weiterhilft.",
    "Die Überweisung dauert in der Regel zwei bis drei Werktage.",
)
FRENCH = (
    "Le virement prend en général deux à trois jours ouvrables, selon la banque.",
    "Veuillez contacter notre service client, qui vous aidera volontiers.",
    "Malheureusement, ce restaurant ne se trouve pas au bord de la rivière.",
)
SPANISH = (
    "La transferencia suele tardar entre dos y tres días laborables.",
    "Por favor, póngase en contacto con nuestro servicio de atención al cliente.",
    "El restaurante está cerca del río y ofrece comida italiana a buen precio.",
)
OTHERS = (
    "Перевод обычно занимает два или три рабочих дня.",
    "この料理店は川の近くにあり、値段も手ごろです。",
    "转账通常需要两到三个工作日，请耐心等待。",
    "Bu restoran nehrin yakınında ve fiyatları çok uygun.",
    "De overboeking duurt meestal twee tot drie werkdagen.",
)
FOREIGN = GERMAN + FRENCH + SPANISH + OTHERS


@edit("Q301", *PROSE)
def answered_in_another_language(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = " ".join(dice.sample(dice.choice((GERMAN, FRENCH, SPANISH, OTHERS[:1] * 2)), 2))
    return row


@edit("Q301", "e2e", "mixed")
def answered_in_another_script(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(OTHERS[:3])
    return row


@decoy("Q301", "e2e", "mixed")
def names_from_elsewhere(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"{row.answer} It is called {dice.choice(['Zum Goldenen Hirsch', 'Chez Amélie', 'La Casa de Paco'])}."
    return row


@edit("Q302", *PROSE, also=("Q301",))  # of `1, 3, 7` and two German sentences the language is German
def half_in_another_language(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if row.json is not None:
        return None  # a sentence behind an object is no mix of languages
    row.answer = f"{row.answer} {' '.join(dice.sample(dice.choice((GERMAN, FRENCH, SPANISH)), 2))}"
    return row


@edit("Q302", *PROSE)
def a_foreign_sentence_in_another_script(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if row.json is not None:
        return None  # a sentence behind an object is no mix of languages
    row.answer = f"{row.answer} {dice.choice(OTHERS[:3])}"
    return row


RIGHTS = (  # articles 3, 20 and 26 of the Universal Declaration of Human Rights, as the United Nations publish them
    "Ogni individuo ha diritto alla vita, alla libertà ed alla sicurezza della propria persona.",
    "Todo o indivíduo tem direito à vida, à liberdade e à segurança pessoal.",
    "Każdy człowiek ma prawo do życia, wolności i bezpieczeństwa swej osoby.",
    "Var och en har rätt till liv, frihet och personlig säkerhet.",
    "Setiap orang berhak atas kehidupan, kebebasan dan keselamatan sebagai individu.",
    "Kullakin yksilöllä on oikeus elämään, vapauteen ja henkilökohtaiseen turvallisuuteen.",
    "Mọi người đều có quyền sống, quyền tự do và an toàn cá nhân.",
    "모든 사람은 생명과 신체의 자유와 안전에 대한 권리를 가진다.",
    "لكل فرد الحق في الحياة والحرية وسلامة شخصه.",
    "Κάθε άτομο έχει δικαίωμα στη ζωή, την ελευθερία και την προσωπική του ασφάλεια.",
    "Toda persona tiene derecho a la libertad de reunión y de asociación pacíficas.",
    "Toute personne a droit à l'éducation.",
    "Jeder hat das Recht auf Bildung.",
)
WORDS_WITHIN = ("价格", "因为", "например", "только", "もちろん", "그리고", "دائما")


@edit("Q302", *PROSE)
def a_sentence_of_the_declaration(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """Behind one of the sentences, the first one too."""
    pieces = re.split(r"(?<=[.!?])\s+", row.answer.strip())
    if len(row.answer.split()) < 5 or row.json is not None:
        return None
    pieces.insert(dice.randrange(1, len(pieces) + 1), dice.choice(RIGHTS))
    row.answer = " ".join(pieces)
    return row


@edit("Q302", *PROSE)
def a_foreign_word_slipped_in(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    words = row.answer.split(" ")
    if len(words) < 6 or row.json is not None:
        return None
    words.insert(dice.randrange(2, len(words) - 1), dice.choice(WORDS_WITHIN))
    row.answer = " ".join(words)
    return row


@decoy("Q302", *PROSE)
def borrowed_words(row: Row, dice: random.Random, clean: Clean) -> Row:
    forms = (
        "It has a certain je ne sais quoi.", "She lives near the Plaza de la Constitución in Málaga.",
        "The angle is θ = π/4.",
        'They call it "Feierabend", the end of the working day.', "Dr. Müller of the Universität Zürich agrees.",
        "The word tsunami (津波) is Japanese.", "The film is called La vita è bella.", "Bon appétit!", "Et voilà.",
    )  # fmt: skip
    row.answer = f"{row.answer} {dice.choice(forms)}"
    return row
