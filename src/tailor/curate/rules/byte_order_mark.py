"""A file that begins with a byte-order mark.

Three invisible bytes (EF BB BF) that some editors and spreadsheets write. tailor reads past them; other readers take
them for part of the first key, so that the first row lacks its `messages` or the first column of a table has no name.
"""

CODE = "F010"
SEVERITY = "inform"
COST = "other readers lose the first row or the name of the first column"
FIX = "save the file as UTF-8 without a byte-order mark"
PROBLEMS = ("byte-order-mark",)
