"""A row that is not JSON.

Cut-off lines, single quotes, trailing commas, Python's True and None, NaN, raw control characters, half a surrogate
pair, numbers that no type holds. Writing rows with a JSON library avoids all of them. Readers that skip such rows train
on fewer than you think; others die in the middle of a job.
"""

CODE = "F002"
SEVERITY = "block"
COST = "the row is lost, or the job dies when it meets it"
FIX = "write rows with a JSON library"
PROBLEMS = ("syntax",)
