"""The injectors, a family a file; importing this room fills `base.DEFECTS`. See `base.py`."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
