"""Everyday documents: letters, tickets, contracts, catalogues, lists, sums, dates, and passages with questions."""

from __future__ import annotations

from documents import FREE, PLAIN, SURE, Doc
from episodes import joined, start, value, word
from intents import blocks, intents
from lexicon import World, lists
from shots import Pair, render

PASSAGE = 0.15  # what a passage says is made up, but its wording is not
MAKERS = {
    "colour": "colour",
    "opening time": "time",
    "departure time": "time",
    "time": "time",
    "budget": "price",
    "price": "price",
    "balance": "price",
    "deadline": "date",
    "date": "date",
    "code": "code",
    "city": "city",
    "town": "town",
    "harbour": "town",
    "item": "noun",
    "animal": "animal",
    "subject": "noun",
    "platform": "n",
    "year": "year",
    "weight": "n",
    "main ingredient": "fruit",
    "room": "roomname",
}


def fact_value(world: World, attribute: str) -> str:
    """A value of an attribute; people are the rest."""
    if attribute.startswith("number"):
        return world.digits(int(attribute[-1]))
    maker = MAKERS.get(attribute)
    return world.slot(maker) if maker else world.any(world.of("first"), world.rare_name(), world.person())


def facts(world: World, d: float) -> list[tuple[str, str, str]]:
    """(entity, attribute, value) triples about a few made-up things; distractors share attributes."""
    found = []
    kinds = world.rng.sample(list(lists("entities.txt")), world.rng.randint(1, 1 + int(2.5 * d)))
    for kind in kinds:
        for _ in range(world.any(1, 1, 2) if d > 0.4 else 1):
            entity = (
                f"{kind} {world.any(world.made_up(), world.made_up(), world.of('first'), world.of('colour').title())}"
            )
            attributes = lists("entities.txt")[kind]
            for attribute in world.rng.sample(attributes, min(len(attributes), world.rng.randint(1, 2 + int(3 * d)))):
                found.append((entity, attribute, fact_value(world, attribute)))
    return found


def passage_questions(world: World, d: float, answerable: float = 0.88) -> Doc:
    """A passage of made-up facts, then questions; some have no answer in it."""
    known = facts(world, d)
    told = known[:]
    if world.chance(0.5):
        world.rng.shuffle(told)
    lines = []
    for entity, attribute, val in told:
        name = attribute.split(":")[0]
        lines.append(
            world.any(
                f"The {name} of {entity} is {val}.",
                f"{val} is the {name} of {entity}.",
                f"{entity[0].upper() + entity[1:]} has {val} as its {name}.",
                f"For {entity}, the {name} is {val}.",
                f"The {entity} has the {name} {val}.",
                f"As {name} of {entity} we wrote down {val}.",
            )
        )
        if world.chance(0.25 * d):
            lines.append(intents()[world.rng.randrange(len(intents()))].say(world, 0.1).rstrip(".?!") + ".")
    opening = world.any("", "Passage: ", "Text: ", "Read this.\n", "Context: ")
    doc = start().add("<|user|>").add(opening).add(" ".join(lines), PASSAGE)
    questions = []
    for _ in range(world.rng.randint(1, 2 + int(3 * d))):
        entity, attribute, val = world.rng.choice(known)
        if not world.chance(answerable):
            attribute = world.rng.choice(["owner", "price", "colour", "date", "code", "town", "keeper", "leader"])
            val = next((v for e, a, v in known if (e, a) == (entity, attribute)), "not stated")
        name = attribute.split(":")[0]
        questions.append(
            (
                world.any(
                    f"What is the {name} of {entity}?",
                    f"{entity}: {name}?",
                    f"Which {name} does {entity} have?",
                    f"Tell me the {name} of {entity}.",
                    f"What {name} is given for {entity}?",
                ),
                val,
            )
        )
    plain = world.chance(0.25)
    if plain:
        doc.pieces[1] = ("", 0.0)
        for ask, val in questions:
            doc.add("\nQuestion: ").add(ask, PASSAGE).add("\nAnswer: ").sure(val)
        return doc.sure("\n")
    if world.chance(0.6):
        doc.add(world.any("\n", "\n\n", " ", "\nQuestion: ")).add(questions[0][0], PASSAGE).add(
            "<|end|><|assistant|>"
        ).sure(questions[0][1] + "<|end|>")
        questions = questions[1:]
    else:
        doc.add("<|end|>")
    for ask, val in questions:
        doc.turn("user", ask, PASSAGE).turn("assistant", val, SURE)
    return doc


def no_passage(world: World, d: float) -> Doc:
    """A question on something never introduced: the honest answer."""
    entity, attribute, _ = facts(world, 0)[0]
    return (
        start()
        .turn("user", f"What is the {attribute.split(':')[0]} of {entity}?", PASSAGE)
        .turn("assistant", "not stated", SURE)
    )


