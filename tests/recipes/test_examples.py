"""The doorway to the bundled examples, and their recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailor import examples, plugins
from tailor.config import resolve
from tailor.errors import ConfigError

RECIPES = Path(__file__).parents[2] / "recipes"


def test_names_and_folders() -> None:
    assert examples.names() == ("passages", "tickets")
    for name in examples.names():
        files = {file.name for file in examples.path(name).iterdir()}
        assert {"README.md", "recipe.toml", "train.jsonl", "test.jsonl"} <= files


def test_a_mistyped_name_is_answered_with_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tickets'"):
        examples.path("ticket")


@pytest.mark.parametrize("name", examples.names())
def test_an_example_s_recipe_resolves_and_its_files_are_there(name: str) -> None:
    config = resolve(examples.path(name) / "recipe.toml")
    assert [Path(file).name for file in (*config.data.train, *config.data.test)] == ["train.jsonl", "test.jsonl"]
    named = [*config.data.train, *config.data.test]
    if config.eval.instructions != "auto":
        named.append(config.eval.instructions.removeprefix("@"))
    assert all(Path(file).is_file() for file in named)


@pytest.mark.parametrize("name", examples.names())
def test_what_a_readme_shows_stands_in_the_data(name: str) -> None:
    readme = (examples.path(name) / "README.md").read_text(encoding="utf-8")
    quoted = " ".join(line.removeprefix("> ") for line in readme.splitlines() if line.startswith("> "))
    data = "".join((examples.path(name) / f"{file}.jsonl").read_text(encoding="utf-8") for file in ("train", "test"))
    assert quoted
    assert quoted in data.replace("\\n", " ")


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*/recipe.toml")), ids=lambda path: path.parent.name)
def test_a_recipe_of_the_repository_resolves(recipe: Path) -> None:
    config = resolve(recipe)
    assert config.eval.metric in ("auto", *plugins.names("metrics"))
    if config.eval.instructions.startswith("@"):
        assert Path(config.eval.instructions[1:]).is_file()
