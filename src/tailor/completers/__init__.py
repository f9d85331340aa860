"""messages -> completions: one file a way to get them. `base` is what all share, `fake` the scripted one for tests."""
