"""The bundled examples: small data sets with a recipe each, so that the first result needs no file and no network."""

from __future__ import annotations

from pathlib import Path

from tailor.errors import ConfigError, did_you_mean

HERE = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Names of the examples, in alphabetical order."""
    return tuple(sorted(recipe.parent.name for recipe in HERE.glob("*/recipe.toml")))


def path(name: str) -> Path:
    """The folder of the example `name`: data, `recipe.toml`, README. Raises ConfigError where there is none."""
    if name not in names():
        raise ConfigError(f"there is no bundled example called {name!r}", fix=did_you_mean(name, names()))
    return HERE / name
