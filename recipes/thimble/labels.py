"""Customer messages and their labels: named outright, picked from a list, learned from shots; and paraphrases."""

from __future__ import annotations

from documents import FREE, PLAIN, SURE, Doc
from episodes import codes, joined, start
from intents import STYLES, Intent, intents
from lexicon import World
from shots import Pair, render


def choose_intents(world: World, count: int, near: float = 0.5) -> list[Intent]:
    """Distinct intents, often of one object or one issue, so that both halves of the meaning must be read."""
    pool = list(intents())
    if world.chance(near):
        seed = world.rng.choice(pool)
        part = world.rng.randrange(2)
        close = (
            [one for one in pool if one.key.split("/")[part:][:1] == seed.key.split("/")[part:][:1]]
            if "/" in seed.key
            else pool
        )
        pool = close if len(close) >= count else pool
    return world.rng.sample(pool, count)


def label_direct(world: World, d: float) -> Doc:
    """Utterances with the name of their intent, nothing else to go by."""
    style = world.rng.choice(STYLES)
    pairs = []
    for intent in choose_intents(world, world.rng.randint(1, 4 + int(5 * d)), 0.2):
        pairs.append(Pair(intent.say(world), intent.label(world, style), 0.7, PLAIN))
    return joined(
        render(
            world, pairs, world.any("", "", "What does the customer want?", "Name the intent.", "Label the message.")
        )
    )


def label_listed(world: World, d: float) -> Doc:
    """Labels listed in the prompt under names chosen for this episode; the right one must be picked."""
    chosen = choose_intents(world, world.rng.randint(2, 4 + int(8 * d)))
    style = world.rng.choice(STYLES)
    names = [intent.label(world, style) for intent in chosen]
    between = world.any(", ", "\n", " | ", "; ", "\n- ")
    listing = world.any(
        "Labels: ",
        "Choose one of: ",
        "Pick the intent from this list: ",
        "Answer with only the label. Labels: ",
        "Intents:\n",
        "Classes: ",
    ) + between.join(names)
    turns = [world.rng.randrange(len(chosen)) for _ in range(world.rng.randint(1, 2 + int(4 * d)))]
    pairs = [Pair(chosen[at].say(world), names[at], SURE, PLAIN) for at in turns]
    if world.chance(0.35):
        doc = (
            start()
            .add("<|user|>")
            .add(world.any("Classify: ", "Message: ", "", "Customer says: "))
            .add(pairs[0].given)
            .add("\n" + listing)
        )
        return doc.add("<|end|><|assistant|>").sure(pairs[0].wanted + "<|end|>")
    return joined(render(world, pairs, listing, world.any("chat", "system", "prompt", "plain")))


def label_shots(world: World, d: float) -> Doc:
    """Utterances of a few intents, informative or made-up names, learned from the shots."""
    count = world.rng.randint(2, 2 + int(4 * d))
    chosen = choose_intents(world, count, 0.3)
    style = world.rng.choice(STYLES)
    made_up = world.chance(0.5)
    names = codes(world, count) if made_up else [intent.label(world, style) for intent in chosen]
    pairs, seen = [], set()
    for _ in range(world.rng.randint(count + 1, 5 + int(9 * d))):
        at = world.rng.randrange(count)
        pairs.append(
            Pair(
                chosen[at].say(world, 0.4), names[at], SURE if at in seen else (FREE if made_up else PLAIN), PLAIN * 0.5
            )
        )
        seen.add(at)
    form = "" if pairs[-1].weight == SURE else "chat"
    return joined(render(world, pairs, world.any("", "", "Label the message like the examples."), form))


def paraphrase(world: World, d: float) -> Doc:
    """Do two messages mean the same, and say it in other words."""
    one, other = choose_intents(world, 2, 0.8)
    pairs = []
    for _ in range(world.rng.randint(1, 2 + int(3 * d))):
        same = world.chance(0.5)
        pairs.append(
            Pair(
                f"1: {one.say(world)}\n2: {(one if same else other).say(world)}",
                "yes" if same else "no",
                SURE,
                PLAIN * 0.6,
            )
        )
    if world.chance(0.7):
        return joined(
            render(
                world, pairs, world.any("Same meaning?", "Do the two messages want the same thing? Answer yes or no.")
            )
        )
    first = one.say(world)
    return (
        start()
        .turn("user", world.any("Say it in other words: ", "Rewrite: ", "Paraphrase: ") + first)
        .turn("assistant", one.say(world, 0.1), 0.6)
    )
