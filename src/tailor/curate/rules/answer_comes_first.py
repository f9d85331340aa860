"""A conversation that the assistant begins.

A greeting before the first question, or an export that lost it. Templates that demand alternation from the user on
raise (Llama 2, Mistral, Gemma), and unless its weight is 0 the greeting is trained on without anything before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "R107"
SEVERITY = "warn"
COST = "strict templates refuse the row; others train on an answer to nothing"
FIX = "take the first turn out, or put what it answers before it"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row that has a user turn later on."""
    messages = row.example.messages
    begins = next((message for message in messages if message.role != "system"), None)
    if begins is not None and begins.role == "assistant" and any(message.role == "user" for message in messages):
        yield Hit(message="the assistant speaks first", evidence=begins.text[:80], at=begins.text)
