"""A message without a role, or with one that is not known.

Templates raise on it or print it as it stands, and the mask that decides what is trained on goes by roles.
"""

CODE = "R101"
SEVERITY = "block"
COST = "the template refuses the row, or the wrong side of the conversation is learned"
FIX = "use system, user, assistant or tool"
PROBLEMS = ("role",)
