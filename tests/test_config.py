"""Settings: what is laid over what, what a mistake is told, and that a saved recipe is the same config."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailor.config import DataConfig, RunConfig, resolve, to_toml
from tailor.errors import ConfigError


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "fit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_the_recipe_and_the_recipe_over_defaults(tmp_path: Path) -> None:
    path = recipe(tmp_path, "[optim]\nepochs = 3\nbatch_size = 4\n")
    config = resolve(path, {"optim.epochs": 5, "run.seed": 7, "model.name": None})
    assert (config.optim.epochs, config.optim.batch_size, config.run.seed) == (5, 4, 7)
    assert config.model.name == RunConfig().model.name


def test_paths_of_a_recipe_are_relative_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").touch()
    path = recipe(
        tmp_path,
        '[data]\ntrain = ["a.jsonl:0.5", "/abs/b.jsonl"]\n[eval]\ninstructions = "@rules.md"\nschema_file = "s.json"\n'
        '[model]\nname = "model"\n',
    )
    config = resolve(path)
    assert config.data.train == (f"{tmp_path}/a.jsonl:0.5", "/abs/b.jsonl")
    assert config.eval.instructions == f"@{tmp_path}/rules.md"
    assert config.eval.schema_file == f"{tmp_path}/s.json"
    assert config.model.name == f"{tmp_path}/model"
    assert resolve(recipe(tmp_path, '[model]\nname = "thimble"\n')).model.name == "thimble"


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("[optm]\nepochs = 1", "unknown setting 'optm'", "did you mean 'optim'?"),
        ("[optim]\nepoch = 1", "unknown setting 'optim.epoch'", "did you mean 'epochs'?"),
        ("[data]\nzzz = 1", "unknown setting 'data.zzz'", "known: format, group"),
        ('[optim]\nepochs = "many"', "optim.epochs = 'many'", ""),
        ('[adapter]\ntype = "lorra"', "adapter.type = 'lorra'", "'lora'"),
        ("[optim]\nepochs = ", "not valid TOML", ""),
    ],
)
def test_a_mistake_in_a_recipe_is_named_with_its_remedy(tmp_path: Path, text: str, what: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(recipe(tmp_path, text))
    assert what in str(caught.value) and fix in str(caught.value)
    assert str(tmp_path / "fit.toml") in caught.value.where


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"optim\.learning_rate.*optim\.epoch'"):
        resolve(None, {"optim.epoch": 1, "optim.learning_rate": -1})


def test_a_mistake_in_a_flag_is_not_blamed_on_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(recipe(tmp_path, "[optim]\nepochs = 1\n"), {"adapter.type": "lorra"})
    assert caught.value.where == ""


@given(
    st.text(max_size=20),
    st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=3),
    st.lists(st.text(min_size=1, max_size=8), max_size=3),
)
def test_a_config_survives_its_toml(
    tmp_path_factory: pytest.TempPathFactory, text: str, map: dict[str, str], files: list[str]
) -> None:
    train = tuple(str(Path(f"/{name}")) for name in files)
    config = RunConfig(data=DataConfig(system=text or None, map=map, train=train))
    path = tmp_path_factory.mktemp("toml") / "recipe.toml"
    path.write_bytes(to_toml(config).encode())
    assert resolve(path) == config
