"""From the bytes of a request to a checked model, and from what is wrong with it to a message that helps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema

from mixture.errors import InvalidQuery, QueryTooLarge

MAX_DEPTH = 64
"""Levels of nesting that free-form values (JSON schemas, say) may have."""


class Body(BaseModel):
    """A request's part: unknown fields and wrong types are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False)


Refused = Annotated[Any, WithJsonSchema({"type": "null"})]
"""A field that is known and not supported: read as anything, so that its refusal can say so; documented as null."""

M = TypeVar("M", bound=BaseModel)


def parse(body: bytes, model: type[M]) -> M:
    """The checked request. Raises InvalidQuery, naming the field, for anything that `model` does not allow, for control
    characters, and for values nested deeper than `MAX_DEPTH`.
    """
    try:
        request = model.model_validate_json(body)
    except ValidationError as error:
        raise _explained(error, body) from None
    # Unescaped control characters are no JSON, so those that got here were written as \u00XX: most bodies hold none.
    if b"\\u00" in body:
        _refuse_controls(orjson.loads(body))
    return request


def check_size(size: int, limit: int) -> None:
    """Raises QueryTooLarge when a body of `size` bytes is over `limit`."""
    if size > limit:
        raise QueryTooLarge(f"the body is larger than {limit} bytes, the most that this server takes", param="body")


def check_count(name: str, count: int, limit: int) -> None:
    """Raises InvalidQuery when the list `name` has more than `limit` items."""
    if count > limit:
        raise InvalidQuery(f"{name}: {count} items, and the most that this server takes is {limit}", param=name)


def check_free(value: Any, where: str) -> None:
    """Raises InvalidQuery when the free-form `value` can't be passed on: it is nested deeper than `MAX_DEPTH` (the
    parser stops at 200 by itself), or holds a number that JSON lacks (NaN) or that no expert reads (over 64 bits).
    """
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner = [item for outer in level if isinstance(outer, dict | list) for item in _inside(outer)]
        if not inner:
            return
        for item in inner:
            if isinstance(item, int | float) and not _passes(item):
                raise InvalidQuery(
                    f"{where}: holds a number that is not finite or over 64 bits", param=where, code="invalid_value"
                )
        level = inner
    raise InvalidQuery(f"{where}: nested deeper than {MAX_DEPTH} levels", param=where)


def _passes(number: float) -> bool:
    return -(2**63) <= number < 2**64 if isinstance(number, int) else math.isfinite(number)


def _inside(value: Any) -> Sequence[Any]:
    return list(value.values()) if isinstance(value, dict) else value


_CONTROLS = re.compile("[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f]")
"""Terminal output that people paste holds tabs, line ends, form feeds, backspaces and escapes: those may pass."""


def _refuse_controls(value: Any) -> None:
    for where, text in _texts(value, ""):
        found = _CONTROLS.search(text)
        if found is not None:
            code = f"U+{ord(found.group()):04X}"
            raise InvalidQuery(
                f"{where}: holds the control character {code}; remove it", param=where, code="control_character"
            )


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield where or "body", key
            yield from _texts(item, f"{where}.{shown(key, 64)}".lstrip("."))


def _explained(error: ValidationError, body: bytes) -> InvalidQuery:
    faults = error.errors(include_url=False, include_input=False, include_context=True)
    if faults[0]["type"] == "json_invalid":
        return InvalidQuery(f"the body is not valid JSON: {_json_fault(faults[0]['msg'])}", code="invalid_json")
    data = _reread(body)
    placed = [(_place(data, fault["loc"], fault["type"]), fault["type"], fault["msg"]) for fault in faults]
    # The branches of a union all complain; the one that got furthest is the one that was meant.
    deepest = max(len(place) for place, _, _ in placed)
    place = next(place for place, _, _ in placed if len(place) == deepest)
    kinds = {kind: _words(kind, message) for where, kind, message in placed if where == place}
    path = path_of(place)
    message = " or ".join(dict.fromkeys(kinds.values()))
    return InvalidQuery(f"{path or 'body'}: {message}", param=path or None, code=_code(kinds))


_UNREAD = object()


def _reread(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # what pydantic reads and orjson does not (NaN, say) still has its path
        return _UNREAD


def _json_fault(message: str) -> str:
    message = message.removeprefix("Invalid JSON: ")
    return "nested too deeply" if message.startswith("recursion limit") else message


def _place(data: Any, loc: tuple[int | str, ...], kind: str) -> tuple[int | str, ...]:
    """`loc` without the names of union branches, which pydantic mixes in with keys and indices."""
    place: list[int | str] = []
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        if isinstance(data, dict) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif not (last and kind == "missing") and data is not _UNREAD:
            continue
        place.append(part)
    return tuple(place)


def path_of(place: Sequence[int | str]) -> str:
    """A place in the request as people write it: `messages[2].content`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part, 64)}" for part in place)
    return text.lstrip(".")


_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request; remove it",
}


_SUBJECT = re.compile(r"^(Input|String|List|Dictionary|Value|Data|Number|Integer|Float) should ")


def _words(kind: str, message: str) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    message = _SUBJECT.sub("should ", message.removeprefix("Value error, ")).replace(" after validation", "")
    return shown(message, 300)


def _code(kinds: Mapping[str, str]) -> str:
    if "extra_forbidden" in kinds:
        return "unknown_parameter"
    if "missing" in kinds:
        return "missing_required_parameter"
    return "invalid_type" if any(kind.endswith("_type") for kind in kinds) else "invalid_value"


def shown(text: str, most: int) -> str:
    """`text` fit for a message: cut to `most` characters, with nothing in it that a terminal would obey."""
    cut = text if len(text) <= most else text[:most] + "…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "�" for c in cut)
