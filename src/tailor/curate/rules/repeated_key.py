"""A key given twice in one object.

JSON readers differ in which of the two they take, most of them without a word, so what is trained on depends on the
library and not on the file (RFC 8259, section 4).
"""

CODE = "F004"
SEVERITY = "block"
COST = "which of the two values is trained on depends on the reader"
FIX = "keep one of the two"
PROBLEMS = ("repeated-key",)
