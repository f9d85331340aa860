"""tailor fits pretrained language models to your data and proves whether it was worth it.

    import tailor
    run = tailor.fit("data.jsonl")
    print(run.verdict.sentence)

Names are imported when they are first used, so that `import tailor` stays light.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

__version__ = "0.1.0"

# How long a thread of PyTorch that has no work asks for some before it sleeps, in turns of a loop; read when PyTorch is
# imported, which nothing here has done yet. The GNU OpenMP library's own 300,000 hold a core while the thread that has
# work waits for one: beside a single busy process, training took nine times as long. With these it takes three times,
# and on an idle machine as long as before. What a user has set stays.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")

_FACE = {
    "fit": "tailor.worker",
    "read": "tailor.formats",
    "Run": "tailor.run",
    "RunConfig": "tailor.config",
    "Example": "tailor.records",
    "TailorError": "tailor.errors",
}
__all__ = ["__version__", *_FACE]


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'tailor' has no attribute {name!r}")
    return getattr(importlib.import_module(_FACE[name]), name)
