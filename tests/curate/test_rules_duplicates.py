"""The rules of rows that are there more than once (D)."""

from __future__ import annotations

from tailor.testing.rules import RuleContract, pair

LONG = "We wrote to you on Monday about the parcel that never came, and nobody has answered us since. Please help."
TEMPLATE = (
    "You are the desk of a shop. Read the message of the customer and say in two words what it is about. Message:"
)
TEXTS = [
    "my kettle leaks at the spout and the lid will close only if pressed hard",
    "where can I see which invoices are open for the bakery account",
    "your driver left the boxes in the rain behind our garage again",
    "the blue paint that came today is green when it dries on the wall",
    "please change our address to the new office beside the harbour",
    "is there a discount for schools that order more than once a term",
    "a screw was missing from the bag that came with the garden table",
    "the voucher from the newsletter is refused when I want to pay",
    "can somebody explain the second line on the bill of last month",
    "we were charged for express delivery and it took nine days",
    "how do I give a colleague the right to order for our company",
    "the lamp hums so loudly that nobody can work at the desk below it",
]


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


class TestNearDuplicates(RuleContract):
    name = "near-duplicates"
    fires = {
        "a word more": ([pair(LONG, "lost parcel"), pair("Hello", "x"), pair(f"{LONG} Thanks.", "lost parcel")], {3}),
        "after the template is taken off": (
            [pair(f"{TEMPLATE} {text}", f"answer {number}") for number, text in enumerate(TEXTS)]
            + [pair(f"{TEMPLATE} {TEXTS[3]} now", "answer 3")],
            {13},
        ),
    }
    silent = {
        "what is alike is the template": [pair(f"{TEMPLATE} {text}", f"answer {n}") for n, text in enumerate(TEXTS)],
        "a negation": [pair(LONG, "same"), pair(LONG.replace("Please", "Please do not"), "same")],
        "another number": [pair(f"{LONG} It was parcel 12.", "same"), pair(f"{LONG} It was parcel 13.", "same")],
        "another answer": [pair(LONG, "lost parcel"), pair(f"{LONG} Thanks.", "complaint")],
        "the answer follows what differs": [
            pair(f"{LONG} It was sent to {town}.", f"A parcel to {town} that never came; nobody answered for days.")
            for town in ("Bergen", "Horten")
        ],
        "few words in another order": [
            pair("turn left. take the step. turn left. turn round. take the step. turn round.", "yes"),
            pair("take the step. turn left. turn round. turn left. take the step. turn round.", "yes"),
        ],
        "another question with the same long answer": [pair("hi", LONG), pair("hello", LONG)],
        "an exact copy is another rule's": [pair(LONG, "same"), pair(LONG, "same")],
    }
