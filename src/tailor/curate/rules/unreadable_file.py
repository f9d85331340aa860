"""A file that cannot be read to its end.

The file is empty, cut off, damaged, packed in a way that is not known, in another encoding than UTF-8, or no file of
rows at all. What stands behind the place is not looked at.
"""

CODE = "F001"
SEVERITY = "block"
COST = "every row behind this place is missing from training and from the counts"
FIX = "write the file again from its source"
PROBLEMS = ("unreadable",)
