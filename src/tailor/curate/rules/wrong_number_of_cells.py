"""A table row with more or fewer cells than there are columns.

Mostly a comma or a line end in a cell without quotes around it: every cell behind it stands in the wrong column.
"""

CODE = "F007"
SEVERITY = "block"
COST = "text lands in the wrong column and answers are trained on as questions"
FIX = "put the cell in double quotes"
PROBLEMS = ("cells",)
