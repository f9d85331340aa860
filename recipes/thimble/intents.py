"""Customer utterances and what they mean: the factor grammar (objects x issues) and the standalone intents.

``Intent.say`` gives an utterance; ``Intent.label`` one of its many names, in the style an episode chose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from lexicon import WORDS, World

STYLES = ["snake", "snake", "snake", "snake", "lower", "lower", "title", "kebab", "camel", "upper"]


def styled(name: str, style: str) -> str:
    """A label name in snake_case, lower case, Title Case, kebab-case, CamelCase or UPPER_CASE."""
    words = name.split()
    return {
        "snake": "_".join(words),
        "lower": name,
        "title": name.title(),
        "kebab": "-".join(words),
        "camel": "".join(word.capitalize() for word in words),
        "upper": "_".join(words).upper(),
    }[style]


@dataclass(frozen=True)
class Intent:
    """One meaning: its names, its phrasings, and the object it is about (none for a standalone intent)."""

    key: str
    names: tuple[str, ...]
    phrasings: tuple[str, ...]
    forms: tuple[str, ...] = ()
    domain: str = ""

    def say(self, world: World, noise: float = 0.5) -> str:
        """An utterance of it: politeness, case, punctuation and typing slips vary."""
        given = {"o": world.rng.choice(self.forms)} if self.forms else {}
        text = world.fill(world.rng.choice(self.phrasings), **given).text
        question = bool(
            re.match(r"(how|what|where|when|why|which|who|can|could|is|are|am|do|does|will|may|should|would)\b", text)
        )
        if world.chance(0.2 * noise * 2):
            text = world.rng.choice(manners()["openers"]) + " " + text
        if world.chance(0.15 * noise * 2):
            closer = world.rng.choice(manners()["closers"])
            text += closer if closer.startswith(",") else f" {closer}"
            question = question and not text.endswith("?")
        if world.chance(0.16 * noise):
            text = world.typo(text)
        if world.chance(0.55):
            text = re.sub(r"\bi\b", "I", text)
            text = text[:1].upper() + text[1:]
        if world.chance(0.6) and text[-1] not in "?.!":
            text += "?" if question else world.rng.choice([".", ".", "!", ""])
        return text

    def label(self, world: World, style: str) -> str:
        return styled(world.rng.choice(self.names), style)


def blocks(file: str) -> list[tuple[str, list[str]]]:
    """Headlines with their indented lines."""
    found: list[tuple[str, list[str]]] = []
    for line in (WORDS / file).read_text("utf-8").splitlines():
        if line.startswith("  "):
            found[-1][1].append(line.strip().replace("\\n", "\n"))
        elif line and not line.startswith("#"):
            found.append((line.strip(), []))
    return found


@cache
def manners() -> dict[str, list[str]]:
    return dict(blocks("manners.txt"))


@cache
def intents() -> tuple[Intent, ...]:
    """All intents, in a fixed order."""
    found = []
    issues = []
    for head, phrasings in blocks("issues.txt"):
        names, _, groups = head.partition("@")
        issues.append(([name.strip() for name in names.split("/")], set(groups.split()), tuple(phrasings)))
    for line in (WORDS / "objects.txt").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, groups = line.partition("@")
        name, _, forms = head.partition(":")
        name, forms = name.strip(), tuple(form.strip() for form in forms.split(","))
        for issue_names, issue_groups, phrasings in issues:
            if issue_groups & set(groups.split()):
                names = tuple(variant for issue in issue_names for variant in (f"{name} {issue}", f"{issue} {name}"))
                found.append(Intent(f"{name}/{issue_names[0]}", names, phrasings, forms, name))
    for head, phrasings in blocks("standalone.txt"):
        names = tuple(part.strip() for part in head.split("/"))
        found.append(Intent(names[0], names, tuple(phrasings), (), names[0]))
    return tuple(found)
