"""Turns in an order that no conversation has.

Two assistant turns in a row, or nothing but system messages. Templates that demand alternation raise; others join the
turns, so that the model learns to go on after its end mark.
"""

CODE = "R102"
SEVERITY = "block"
COST = "the template refuses the row, or the model learns to go on after its own end"
FIX = "join the turns, or put what was said between them"
PROBLEMS = ("order",)
