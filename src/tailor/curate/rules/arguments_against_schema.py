"""Arguments of a tool call that its declaration does not allow.

A required argument lacks, one has the wrong type, or stands outside its list of values, by the JSON schema that the row
declares for the tool. Whoever runs the calls will refuse them; the model learns to make such calls.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from tailor.curate.rules.base import Hit
from tailor.records import ToolCall

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "R110"
SEVERITY = "block"
COST = "the model learns calls that the tool refuses"
FIX = "correct the arguments or the declaration"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a call."""
    if not row.example.tools:
        return
    functions = [tool.get("function", {}) for tool in row.example.tools]
    schemas = {function.get("name"): function.get("parameters") for function in functions}
    for message in row.turns:
        for part in message.parts:
            if type(part) is ToolCall and isinstance(schemas.get(part.name), dict):
                wrong = _wrong(msgspec.json.encode(schemas[part.name], order="sorted"), part.arguments)
                if wrong:
                    evidence = msgspec.json.encode(part.arguments).decode()
                    yield Hit(message=f"{part.name}: {wrong}", evidence=evidence, at=part.name)


def _wrong(schema: bytes, arguments: dict[str, Any]) -> str:
    """The first thing wrong with the arguments, in words; empty where nothing is, or where the schema is none."""
    validator = _validator(schema)
    error = None if validator is None else next(iter(validator.iter_errors(arguments)), None)
    if error is None:
        return ""
    where = ".".join(str(step) for step in error.absolute_path)
    what = str(error.message)
    return (f"{where}: {what}" if where else what)[:160].rstrip(".")


@functools.lru_cache(maxsize=1024)
def _validator(schema: bytes) -> Any:
    from jsonschema import Draft202012Validator, SchemaError  # slow to import, and few data sets declare tools

    parsed = msgspec.json.decode(schema)
    try:
        Draft202012Validator.check_schema(parsed)
    except SchemaError:
        return None  # dialects of schema abound (`"type": "dict"`); what cannot be understood is not judged
    return Draft202012Validator(parsed)
