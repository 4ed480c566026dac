"""What merging JSON needs to know of single values: their kinds, when they are alike, medians, which items pair up."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Item = tuple[int, Any]
"""The number of a proposal, and what it has in a field."""

KEYS = ("id", "key", "uuid", "code", "sku", "symbol", "slug", "url", "email", "name", "title", "label")
"""Fields by which objects in lists are known to be the same, the surest first."""
ALIKE = 2 / 3
"""The share of their fields that objects without such a field must have in common to count as one."""
REFERENCES = 16
"""References that are followed in a row."""


def kind_of(value: Any) -> str:
    """The kind of a JSON value: `null`, `boolean`, `number`, `string`, `array` or `object`."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def canonical(value: Any) -> str:
    """A text that is the same for values that say the same: case and blanks of texts, and the order of fields, don't
    matter, and 1.0 is 1.
    """
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.casefold().split())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.9g}")
    return value


def alike(one: Any, other: Any) -> bool:
    """Whether two values say the same."""
    return canonical(one) == canonical(other)


def voted(items: Sequence[Item], weights: Sequence[float]) -> tuple[Any, float]:
    """What weighs most among `items`, as the first who says it writes it, and its weight; of equals the first."""
    sums: dict[str, float] = {}
    written: dict[str, Any] = {}
    for i, value in items:
        key = canonical(value)
        sums[key] = sums.get(key, 0.0) + weights[i]
        written.setdefault(key, value)
    best = max(sums, key=sums.__getitem__)
    return written[best], sums[best]


def median(items: Sequence[Item], weights: Sequence[float], rules: Mapping[str, Any]) -> int | float:
    """The median of numbers. Of two in the middle it is the lower one where the mean might not be allowed: among whole
    numbers, with unequal weights, and under `multipleOf`.
    """
    values: list[tuple[int | float, float]] = sorted(((value, weights[i]) for i, value in items), key=lambda v: v[0])
    numbers = [value for value, _ in values]
    integer = rules.get("type") == "integer" and all(float(value).is_integer() for value in numbers)
    uneven = len({weight for _, weight in values}) > 1
    if integer or uneven or "multipleOf" in rules or all(isinstance(value, int) for value in numbers):
        middle = _lower(values)
    else:
        middle = statistics.median(numbers)
    # As the first writes it who says it: 1 and 1.0 are the same number.
    return int(middle) if integer else next((value for _, value in items if value == middle), middle)


def _lower(values: Sequence[tuple[int | float, float]]) -> int | float:
    """The lowest of the ascending values up to which half of the weight lies."""
    half, below = sum(weight for _, weight in values) / 2, 0.0
    for value, weight in values:
        below += weight
        if below >= half:
            return value
    return values[-1][0]


def listed(lists: Sequence[Sequence[Any]], rules: Mapping[str, Any]) -> bool:
    """Whether lists are collections, whose items can be put together: not rows of a fixed length, whose places mean
    something, nor lists in which something stands twice.
    """
    least, most = rules.get("minItems"), rules.get("maxItems")
    if "prefixItems" in rules or (least is not None and least == most):
        return False
    return all(len({canonical(item) for item in one}) == len(one) for one in lists)


def paired(items: Sequence[Item]) -> list[list[Item]]:
    """The items of several lists, those that are the same together, in the order in which they first stand."""
    key = _key([item for _, values in items for item in values], [values for _, values in items])
    groups: list[list[Item]] = []
    for i, values in items:
        for value in values:
            home = next((group for group in groups if group[-1][0] != i and _same(group[0][1], value, key)), None)
            if home is None:
                groups.append([(i, value)])
            else:
                home.append((i, value))
    return groups


def _key(values: Sequence[Any], lists: Sequence[Sequence[Any]]) -> str | None:
    """The field by which the objects of the lists are told apart: every one has it, and no list has one twice."""
    if not values or not all(isinstance(value, dict) for value in values):
        return None
    for name in KEYS:
        everywhere = all(isinstance(value.get(name), str | int) for value in values)
        if everywhere and all(len({canonical(value[name]) for value in one}) == len(one) for one in lists):
            return name
    return None


def _same(one: Any, other: Any, key: str | None) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return alike(one, other)
    if key is not None:
        return alike(one[key], other[key])
    mine, theirs = ({(name, canonical(item)) for name, item in value.items()} for value in (one, other))
    return len(mine & theirs) >= ALIKE * len(mine | theirs)


def named(path: str, name: str) -> str:
    """The path of the field `name` of what stands at `path`."""
    return f"{path}.{name}" if path else name


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """The part of `schema` that concerns values such as `value`: references inside `root` followed, of alternatives the
    first for its kind. Empty when there is none.
    """
    for _ in range(REFERENCES):
        target = schema.get("$ref")
        if isinstance(target, str):
            schema = _referred(target, root)
            continue
        choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if not isinstance(choices, list) or "properties" in schema:
            return schema
        options = [option for option in choices if isinstance(option, dict)]
        schema = next((option for option in options if _concerns(option, value)), {})
    return {}


def _concerns(option: Mapping[str, Any], value: Any) -> bool:
    kinds = option.get("type")
    kind = kind_of(value)
    return kinds is None or kind in kinds or (kind == "number" and "integer" in kinds)


def _referred(target: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in target.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) and target.startswith("#") else {}
