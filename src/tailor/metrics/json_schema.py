"""The answer is JSON that the user's schema allows.

`use` names the schema file, once, before the first score: it is the setting `eval.schema_file` of the run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import referencing

from tailor.errors import ConfigError
from tailor.metrics._json import NotJson, parse
from tailor.metrics.base import Aggregate, clean, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "the answer is JSON that the schema in eval.schema_file allows"
AGGREGATE: Aggregate = "proportion"
BESIDE = ("json-valid",)
_validator: Any = None


def use(schema_file: str | Path | None) -> None:
    """Scores from now on go by this schema. Raises ConfigError where it cannot be read or is no JSON schema.

    References to other documents are not followed: nothing is fetched.
    """
    global _validator  # the one metric with a setting; a metric is a file, not an object
    _validator = None
    if schema_file is None:
        return
    where = str(schema_file)
    try:
        schema = json.loads(Path(schema_file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the schema cannot be read: {error}", where=where) from None
    except json.JSONDecodeError as error:
        place = f"{where}:{error.lineno}:{error.colno}"
        raise ConfigError(f"the schema is not valid JSON: {error.msg}", where=place) from None
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ConfigError(f"this is no JSON schema: {error.json_path}: {error.message}", where=where) from None
    _validator = kind(schema, registry=referencing.Registry())


def score(example: Example, completion: Completion) -> Score:
    """1 where the text is JSON and the schema allows it; the detail names the first offence.

    Raises ConfigError where no schema is in use, or where it refers to what it does not hold.
    """
    if _validator is None:
        raise ConfigError("the metric json-schema needs a schema", fix='set schema_file = "…" under [eval]')
    try:
        given = parse(completion.text)
        offence = next(_validator.iter_errors(given), None)
    except NotJson as reason:
        return scored("json-schema", completion, 0.0, f"not JSON: {reason}")
    except RecursionError:
        return scored("json-schema", completion, 0.0, "nested deeper than the schema can be followed")
    except referencing.exceptions.Unresolvable as error:
        raise ConfigError(f"the schema refers to {error.ref!r}, which it does not hold") from None
    if offence is None:
        return scored("json-schema", completion, 1.0)
    return scored("json-schema", completion, 0.0, f"{clean(offence.json_path)}: {clean(offence.message, 160)}")
