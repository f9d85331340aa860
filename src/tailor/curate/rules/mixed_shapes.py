"""A row of another shape than the rest of its file.

Two exports in one file: chat rows among prompt/completion rows, preference pairs among chats. Trainers that look at the
first row only read the others by the wrong keys or drop them.
"""

CODE = "F006"
SEVERITY = "block"
COST = "rows of the smaller shape are dropped or read by the wrong keys"
FIX = "give each shape a file of its own"
PROBLEMS = ("mixed",)
