"""Calls of tools in a form in which calls that do the same are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mixture.types import Tool, ToolCall

NO_CALL = "[]"
"""The form of an answer that calls nothing: all texts are one answer to the question whether to call."""
DEEPEST = 32
"""Levels of nested objects into which defaults are filled."""


def canonical_calls(calls: Sequence[ToolCall], tools: Sequence[Tool] = ()) -> str:
    """The calls as text. The order of calls and of arguments, blanks, 1.0 for 1, and arguments left out that have a
    default in the schema make no difference. Arguments that are no JSON stand as they are.
    """
    schemas = {tool.name: tool.parameters for tool in tools}
    return json.dumps(sorted(_call(call, schemas.get(call.name, {})) for call in calls))


def _call(call: ToolCall, schema: Mapping[str, Any]) -> list[str]:
    try:
        arguments = _completed(json.loads(call.arguments or "{}"), schema or {}, DEEPEST)
        return [call.name, json.dumps(_plain(arguments), sort_keys=True)]
    except (ValueError, RecursionError):
        return [call.name, call.arguments.strip()]


def _completed(value: Any, schema: Any, deep: int) -> Any:
    """`value` with the defaults of what it leaves out."""
    properties = schema.get("properties") if isinstance(schema, dict | Mapping) else None
    if not isinstance(value, dict) or not isinstance(properties, Mapping) or not deep:
        return value
    defaults = {
        name: item["default"] for name, item in properties.items() if isinstance(item, Mapping) and "default" in item
    }
    return {name: _completed(item, properties.get(name), deep - 1) for name, item in {**defaults, **value}.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return " ".join(value.split()) if isinstance(value, str) else value
