"""Training objectives, one file each: the kinds of Example it takes, its settings, its Datums, its loss."""
