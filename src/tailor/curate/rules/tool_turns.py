"""A tool call without its result, a result without its call, or no call at all.

The result answers an id that was never called, the call has no name, its arguments are no object, or the conversation
goes on as if the tool had answered. The model learns to wait for nothing, or to answer from nowhere.
"""

CODE = "R103"
SEVERITY = "block"
COST = "the model learns calls that nobody answers, and answers from results that it never saw"
FIX = "put the call, its result and the answer in this order, with the same id"
PROBLEMS = ("tool",)
