"""A call of a tool that the row does not declare.

The row declares tools and calls another, mostly a misspelt or renamed one. The model learns to make up tools. Rows that
declare none are left alone: their tools may stand in the system prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit
from tailor.records import ToolCall

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "R109"
SEVERITY = "block"
COST = "the model learns to call tools that do not exist"
FIX = "declare the tool, or correct its name"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a name."""
    declared = {str(tool.get("function", {}).get("name")) for tool in row.example.tools}
    if not declared:
        return
    said = set()
    for message in row.turns:
        for part in message.parts:
            if type(part) is ToolCall and part.name not in declared and part.name not in said:
                said.add(part.name)
                close = get_close_matches(part.name, declared, n=1)
                evidence = f"declared: {', '.join(sorted(declared)[:8])}"
                fix = f"did you mean {close[0]!r}?" if close else ""
                yield Hit(
                    message=f"calls {part.name!r}, which is not declared", evidence=evidence, at=part.name, fix=fix
                )
