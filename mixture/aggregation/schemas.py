"""Whether values fit a JSON schema, in bounded time and without fetching anything.

The schema comes from a client and the value from a model, so neither is trusted: references stay inside the schema, and
regular expressions that could take long are left unchecked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import SchemaError
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from jsonschema_specifications import REGISTRY
from referencing.exceptions import Unresolvable

SCHEMAS = 256
"""Schemas whose validators are kept."""
LONGEST = 2_000
"""Characters of a text that is held against a regular expression."""
_SLOW = re.compile(r"\)[*+{]|\\[1-9]|\(\?|[*+}][^)]{0,40}[*+{]")
"""What a regular expression has that can take more than linear time; too many are taken for slow, none for fast."""


def violation(value: Any, schema: Mapping[str, Any]) -> str | None:
    """What in `value` does not fit `schema`, in words; None when it fits, or when the schema itself can't be used."""
    validator = _validator(json.dumps(schema, sort_keys=True, default=str))
    if validator is None:
        return None
    try:
        fault = best_match(validator.iter_errors(value))
    except (Unresolvable, RecursionError, re.error):
        return None
    if fault is None:
        return None
    where = fault.json_path.removeprefix("$").lstrip(".") or "the value"
    return f"{where}: {_said(fault)}"


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether `value` fits `schema`; so does everything when the schema itself can't be used."""
    return violation(value, schema) is None


@lru_cache(SCHEMAS)
def _validator(schema: str) -> Validator | None:
    """The validator of a schema (JSON text); None for one that is none, or whose check could take long."""
    parsed = json.loads(schema)
    if any(_SLOW.search(pattern) for pattern in _patterns_of_names(parsed)):
        return None
    kind = validator_for(parsed)
    try:
        kind.check_schema(parsed)
        bounded = extend(kind, {"pattern": _pattern})
        return bounded(parsed, registry=REGISTRY)
    except (SchemaError, RecursionError, re.error):
        return None


def _patterns_of_names(schema: Any) -> Iterator[str]:
    """Every regular expression of `patternProperties`, wherever it stands."""
    waiting = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            names = item.get("patternProperties")
            yield from names if isinstance(names, dict) else ()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _pattern(validator: Validator, pattern: str, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    if not validator.is_type(value, "string") or len(value) > LONGEST or _SLOW.search(pattern):
        return
    if re.search(pattern, value) is None:
        yield ValidationError(f"does not match the pattern {pattern!r}")


def _said(fault: ValidationError) -> str:
    """The fault without the value itself, which may be long and is the model's."""
    match fault.validator:
        case "type":
            wanted = fault.validator_value
            return f"{' or '.join(wanted) if isinstance(wanted, list) else wanted} expected"
        case "required":
            missing = [name for name in fault.validator_value if name not in fault.instance]
            return f"{', '.join(map(repr, missing[:5]))} missing"
        case "additionalProperties":
            return "a field that the schema does not have"
        case "enum" | "const":
            return "not one of the values allowed"
        case other:
            return f"against `{other}`"
