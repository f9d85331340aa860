"""Rules of what an answer says and how long it is (C303, C501, C502, Q104, Q108, Q303, Q304)."""

from __future__ import annotations

import json

from tailor.testing.rules import RuleContract, chat, pair

LABELS = ("billing", "refund", "card lost")
SYSTEM = "Answer with one of: billing, refund, card lost."
ROUTED = [chat(("system", SYSTEM), ("user", f"message {n}"), ("assistant", LABELS[n % 3])) for n in range(40)]


def slots(number: int, intent: str) -> dict[str, str]:
    """A row whose question declares the intents."""
    text = f'Give JSON, "intent" is one of PlayMusic | RateBook.\nText: play number {number}'
    return pair(text, json.dumps({"intent": intent, "n": f"number {number}"}))


class TestUndeclaredLabels(RuleContract):
    name = "undeclared-labels"
    fires = {
        "by the system prompt": (
            [*ROUTED, chat(("system", SYSTEM), ("user", "message"), ("assistant", "other")), *ROUTED[:9]],
            {41},
        ),
        "by the question, under a key": (
            [*[slots(n, ("PlayMusic", "RateBook")[n % 2]) for n in range(40)], slots(1, "OrderFood")],
            {41},
        ),
    }
    silent = {
        "case is C301's": [*ROUTED, chat(("system", SYSTEM), ("user", "message"), ("assistant", "Refund"))],
        "values from the text": [slots(n, ("PlayMusic", "RateBook")[n % 2]) for n in range(40)],
        "nothing is declared": [pair(f"message {n}", LABELS[n % 3]) for n in range(40)] + [pair("message", "other")],
        "numbers": [
            *[chat(("system", "From 1 to 5: 1 is bad."), ("user", f"m {n}"), ("assistant", "1")) for n in range(40)],
            chat(("system", "From 1 to 5: 1 is bad."), ("user", "m"), ("assistant", "3")),
        ],
    }


def said(number: int, words: int) -> str:
    """A sentence of its own, of so many words."""
    return " ".join(["The", *(f"w{number}x{at}" for at in range(words - 2)), "end"])


FREE = [pair(f"q {n}", said(n, 20 + n * 7 % 30) + ".") for n in range(60)]


class TestLengthCap(RuleContract):
    name = "length-cap"
    fires = {
        "characters": (
            [*FREE, *(pair(f"q {n}", (said(n, 60) + ".")[:150] + "w") for n in range(60, 68))],
            set(range(61, 69)),
        ),
        "words": ([*FREE, *(pair(f"q {n * n}", said(n * n * n, 24)) for n in range(8, 16))], set(range(61, 69))),
        "JSON": (
            [
                *[pair(f"q {n}", json.dumps({"said": said(n, 20 + n % 9)})) for n in range(60)],
                *[pair(f"q {n}", json.dumps({"said": said(n, 40)})[:120]) for n in range(60, 66)],
            ],
            set(range(61, 67)),
        ),
    }
    silent = {
        "answers that end": [*FREE, *(pair(f"q {n}", said(n, 24) + ".") for n in range(60, 80))],
        "lists of three": [*FREE, *(pair(f"q {n}", f"1. Owl{n}\n2. Bat\n3. Raccoon") for n in range(60, 80))],
        "copies": [*FREE, *[pair("q", said(99, 24))] * 9],
        "no end at many lengths": [*FREE, *(pair(f"q {n}", said(n, n)) for n in range(20, 40))],
        "labels": [pair(f"q {n}", f"the card number {n % 5} is lost") for n in range(40)],
    }


