"""Training that begins where an earlier run ended: its weights, with new data, schedule and optimiser."""

from __future__ import annotations

from collections.abc import Mapping

from tailor.config import RunConfig, Settings
from tailor.errors import ConfigError, ModelError, RunError
from tailor.run import Run
from tailor.worker.rows import Verb

FREE = {
    "model": {"name", "revision", "dtype", "thinking", "trust_remote_code"},  # the name may change, the files may not
    "adapter": {"lora_dropout"},
}
"""Settings that leave the meaning of trained weights as it is."""


def continued(verb: Verb, config: RunConfig) -> RunConfig:
    """`config` with model and adapter of the run that it continues from; itself where it continues from none.

    Raises ConfigError that names every setting given that would make other weights of them.
    """
    if config.run.continue_from is None:
        return config
    if verb != "train":
        raise ConfigError(
            "only training continues from a run: what fit would hold out, that run may have learnt",
            where=config.run.continue_from,
            fix="tailor train DATA --continue-from RUN, then tailor eval on rows that neither run has seen",
        )
    earlier = Run.finished(config.run.continue_from)
    before = earlier.config
    if before.model.random_weights:
        raise RunError("a run on random weights is a control: there is nothing to continue", where=str(earlier.path))
    trained = earlier.read("train.json")["adapter"]
    kept = before.adapter if before.adapter.type != "auto" else before.adapter.model_copy(update={"type": trained})
    wrong: list[str] = []
    taken: dict[str, Settings] = {}
    for section, old, new in (("model", before.model, config.model), ("adapter", kept, config.adapter)):
        given = {name: getattr(new, name) for name in new.model_fields_set}
        if section == "adapter" and given.get("type") == "auto":
            del given["type"]
        free = {name: value for name, value in given.items() if name in FREE[section]}
        for name in given.keys() - free.keys():
            if given[name] != getattr(old, name):
                wrong.append(f"{section}.{name} = {given[name]!r} (there {getattr(old, name)!r})")
        taken[section] = old.model_copy(update=free)
    if wrong:
        raise ConfigError(
            f"these settings do not fit the weights of that run: {', '.join(sorted(wrong))}",
            where=str(earlier.path),
            fix="leave them out: model and adapter are taken over from it",
        )
    taken["run"] = config.run.model_copy(update={"continue_from": str(earlier.path.absolute())})
    return config.model_copy(update=taken)


def require_same_base(config: RunConfig, files: Mapping[str, str]) -> None:
    """Raises ModelError unless `files`, SHA-256 by name, are those of the model that the earlier run began with."""
    if config.run.continue_from is None:
        return
    earlier = Run.finished(config.run.continue_from)
    if earlier.read("environment.json")["model"] != files:
        raise ModelError(
            f"that run was trained from another model: there {earlier.config.model.name!r}, here "
            f"{config.model.name!r}, and their files differ",
            where=str(earlier.path),
            fix="leave --model out, or bring the model's files back to what they were",
        )
