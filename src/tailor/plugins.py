"""A plugin is its file's name: `tailor/<kind>/<name>.py`, or an entry point of the group `tailor.<kind>`.

`load("metrics", "exact")` imports `tailor.metrics.exact`; `names("metrics")` lists what there is without importing it.
Files that begin with an underscore, and `base`, belong to the room itself and are no plugins. A name with a hyphen
stands for the file with an underscore (`exact-normalised` is `exact_normalised.py`).
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from tailor.errors import ConfigError, did_you_mean

ROOT = Path(__file__).parent


def names(kind: str) -> list[str]:
    """Names of all plugins of a kind, the shipped ones first."""
    shipped = [
        found.name.replace("_", "-")
        for found in pkgutil.iter_modules([str(ROOT.joinpath(*kind.split(".")))])
        if not found.name.startswith("_") and found.name != "base"
    ]
    others = [point.name for point in metadata.entry_points(group=f"tailor.{kind}")]
    return sorted(shipped) + sorted(set(others) - set(shipped))


def load(kind: str, name: str) -> ModuleType | Any:
    """The plugin called `name`. Raises ConfigError with the closest known name where there is none."""
    known = names(kind)
    if name not in known:
        singular = kind.rsplit(".", 1)[-1].removesuffix("s")
        raise ConfigError(f"there is no {singular} called {name!r}", fix=did_you_mean(name, known))
    for point in metadata.entry_points(group=f"tailor.{kind}"):
        if point.name == name:
            return point.load()
    return importlib.import_module(f"tailor.{kind}.{name.replace('-', '_')}")
