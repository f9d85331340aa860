"""The whole way of a run: read, divide, measure the prompted arms, train, measure again, decide, write the page.

The only room that knows all others. `story.py` tells a run from its start to its end; `rows.py` and `arms.py` are its
phases; `asking.py` asks a finished run again.
"""

from __future__ import annotations

from tailor.worker.asking import compare, completers, evaluate
from tailor.worker.story import fit, resume, start, train

__all__ = ["compare", "completers", "evaluate", "fit", "resume", "start", "train"]
