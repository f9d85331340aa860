"""Episodes that teach the use of context: copying, lookups, made-up mappings, transformations, labelling.

Each function takes a ``World`` and ``d``, the difficulty from 0 (short, one-token values) to 1 (long, many shots).
"""

from __future__ import annotations

from documents import BOS, FREE, SURE, Doc
from intents import intents, styled
from lexicon import World, lists
from shots import Pair, render

CLASSES = lists("groups.txt")["classes"]


def start() -> Doc:
    return Doc().add(BOS, 0.0)


def joined(doc: Doc) -> Doc:
    return Doc([(BOS, 0.0), *doc.pieces])


def word(world: World) -> str:
    return world.of(world.any("noun", "adjective", "verb", "common", *CLASSES[:28]))


def value(world: World, d: float) -> str:
    """A thing to copy: one word at first, names, codes and phrases later."""
    if world.chance(0.7 - 0.6 * d):
        return word(world)
    return world.any(
        word(world),
        world.digits(world.rng.randint(1, 5)),
        world.code(),
        world.made_up(),
        world.rare_name(),
        world.title(),
        world.date(),
        world.price(),
        world.time(),
        f"{word(world)} {word(world)}",
        world.place_name(),
        world.address(),
        world.phone(),
        world.company(),
        world.amount(),
        world.email(),
        world.town(),
    )


def repeat(world: World, d: float) -> Doc:
    """A random segment again and again: the first pass is free, every later one is certain."""
    items = [value(world, d) for _ in range(world.rng.randint(2, 6 + int(14 * d)))]
    between = world.any(" ", ", ", "\n", "; ", " | ", " / ")
    segment = between.join(items)
    ending = world.any("\n", "\n\n", ". ", " || ")
    doc = start().free(segment + ending)
    for _ in range(world.rng.randint(1, 3)):
        if world.chance(0.3 + 0.3 * d):
            doc.free(world.any("Again: ", "copy: ", f"{word(world)}: ", f"{value(world, d)}\n"))
        doc.sure(segment + ending)
    return doc


def copy_turn(world: World, d: float) -> Doc:
    """Chat turns in which a span of the message must be said again."""
    text = " ".join(value(world, d) for _ in range(world.rng.randint(1, 2 + int(7 * d))))
    if world.chance(0.4):
        text = world.rng.choice(intents()).say(world)
    ask = world.any(
        "Repeat: {}",
        "Copy this text: {}",
        "Say exactly: {}",
        'Write "{}" again.',
        "{}\n\nRepeat the line above.",
        "Please repeat after me: {}",
        "Echo: {}",
    )
    return start().turn("user", ask.format(text), FREE).turn("assistant", text, SURE)


def lookup(world: World, d: float) -> Doc:
    """Keys and values made up for the episode, then keys again: the value must be found above."""
    count = world.rng.randint(2, 4 + int(8 * d))
    keys, values = [], []
    key_kind = world.any("word", "name", "code", "made", "class")
    kind = world.rng.choice(CLASSES[:30])
    while len(keys) < count:
        key = {
            "word": word,
            "name": lambda w: w.of("first"),
            "code": lambda w: w.code(),
            "made": lambda w: w.made_up(),
            "class": lambda w: w.of(kind),
        }[key_kind](world)
        if key in keys:
            key_kind = "made"  # a small class may have no more members
        else:
            keys.append(key)
    shape = world.any("word", "code", "digits", "made", "mixed")
    for _ in keys:
        values.append(
            {
                "word": word,
                "code": lambda w: w.code(),
                "digits": lambda w: w.digits(1 + int(4 * d * w.rng.random())),
                "made": lambda w: w.made_up(1, 3),
                "mixed": lambda w: value(w, d),
            }[shape if world.chance(0.9) else "mixed"](world)
        )
    asked = [world.rng.randrange(count) for _ in range(world.rng.randint(2, 4 + int(4 * d)))]
    pairs = [Pair(key, val, FREE, FREE) for key, val in zip(keys, values, strict=True)]
    queries = [Pair(keys[at], values[at], SURE, FREE) for at in asked]
    if world.chance(0.6):
        form = world.any("plain", "chat") if len(queries) > 1 else ""
        if world.chance(0.4):
            form, queries = world.any("prompt", "system"), queries[:1]
        return joined(
            render(
                world,
                pairs + queries,
                world.any("", "", "Codes:", "Use the table.", "Answer with the code of the word."),
                form,
            )
        )
    noun = world.any("code", "number", "value", "key", "room", "seat", "word", "box")
    doc = start().add("<|user|>")
    for pair in pairs:
        doc.add(world.any(f"The {noun} of ", f"The {noun} for ")).free(pair.given).add(" is ").free(pair.wanted).add(
            ". "
        )
    doc.add("<|end|>")
    for pair in queries:
        doc.turn(
            "user",
            world.any(
                f"What is the {noun} of {pair.given}?",
                f"{noun} for {pair.given}?",
                f"Which {noun} does {pair.given} have?",
            ),
            FREE,
        )
        doc.turn("assistant", world.any(pair.wanted, pair.wanted, pair.wanted), SURE)
    return doc


