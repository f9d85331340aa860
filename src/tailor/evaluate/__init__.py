"""Arms measured on held-out rows, with intervals, paired differences, and what a number of rows can show."""
