"""One file a format of documents; see `documents/base.py`."""