def codes(world: World, count: int) -> list[str]:
    """Distinct made-up labels for one episode, all of one style."""
    make = world.any(
        lambda: world.made_up(1, 3),
        lambda: world.made_up(1, 2).lower(),
        lambda: world.code(),
        lambda: word(world),
        lambda: world.rng.choice("ABCDEFGHKLMNPQRSTXYZ"),
        lambda: world.digits(1),
        lambda: world.of("colour"),
        lambda: world.made_up(1, 2).upper(),
        lambda: f"{word(world)}_{word(world)}".replace(" ", "_"),
        lambda: world.digits(2),
    )
    found: list[str] = []
    while len(found) < count:
        label = make() if count < 8 else world.code()  # only codes are plentiful enough for many labels
        if label not in found:
            found.append(label)
    return found


def pick_classes(world: World, count: int) -> list[str]:
    return world.rng.sample(CLASSES, count)


def classify(world: World, d: float, form: str = "", count: int | None = None, shots: int | None = None) -> Doc:
    """Words of known classes get a made-up label each; after a class was seen once, its label is certain."""
    count = count or world.rng.randint(2, 2 + int(4 * d))
    names = pick_classes(world, count)
    labels = codes(world, count)
    if world.chance(0.15):
        labels = [styled(name.replace("_", " "), "lower") for name in names]
    used: set[str] = set()
    pairs: list[Pair] = []
    seen: set[int] = set()
    for _ in range(shots or world.rng.randint(count + 1, 6 + int(14 * d))):
        at = world.rng.randrange(count)
        item = world.of(names[at])
        if item in used:
            continue
        used.add(item)
        pairs.append(Pair(item, labels[at], SURE if at in seen else FREE, FREE))
        seen.add(at)
    if pairs[-1].weight != SURE and form in ("", "prompt", "system"):
        form = "plain"
    return joined(
        render(
            world, pairs, world.any("", "", "", "Label each word.", "Give the group of the word.", "Classify:"), form
        )
    )


TRANSFORMS = {
    "upper": str.upper,
    "title": str.title,
    "first": lambda t: t.split()[0],
    "last": lambda t: t.split()[-1],
    "reverse": lambda t: " ".join(reversed(t.split())),
    "snake": lambda t: t.replace(" ", "_"),
    "kebab": lambda t: t.replace(" ", "-"),
    "double": lambda t: f"{t} {t}",
    "commas": lambda t: ", ".join(t.split()),
    "initials": lambda t: "".join(part[0] for part in t.split()),
    "count": lambda t: str(len(t.split())),
    "drop_first": lambda t: " ".join(t.split()[1:]) or "-",
    "drop_last": lambda t: " ".join(t.split()[:-1]) or "-",
    "first_letter": lambda t: t[0],
    "lines": lambda t: "\n".join(f"* {part}" for part in t.split()),
    "swap_ends": lambda t: " ".join([t.split()[-1], *t.split()[1:-1], t.split()[0]]),
    "identity": lambda t: t,
    "spell": lambda t: " ".join(t.split()[0]),
}


