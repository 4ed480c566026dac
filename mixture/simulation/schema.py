"""An example value for a JSON schema: what the stand-in answers when a form is demanded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PLAIN: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """A value that fits `schema`, as far as types, enumerations, required fields and local references go."""
    root = schema if root is None else root
    if "$ref" in schema:
        return example(_resolved(schema["$ref"], root), root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return example(schema[key][0], root)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        fields = schema.get("properties") or {}
        return {name: example(fields.get(name, {"type": "string"}), root) for name in schema.get("required", fields)}
    if kind == "array":
        return [example(schema.get("items") or {"type": "string"}, root)] * max(1, schema.get("minItems", 1))
    return _PLAIN[kind]


def _resolved(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    resolved: Mapping[str, Any] = found
    return resolved
