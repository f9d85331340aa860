"""tailor fits pretrained language models to your data and proves whether it was worth it.

    import tailor
    run = tailor.fit("data.jsonl")
    print(run.verdict.sentence)

Names are imported when they are first used, so that `import tailor` stays light.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

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
