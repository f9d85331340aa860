"""A row that nothing answers, in a file of answered rows.

The last turn is the user's, or the completion is empty. There is nothing to learn from it, and a trainer that masks by
role counts it as trained.
"""

CODE = "R104"
SEVERITY = "block"
COST = "the row takes time and teaches nothing"
FIX = "add the answer, or take the row out"
PROBLEMS = ("unanswered",)
