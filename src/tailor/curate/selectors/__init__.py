"""Ways to choose a part of the rows: one file each, by its name."""
