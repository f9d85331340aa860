"""A message without content, or a row without messages.

Neither text nor parts nor calls: there is nothing to render, and templates differ in whether they fail or print an
empty turn.
"""

CODE = "F008"
SEVERITY = "block"
COST = "the row is lost, or an empty turn is learned"
FIX = "fill it in or take the row out"
PROBLEMS = ("empty",)
