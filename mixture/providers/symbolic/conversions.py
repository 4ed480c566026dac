"""Questions about units: "convert 5 miles to km", "how many ounces are in a cup"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from mixture.providers.symbolic import units
from mixture.providers.symbolic.parser import parse
from mixture.providers.symbolic.syntax import Call, Node, Num, number, show
from mixture.providers.symbolic.tasks import Task
from mixture.providers.symbolic.units import Unit

_VERB = re.compile(r"(?:convert|change|turn|express|switch|translate)\s+")
_METHOD = re.compile(
    r"(?:(?:how (?:do|can|would|to|could|should)(?: i| you| we| one)?(?: go about)?|is there (?:an easy|a) way to"
    r"|(?:the )?(?:proper|best|right) way to)\s+(?:convert|change|turn|converting|changing)"
    r"|(?:the )?(?:conversion|equivalent)(?: rate)?(?: of| from| for| between)?)\s+"
)
_SEPARATOR = re.compile(r"(?<=\s)(?:to|in|into|as|=|equals?|is in)(?=\s)")
_ASKED = re.compile(
    r"(?:how many|how much|(?:the )?(?:total |correct )?(?:number|amount) of|what (?:number|amount) of)\s+"
    r"(?P<unit>[a-z].*?)\s+"
    r"(?:(?:are |is )?(?:there )?in|are(?: there)? in|(?:would )?(?:be|is|are|equals?|makes?(?: up)?)(?: in)?"
    r"|does it take to make|per|to|are equivalent to|(?:is|are) equal to)\s+(?P<quantity>.+)$"
)
_TURNED = re.compile(
    r"(?:if i have |)(?P<quantity>.+?),?\s+(?:is|are|equals?|is equal to|makes?)?\s*how many\s+"
    r"(?P<unit>[a-z][a-z /^0-9]*?)(?: is that| are that)?$"
)
_PART = re.compile(
    r"(?:(?P<value>-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:e[+-]?\d+|/\d+)?|\(\d+(?:\+\d+)?/\d+\))"
    r"(?: of)?(?: an?\b)?\s*|(?:an?|the|1)\s+)?"
    r"(?P<unit>[a-z][a-z .^/_]*[a-z](?: ?\^?[23])?|[a-z])"
)
_NEXT = re.compile(r"(?:,?\s+and\s+|,\s*|\s+)(?=[\d(])")
_TEMPERATURES = frozenset({"celsius", "fahrenheit", "kelvin"})
_MOST_SEPARATORS = 4
Quantity = tuple[Node, Unit]


def read(text: str) -> Task | None:
    """The conversion that `text` asks for, None when it asks for none. Raises TooLarge."""
    for left, right in _pairs(text):
        target, parts = units.read(right), _quantity(left)
        if target is not None and parts:
            task = _task(parts, target)
            if task is not None:
                return task
    return None


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Every way in which `text` may be a quantity and the unit that it is wanted in."""
    for pattern in (_ASKED, _TURNED):
        match = pattern.match(text)
        if match:
            yield match["quantity"], match["unit"]
    method = _METHOD.match(text)
    body = text[method.end() :] if method else _VERB.sub("", text, count=1)
    if method:
        body = re.sub(r"\s+(?:and|for)\s+", " to ", body, count=1)
    for separator in islice(_SEPARATOR.finditer(body), _MOST_SEPARATORS):
        yield body[: separator.start()], body[separator.end() :]


def _quantity(text: str) -> list[Quantity] | None:
    """Values with units, from words such as "3 hours and 20 minutes"; a unit alone is one of it."""
    parts: list[Quantity] = []
    for piece in _NEXT.split(text.strip()):
        match = _PART.fullmatch(piece)
        unit = units.read(match["unit"]) if match else None
        if match is None or unit is None or (not match["value"] and (parts or unit[0][0] in _TEMPERATURES)):
            return None
        parts.append((parse(match["value"]) if match["value"] else number(1), unit))
    return parts


def _task(parts: list[Quantity], target: Unit) -> Task | None:
    parts = [(value, units.matched(unit, target)) for value, unit in parts]
    target = units.matched(target, parts[0][1])
    measured = [units.dimension(unit) for _, unit in parts]
    if any(dimension != units.dimension(target) for dimension in measured) or not measured[0]:
        return None
    everything = [*(unit for _, unit in parts), target]
    if len(everything) > 2 and any(name in _TEMPERATURES for unit in everything for name, _ in unit):
        return None
    if len(everything) == 2 and parts[0][1] == target:
        return None
    reading = " ".join(f"{_shown(value)} {units.show(unit, plural=not _is_one(value))}" for value, unit in parts)
    settings = {
        "units": [unit for _, unit in parts],
        "target": target,
        "words": [units.show(target, plural=False), units.show(target, plural=True)],
        "notes": units.notes(everything),
    }
    return Task("convert", reading, tuple(value for value, _ in parts), settings)


def _shown(value: Node) -> str:
    return f"({show(value)})" if isinstance(value, Call) and value.name == "+" else show(value)


def _is_one(value: Node) -> bool:
    if isinstance(value, Call) and value.name == "/":
        return True  # "1/2 cup"
    return isinstance(value, Num) and value.value == 1
