"""One file a way to make rows of a document; see `recipes/base.py`."""
