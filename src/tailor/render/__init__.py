"""Example -> Datum -> Tree: chat template, what is trained on, packing, and the view of it.

`load(folder)` gives the Renderer of a model; `render_rows` renders a data set with the over-length policy;
`pack.plant` lays Datums out as Trees; `show` prints what is trained on. Nothing here imports torch.
"""

from tailor.render.renderer import Renderer, load
from tailor.render.rows import render_rows, with_system

__all__ = ["Renderer", "load", "render_rows", "with_system"]
