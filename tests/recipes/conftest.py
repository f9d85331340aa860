"""Recipes are scripts, not packages: they are loaded by their path."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """`script("snips/convert.py")` is that file as a module."""

    def load(path: str) -> ModuleType:
        name = "recipe_" + path.removesuffix(".py").replace("/", "_")
        spec = importlib.util.spec_from_file_location(name, RECIPES / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load