def arithmetic(world: World, d: float) -> Doc:
    """Sums and differences up to two digits, small products, comparisons, ordering; several in a row."""
    pairs = []
    plain = world.chance(0.5)
    for _ in range(world.rng.randint(1 if plain else 3, 6 + int(6 * d))):
        top = 9 if world.chance(0.35 - 0.25 * d) else 99
        a, b = world.rng.randint(0, top), world.rng.randint(0, top)
        kind = world.any("+", "+", "+", "+", "-", "-", "-", "*", "max", "sort", "next")
        if kind == "+":
            ask, answer = world.any(f"{a} + {b}", f"{a}+{b}", f"What is {a} plus {b}?", f"add {a} and {b}"), a + b
        elif kind == "-":
            a, b = max(a, b), min(a, b)
            ask, answer = world.any(f"{a} - {b}", f"{a}-{b}", f"What is {a} minus {b}?"), a - b
        elif kind == "*":
            a, b = a % 10, b % 10
            ask, answer = world.any(f"{a} * {b}", f"{a} times {b}"), a * b
        elif kind == "max":
            ask, answer = f"larger of {a} and {b}", max(a, b)
        elif kind == "next":
            ask, answer = f"number after {a}", a + 1
        else:
            three = [a, b, world.rng.randint(0, top)]
            ask, answer = f"sort {three[0]}, {three[1]}, {three[2]}", ", ".join(map(str, sorted(three)))
        pairs.append(Pair(ask, str(answer), SURE, FREE))
    return joined(render(world, pairs, "", world.any("plain", "chat") if plain else ""))


def dates(world: World, d: float) -> Doc:
    """Dates rewritten, weekdays and months counted on."""
    months, days = lists("classes.txt")["month"], lists("classes.txt")["weekday"]
    kind = world.any("iso", "iso", "us", "weekday", "month", "year")
    told = {
        "iso": "Write the date as YYYY-MM-DD.",
        "us": "Write the date as Month D, YYYY.",
        "weekday": "Which day is it?",
        "month": "Which month comes next?",
        "year": "Give the year.",
    }[kind]
    pairs = []
    for _ in range(world.rng.randint(2, 4 + int(4 * d))):
        day, month, year = world.rng.randint(1, 28), world.rng.randint(1, 12), world.rng.randint(1990, 2029)
        written = world.any(
            f"{day} {months[month - 1]} {year}", f"{months[month - 1]} {day}, {year}", f"{day}/{month}/{year}"
        )
        if kind == "weekday":
            first, on = world.rng.randrange(7), world.rng.randint(1, 6)
            given, wanted = f"{on} days after {days[first]}", days[(first + on) % 7]
        elif kind == "month":
            given, wanted = months[month - 1], months[month % 12]
        else:
            given = written
            wanted = {
                "iso": f"{year}-{month:02d}-{day:02d}",
                "us": f"{months[month - 1]} {day}, {year}",
                "year": str(year),
            }[kind]
        pairs.append(Pair(given, wanted, SURE, FREE))
    return joined(render(world, pairs, told if world.chance(0.7) else ""))


def everyday(world: World, d: float) -> Doc:
    """A letter, ticket, contract, catalogue, story, calendar or FAQ of the small world."""
    lines = dict(blocks("lines.txt"))
    kind = world.rng.choice(list(lines))
    doc = start()
    polite = world.chance(0.5)
    name = world.person()
    if kind == "letter":
        doc.add(f"{'Dear' if polite else 'Hi'} ").free(name).add(",\n\n")
    elif kind in ("contract", "ticket", "calendar", "catalogue"):
        doc.add(f"{kind.title()} ").free(world.code()).add("\n")
    for at in range(world.rng.randint(2, 4 + int(5 * d))):
        filled = world.fill(world.rng.choice(lines[kind]))
        number = f"{at + 1}. " if kind == "contract" else ("- " if kind == "catalogue" else "")
        doc.add(number + filled.text + (" " if kind in ("letter", "story") else "\n"), 0.3)
    if kind == "letter":
        doc.add("\n\n" + ("Yours sincerely,\n" if polite else world.any("Best,\n", "Cheers,\n", "Thanks,\n"))).free(
            world.person()
        )
    return doc


def dialogue(world: World, d: float) -> Doc:
    """A customer and an agent, in a polite or a curt register; the answer takes up the customer's topic."""
    intent = world.rng.choice(intents())
    register = world.any("polite", "curt")
    doc = start()
    if world.chance(0.5):
        doc.turn("system", world.any(f"You are a {register} assistant.", f"Answer in a {register} tone."), PLAIN)
    topic = world.rng.choice(intent.names)
    reply = {
        "polite": world.any(
            f"Thank you for your message. I am sorry about the trouble. I will look into it: {topic}.",
            f"Of course, I am happy to help you with this: {topic}.",
        ),
        "curt": world.any(f"Noted: {topic}.", f"{topic}. Done."),
    }[register]
    return doc.turn("user", intent.say(world), 0.3).turn("assistant", reply, 0.5)


def listing(world: World, d: float) -> Doc:
    """Lists: counted, sorted, the n-th item, membership."""
    items = list(dict.fromkeys(word(world) for _ in range(world.rng.randint(3, min(9, 4 + int(5 * d))))))
    doc = start().add("<|user|>").free(", ".join(items)).add("<|end|>")
    for _ in range(world.rng.randint(1, 3)):
        at = world.rng.randrange(len(items))
        ordinal = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"][at]
        stranger = value(world, 0)
        ask, answer = world.any(
            ("How many items?", str(len(items))),
            (f"What is the {ordinal} item?", items[at]),
            ("Last item?", items[-1]),
            ("Sort the list.", ", ".join(sorted(items))),
            (f"Is {items[at]} in the list?", "yes"),
            (f"Is {stranger} in the list?", "yes" if stranger in items else "no"),
            (f"What comes after {items[at]}?", items[at + 1] if at + 1 < len(items) else "nothing"),
            ("Number the list.", "\n".join(f"{i + 1}. {x}" for i, x in enumerate(items))),
        )
        doc.turn("user", ask, PASSAGE).turn("assistant", answer, SURE)
    return doc
