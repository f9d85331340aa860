"""Finding models, and saying why one cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tailor.errors import ModelError, ResourceError
from tailor.weights import locate as room
from tailor.weights.locate import EMBEDDED, embedded_names, locate


def test_the_embedded_model_is_found_by_its_name() -> None:
    assert locate("thimble") == EMBEDDED / "thimble"


@pytest.mark.parametrize("name", ["thimbel", "Thimble", "thimbles"])
def test_a_near_miss_is_named(name: str) -> None:
    with pytest.raises(ModelError, match="did you mean 'thimble'"):
        locate(name)


def test_a_name_like_nothing_lists_what_there_is() -> None:
    with pytest.raises(ModelError, match="embedded: thimble"):
        locate("zzz")


def folder(tmp_path: Path, *files: str) -> str:
    for file in files:
        (tmp_path / file).write_text("{}")
    return str(tmp_path)


@pytest.mark.parametrize("weights", ["model.safetensors", "model-00001-of-00002.safetensors"])
def test_a_folder_with_config_and_weights(tmp_path: Path, weights: str) -> None:
    assert locate(folder(tmp_path, "config.json", weights)) == tmp_path.resolve()


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ((), "no config.json"),
        (("model.safetensors",), "no config.json"),
        (("config.json",), "no weights"),
        (("config.json", "pytorch_model.bin"), "can run code"),
        (("adapter_config.json", "adapter_model.safetensors"), "holds an adapter"),
    ],
)
def test_folders_that_cannot_be_used_say_why(tmp_path: Path, files: tuple[str, ...], what: str) -> None:
    with pytest.raises(ModelError, match=what) as caught:
        locate(folder(tmp_path, *files))
    assert caught.value.where == str(tmp_path)
    assert caught.value.fix


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(ModelError, match="a file, not a model folder"):
        locate(str(file))


def test_an_unreachable_hub_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ResourceError, match="hub cannot be reached") as caught:
        locate("some-org/some-model", "main")
    assert caught.value.where == "some-org/some-model@main"
    assert "--model thimble" in caught.value.fix


def test_a_snapshot_brings_no_pickles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    asked: dict[str, object] = {}

    def snapshot(name: str, **kwargs: object) -> str:
        asked.update(kwargs, name=name)
        return folder(tmp_path, "config.json", "model.safetensors")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert locate("some-org/some-model", "abc") == tmp_path
    assert asked["name"] == "some-org/some-model"
    assert asked["revision"] == "abc"
    assert not set(asked["allow_patterns"]) & set(room.PICKLES)  # type: ignore[call-overload]


def test_locating_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from tailor.weights.locate import locate; locate('thimble')\n"
        "assert not {'torch', 'transformers', 'peft', 'huggingface_hub'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_thimble_ships() -> None:
    assert "thimble" in embedded_names()