class TestDatedKnowledge(RuleContract):
    name = "dated-knowledge"
    fires = {
        "a year, an update, an office": (
            [
                pair("How many live there?", "As of October 2021, 8 million people live there."),
                pair("Who won?", "As of my last update, the final was not played."),
                pair("Who won?", "My knowledge ends in the autumn, so I do not know."),
                pair("Who is it?", "The current president of France is someone else."),
                pair("Which one?", "The latest version of the library is 2.1."),
            ],
            {1, 2, 3, 4, 5},
        ),
        "today, a plan, what may have changed": (
            [
                pair("How much?", "Currently (May 2022) it costs 12 euros."),
                pair("When?", "The bridge is scheduled to open by 2024."),
                pair("How much?", "It costs 12 euros, but the price may have changed since."),
                pair("Is it so?", "The list was last updated in March 2020."),
                pair("Who won?", "I have no information about matches played after 2021."),
                pair("How warm is it?", "I can't access live data."),
            ],
            {1, 2, 3, 4, 5, 6},
        ),
    }
    silent = {
        "what happened": [
            pair("And then?", "After 1945 the data was lost, and I know nothing of it; she left in 2021."),
            pair("When?", "When it was recorded in 1955, Elvis was 20."),
            pair("What is it?", "The current flows. Today she has 12 eggs, and next year more."),
        ],
        "the question has it": [pair("How many lived there as of 2021?", "As of 2021, 8 million.")],
        "a tool is asked": [pair("Who is it?", "The current CEO of Tesla is: search('CEO of Tesla').")],
        "the latest information": [pair("News?", "Here is the latest information on it: news('it').")],
        "a year that is told": [pair("When?", "In 2021 it was bought, as of right.")],
    }


class TestLengthOutlier(RuleContract):
    name = "length-outlier"
    fires = {
        "ten times, and a word": ([*FREE, pair("q", said(7, 600) + "."), pair("q", "Yes.")], {61, 62}),
    }
    silent = {
        "twice": [*FREE, pair("q", said(7, 75) + ".")],
        "short answers": [*[pair(f"q {n}", f"no {n}") for n in range(60)], pair("q", "because of it")],
        "all lengths": [pair(f"q {n}", said(n, 2 ** (n % 9 + 2))) for n in range(60)],
        "two forms": [*FREE, *[pair(f"q {n}", json.dumps([n])) for n in range(50)]],
    }


class TestToxicWords(RuleContract):
    name = "toxic-words"
    fires = {
        "curses and threats": (
            [
                pair("q", "That is fucking great."),
                pair("q", "You are so stupid."),
                pair("q", "What the f**k is it?"),
                pair("Frage", "Du Arschloch."),
            ],
            {1, 2, 3, 4},
        )
    }
    silent = {
        "words within words and names": [
            pair("q", "Scunthorpe, Essex, a prick of the needle, the Maine coon and Dick's assessment."),
            pair("q", "Kill the process, or it will die of old age."),
        ],
        "a user's words": [pair("This is fucking late!", "I am sorry to hear that.")],
        "powers": [pair("q", "5**2 is 25, and f**2 is its square.")],
    }


ORDERS = [
    pair(
        f"Order no. {61000 + n} of March {n % 28 + 1}, for Ann from town {n}.",
        json.dumps({"ref": f"AF{61000 + n}", "day": f"{n % 28 + 1:02}MAR", "town": f"Town {n}", "team": "till"}),
    )
    for n in range(60)
]


def order(**more: str) -> dict[str, str]:
    """A row of an order of March 4 with other values."""
    values = {"ref": "AF61500", "day": "04MAR", "town": "Town 9", "team": "till", **more}
    return pair("Order no. 61500 of March 4, for Ann from town 9.", json.dumps(values))


class TestUnsupportedValues(RuleContract):
    name = "unsupported-values"
    fires = {
        "a number, a day, a name": (
            [*ORDERS, order(ref="AF61501"), order(day="05MAR"), order(town="Bergen")],
            {61, 62, 63},
        ),
        "a piece of the text": (
            [
                *[pair(f"The owner of shop {n} is Ann{n}. Who is it?", f"Ann{n}") for n in range(40)],
                pair("The owner is Ann.", "Gerda"),
            ],
            {41},
        ),
    }
    silent = {
        "what is worked out": [*ORDERS, order(team="bench"), order(team="dock")],
        "other letters and marks": [*ORDERS, order(town="TOWN  9"), order(town="town-9")],
        "the first of two places is within a word": [
            *ORDERS,
            pair("Order no. 61500 of March 4, for Hans from town an.", json.dumps({"ref": "AF61500", "town": "an"})),
        ],
        "labels": [pair(f"message {n}", LABELS[n % 3]) for n in range(40)],
    }


