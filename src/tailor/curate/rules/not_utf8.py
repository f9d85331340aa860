"""A row with bytes that are not UTF-8.

Usually a file saved as Windows-1252 or Latin-1. Readers that guess turn the letters into others, and the model learns
to write those.
"""

CODE = "F003"
SEVERITY = "block"
COST = "accented letters are lost or learned as garbage"
FIX = "convert the file with iconv"
PROBLEMS = ("encoding",)
