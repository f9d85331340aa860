"""Where a model's files are: the embedded one, a local folder, or a snapshot of a hub repository. Torch-free."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from tailor.errors import ModelError, ResourceError

EMBEDDED = Path(__file__).parent / "embedded"
WANTED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.py")  # weights, configs, tokenizer, own code
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def locate(name: str, revision: str | None = None) -> Path:
    """The folder that holds the model called `name`: `thimble`, a local folder, or a hub id (`owner/name`).

    A hub snapshot is downloaded once (safetensors, JSON, tokenizer and template files only) and then found offline.
    Raises ModelError where there is no such model or its weights are not safetensors, ResourceError where the hub
    cannot be reached.
    """
    embedded = EMBEDDED / name
    if name in embedded_names():
        return embedded
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder.resolve(), name)
    if folder.exists():
        raise ModelError("this is a file, not a model folder", where=name, fix="name the folder that holds config.json")
    close = difflib.get_close_matches(name, embedded_names(), n=1, cutoff=0.6)
    if HUB_ID.fullmatch(name) and not close:
        return _checked(_snapshot(name, revision), name)
    fix = (
        f"did you mean {close[0]!r}?" if close else f"embedded: {', '.join(embedded_names())}; else a folder or hub id"
    )
    raise ModelError(f"there is no model called {name!r}", fix=fix)


def embedded_names() -> list[str]:
    """Names of the models that ship inside the package."""
    return sorted(path.parent.name for path in EMBEDDED.glob("*/config.json"))


def _checked(folder: Path, name: str) -> Path:
    """`folder`, unless what it lacks makes it unusable."""
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise ModelError(
            "this folder holds an adapter, not a model", where=name, fix="name the model it was trained on"
        )
    if not (folder / "config.json").exists():
        raise ModelError(
            "this model folder has no config.json", where=name, fix="name a folder in transformers' format"
        )
    if any(folder.glob("*.safetensors")):
        return folder
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"this model has its weights only in files that can run code when they are read ({', '.join(pickles[:3])})",
            where=name,
            fix="convert them to safetensors (model.save_pretrained in transformers) or take a revision that has them",
        )
    raise ModelError(
        "this model folder has no weights", where=name, fix="it needs model.safetensors, or its numbered parts"
    )


def _snapshot(name: str, revision: str | None) -> Path:
    """The hub snapshot of `name`, from the local cache where it is complete there."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise ResourceError(
            "the package huggingface_hub is not installed", where=name, fix="pip install 'tailor[train]'"
        ) from None
    at = f"{name}@{revision}" if revision else name
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(WANTED)))
    except GatedRepoError:
        raise ModelError("the hub asks for a login that may read this model", where=at, fix="hf auth login") from None
    except RepositoryNotFoundError:
        raise ModelError("the hub has no such model", where=at, fix="check the spelling of the id") from None
    except RevisionNotFoundError:
        raise ModelError("this model has no such revision", where=at, fix="check the branch, tag or commit") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ResourceError(
            f"the model is not on this machine and the hub cannot be reached ({type(error).__name__})",
            where=at,
            fix="connect once to download it, name a local folder, or use the embedded model: --model thimble",
        ) from error
