"""The rules of rows that are there more than once (D)."""

from __future__ import annotations

from tailor.testing.rules import RuleContract, pair


class TestExactDuplicates(RuleContract):
    name = "exact-duplicates"
    fires = {
        "a copy": ([pair("a", "b"), pair("c", "d"), pair("a", "b")], {3}),
        "case, spaces and width aside": ([pair("Where is it?", "b"), pair(" where  is ＩＴ?", "B\n")], {2}),
    }
    silent = {
        "another answer": [pair("a", "b"), pair("a", "c")],
        "another question": [pair("a", "b"), pair("c", "b")],
        "the held-out rows are another rule's": [pair("a", "b")],
    }
    against = {"the held-out rows are another rule's": [pair("a", "b")]}
