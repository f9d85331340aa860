"""One model out of a finished run."""

from __future__ import annotations

from pathlib import Path

from tailor import render
from tailor.errors import RunError
from tailor.run import Run
from tailor.train.loop import trained
from tailor.train.source import Source
from tailor.weights.locate import locate
from tailor.weights.merge import Merged
from tailor.weights.merge import merge as merge_weights
from tailor.worker.screen import Screen, Silent

ROWS, TOKENS = 6, 64  # of the run's own rows, and of each: enough for every layer to show


def merge(
    path: str | Path, out: str | Path | None = None, *, dtype: str = "", screen: Screen | None = None
) -> Merged | Path:
    """Merges the adapter of a finished run into its base, at `out` or in `merged/` of the run; what was compared.

    A run that tuned the whole model has nothing to merge: the folder of its model is returned. Raises RunError where
    something stands at `out`, ModelError where the merged model would differ.
    """
    screen = screen or Silent()
    run = Run.finished(path)
    if run.has("model"):
        return trained(run)
    target = Path(out) if out is not None else run.path / "merged"
    if target.exists():
        raise RunError("something stands there already", where=str(target), fix="remove it, or choose another --out")
    config = run.config
    renderer = render.load(locate(config.model.name, config.model.revision), thinking=config.model.thinking)
    source = Source.open(run, renderer, progress=screen.progress)
    datums = [datum for group in [*source.validation, *source.train] for datum in group][:ROWS]
    screen.say(f"merging the adapter of {run.path} into {config.model.name}")
    rows = [datum.ids[:TOKENS].tolist() for datum in datums]
    return merge_weights(config.model, trained(run), target, rows, dtype=dtype, template=renderer.template.source)
