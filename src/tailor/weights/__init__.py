"""Models: find them, load them, make them trainable, save and restore them.

The only room that imports transformers, peft and bitsandbytes; importing the package itself imports none of them.
"""
