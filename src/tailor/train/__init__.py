"""The story of a training run; start at `loop.py`."""
