"""A row whose keys or values are not as its shape wants them.

A missing key, a misspelt one, a list where text should be, a number where messages should be. The shape is that of
most rows of the file.
"""

CODE = "F005"
SEVERITY = "block"
COST = "the row cannot be trained on, or the wrong column is"
FIX = "give the row the keys that the others have"
PROBLEMS = ("shape",)