def transform(world: World, d: float) -> Doc:
    """One string operation, often wrapped in made-up marks, to be read off the examples."""
    name = world.rng.choice(list(TRANSFORMS))
    mark = world.any("", "", "!", "?", f" {word(world)}", f"-{world.digits(2)}", "_x", f" {world.made_up()}")
    front = world.any("", "", "", f"{word(world)} ", "<", "* ", f"{world.made_up()}: ", "the ")
    least = 1 if world.chance(0.3) else 2
    length = world.rng.randint(least, max(least, 2 + int(2 * d)))
    pairs = []
    for at in range(world.rng.randint(3, 6 + int(6 * d))):
        text = " ".join(word(world).split()[0] for _ in range(length))
        pairs.append(Pair(text, front + TRANSFORMS[name](text) + mark, FREE if at == 0 else SURE, FREE))
    told = f"Operation: {name.replace('_', ' ')}" if world.chance(0.3) else ""
    return joined(render(world, pairs, told))


def relation(world: World, d: float) -> Doc:
    """Synonyms, opposites, classes: what words mean, as shots of one relation."""
    kind = world.any("synonym_pairs", "antonym_pairs", "class", "yesno", "odd", "complete")
    pairs: list[Pair] = []
    count = world.rng.randint(2, 5 + int(6 * d))
    told = ""
    if kind.endswith("pairs"):
        told = world.any(
            "",
            "Give the opposite." if kind[0] == "a" else "Give a synonym.",
            "opposite" if kind[0] == "a" else "same meaning",
        )
        for pair in world.rng.sample(lists("classes.txt")[kind], count):
            sides = pair.split("=")
            world.rng.shuffle(sides)
            pairs.append(Pair(sides[0], sides[1], SURE, FREE))
        return joined(render(world, pairs, told))
    for _ in range(count):
        name = world.rng.choice(CLASSES[:28])
        other = world.rng.choice([one for one in CLASSES[:28] if one != name])
        item, stranger = world.of(name), world.of(other)
        if kind == "class":
            pairs.append(Pair(world.any(f"What is {item}?", item), name, SURE, FREE))
        elif kind == "yesno":
            right = world.chance(0.5)
            pairs.append(Pair(f"Is {item} a kind of {name if right else other}?", "yes" if right else "no", SURE, FREE))
        elif kind == "odd":
            group = [*world.rng.sample(lists("classes.txt")[name], 3), stranger]
            world.rng.shuffle(group)
            pairs.append(Pair("Odd one out: " + ", ".join(group), stranger, SURE, FREE))
        else:
            group = world.rng.sample(lists("classes.txt").get(name, []), 3)
            pairs.append(Pair(f"{', '.join(group)} are all examples of", name, SURE, FREE))
    if kind == "class":
        told = world.any("", "Name the class of the word.")
    return joined(render(world, pairs, told))


def obey(world: World, d: float) -> Doc:
    """A system prompt that says how to answer, and answers that follow it."""
    rules = {
        "Answer in upper case.": str.upper,
        "Answer in lower case.": str.lower,
        "Repeat the message.": lambda t: t,
        "Put the answer in double quotes.": lambda t: f'"{t}"',
        "Answer with the first word of the message.": lambda t: t.split()[0],
        "Answer with the last word of the message.": lambda t: t.split()[-1],
        "Write the message with underscores.": lambda t: "_".join(t.split()),
        "Begin with OK.": lambda t: f"OK. {t}",
        'Answer as JSON with the key "text".': lambda t: f'{{"text": "{t}"}}',
        "Count the words.": lambda t: str(len(t.split())),
        "Write one word a line.": lambda t: "\n".join(t.split()),
        "Say the words in reverse order.": lambda t: " ".join(t.split()[::-1]),
    }
    made = world.made_up()
    rules[f"End every answer with {made}."] = lambda t: f"{t} {made}"
    rules[f"Start every answer with {made}:"] = lambda t: f"{made}: {t}"
    told = world.rng.choice(list(rules))
    doc = start().turn("system", told)
    for _ in range(world.rng.randint(1, 2 + int(2 * d))):
        text = " ".join(word(world) for _ in range(world.rng.randint(1, 3 + int(3 * d))))
        doc.turn("user", text, FREE).turn("assistant", rules[told](text), SURE)
    return doc
