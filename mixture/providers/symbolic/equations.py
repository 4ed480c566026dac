"""Questions about equations: "solve x^2 - 5x + 6 = 0", "roots of ...", "what is x if ..."."""

from __future__ import annotations

import re

from mixture.providers.symbolic.parser import parse
from mixture.providers.symbolic.refusals import NotMaths
from mixture.providers.symbolic.syntax import Name, Node, number, show, variables
from mixture.providers.symbolic.tasks import Task

MOST = 4
"""Equations in one system."""

_V = r"(?P<v>[a-z]|theta)"
_SOLVE = r"(?:solve|find (?:the )?(?:value|solution)s? (?:of|to|for)|find)"
_TITLE = r"(?:(?:this |following )?(?:quadratic |linear |cubic )?(?:equation|system(?: of equations)?)s?:? )?"
_FORMS = [
    re.compile(pattern)
    for pattern in (
        rf"solve {_TITLE}for {_V}(?::| in| if| when|,)? (?P<body>.+)$",
        rf"solve {_TITLE}(?P<body>.+?),? for {_V}$",
        rf"{_SOLVE} {_V} (?:if|when|where|in|given|such that|for)(?: that)? (?P<body>.+=.+)$",
        rf"(?:what is |what's |values? of |value of |find )?{_V} (?:if|when|where|given)(?: that)? (?P<body>.+=.+)$",
        rf"(?:if|given(?: that)?) (?P<body>.+=.+?),? (?:then )?(?:what is|what's|find|solve for) (?:value of )?{_V}$",
        rf"(?P<body>.+=.+?),? (?:find|solve for|what is) {_V}$",
        rf"solve:? {_TITLE}(?P<body>.+)$",
        r"(?P<roots>(?:real |find )?(?:roots?|zeros?|zeroes|solutions?) (?:of|to|for)) (?P<body>.+)$",
        r"(?P<bare>)(?P<body>.+=.+)$",
    )
]
_EQUAL = re.compile(r"\b(?:is equal to|equals?(?: to)?)\b")
_AND = re.compile(r"\s*(?:,\s*and\s+|;|,|\s+and\s+)\s*")


def read(text: str) -> Task | None:
    """The equations that `text` asks to solve, None when there are none. Raises NotMaths."""
    text = _EQUAL.sub("=", text)
    for form in _FORMS:
        match = form.match(text)
        if match:
            try:
                task = _task(match.groupdict())
            except NotMaths:
                continue
            if task is not None:
                return task
    return None


def _task(found: dict[str, str | None]) -> Task | None:
    sides = [_sides(part) for part in _AND.split(found["body"] or "")]
    named = found.get("v")
    free = sorted(set().union(*(variables(left) | variables(right) for left, right in sides)))
    if len(sides) > MOST or not free or (named and named not in free):
        return None
    wanted = [named] if named else free
    if not named and len(wanted) != len(sides):
        return None
    if found.get("bare") is not None and any(isinstance(left, Name) and not variables(right) for left, right in sides):
        return None  # "x = 5" tells; it asks nothing
    reading = ", ".join(f"{show(left)} = {show(right)}" for left, right in sides)
    nodes = tuple(node for pair in sides for node in pair)
    return Task("solve", reading, nodes, {"variables": wanted})


def _sides(text: str) -> tuple[Node, Node]:
    sides = text.split("=")
    if len(sides) > 2 or not all(side.strip() for side in sides):
        raise NotMaths
    return parse(sides[0]), parse(sides[1]) if len(sides) == 2 else number(0)