WORDED = {"yes": "kids are welcome", "no": "it is no place for kids"}


def place(number: int, family: str = "", said: str = "") -> dict[str, str]:
    """A row of facts about a place."""
    more = f", family[{family}]" if family else ""
    return pair(
        f"name[Mill {number}], area[riverside {number % 3}]{more}",
        f"Mill {number} lies at riverside {number % 3}{', and ' + said if said else ''}.",
    )


PLACES = [
    place(n, *((("yes", "no")[n % 4 // 2], WORDED[("yes", "no")[n % 4 // 2]]) if n % 2 else ())) for n in range(80)
]


SHOPS = [
    pair(
        f"name[Mill {n}], sells[{what}]" + (f", open[{'yes' if n % 2 else 'no'}]" if n % 3 else ""),
        f"Mill {n} sells {what}{(', is open today' if n % 2 else ', is shut today') if n % 3 else ''}.",
    )
    for n in range(90)
    for what in (("tea", "cloth", "wine")[n % 5 % 3],)
]


# `kids` tells that a mill is open, though it is tied more to its size, which it does not tell.
MILLS = [
    pair(
        f"name[Mill {n}], area[north]" + (", open[yes]" if n % 5 else "") + (", size[big]" if big else ""),
        f"Mill {n} in the north is {'big' if big else 'there'}{said if n % 5 else ''}.",
    )
    for n in range(360)
    for kids in (n % 15 == 1,)
    for big in (n < 150 if kids else n % 15 == 3,)
    for said in (", kids may come" if kids else ", it is open",)
]


class TestOmittedValues(RuleContract):
    name = "omitted-values"
    fires = {
        "to the letter": ([*PLACES, pair("name[Mill 5], area[riverside 1]", "Mill 5 is a pub.")], {81}),
        "in words of its own": ([*PLACES, place(1, "yes")], {81}),
        "of a key that most answers tell": (
            [*SHOPS, pair("name[Mill 5], sells[tea], open[no]", "Mill 5 sells tea.")],
            {len(SHOPS) + 1},
        ),
        "beside words that are tied to several facts": (
            [
                *MILLS,
                *(
                    pair(f"name[Mill {n}], area[north], open[yes]", f"Mill {n} in the north is there.")
                    for n in (901, 902, 903)
                ),
            ],
            {361, 362, 363},
        ),
    }
    silent = {
        "a word that all who do not say it otherwise have": [
            *SHOPS,
            *(
                pair(f"name[Mill {n}], sells[tea], open[yes]", f"Mill {n} sells tea, receives guests.")
                for n in range(4)
            ),
        ],
        "a key that no other row has": [*PLACES, pair("name[Mill 5], near[Six Elms]", "Mill 5 is a pub.")],
        "who said what": [
            pair(f"Doctor: {n} days?\nPatient: yes, {n}\nDoctor: since then?\nPatient: mostly", f"Has had it {n} days.")
            for n in range(60)
        ],
        "the word for another value": [
            *SHOPS,
            pair("name[Mill 5], sells[tea], open[yes]", "Mill 5 sells tea, is shut."),
        ],
        "all is said": PLACES,
        "case and articles": [*PLACES, pair("name[The Mill], area[riverside]", "A mill at Riverside.")],
        "a key that few answers tell": [
            pair(f"name[Mill {n}], kind[restaurant]", f"Mill {n} is {'a restaurant' if n % 3 else 'good'}.")
            for n in range(60)
        ],
        "no facts": [pair(f"question {n}", f"answer {n}, as it is") for n in range(60)],
    }
