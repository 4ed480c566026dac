"""Questions of calculus: derivatives, integrals, limits, sums and products over a range."""

from __future__ import annotations

import re

from mixture.providers.symbolic.parser import parse
from mixture.providers.symbolic.refusals import NotMaths
from mixture.providers.symbolic.syntax import Call, Name, Node, natural, show, variables
from mixture.providers.symbolic.tasks import Task

_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5}
_V = "[a-z]|theta"
_WRT = rf"(?:,? (?:with respect to|wrt|in terms of|by) (?P<v>{_V}))?"
_DERIVATIVE = re.compile(
    rf"(?:(?P<nth>{'|'.join(_ORDINALS)}) )?(?:derivative of|derive|differentiate|d/d(?P<d>{_V})(?: of)?)"
    rf"(?: function)? ?(?P<body>.+?){_WRT}(?:,? at (?P<v2>{_V}) ?= ?(?P<at>.+))?$"
)
_INTEGRAL = re.compile(
    rf"(?:(?:definite |indefinite )?integral of|integrate|antiderivative of)(?: function)? (?P<body>.+?)"
    rf"(?: ?\bd(?P<d>{_V}))?{_WRT}"
    rf"(?:,? (?:from|between)(?: [a-z] ?=)? (?P<low>.+?) (?:to|and)(?: [a-z] ?=)? (?P<high>.+?))?"
    rf"(?: ?\bd(?P<d2>{_V}))?{_WRT.replace('P<v>', 'P<v2>')}$"
)
_LIMIT = re.compile(
    rf"lim(?:it)?(?: of)? (?P<body>.+?),? (?:as|when|for) (?P<v>{_V}) ?(?:approaches|goes to|tends to|->|-> to|to) ?"
    r"(?P<to>.+?)(?: from (?:the )?(?P<side>left|right|above|below))?$"
)
_LIMIT_FIRST = re.compile(
    rf"lim(?:it)? (?:as )?\(?(?P<v>{_V}) ?(?:approaches|goes to|tends to|->) ?"
    r"(?P<to>-?(?:\d+(?:\.\d+)?|oo|pi|e|[a-z]))\)?(?P<side>)(?: of)? (?P<body>.+)$"
)
_SUM = re.compile(
    rf"(?P<kind>sum|summation|product)(?: of)? (?P<body>.+?)(?:,? (?:for|as|where))? (?:from )?(?P<v>{_V})"
    r" ?(?:=|from|goes from) ?(?P<low>.+?) to (?P<high>.+)$"
)
_COUNTED = re.compile(
    r"(?P<kind>sum|product)(?: of)?(?: all)?(?: positive| natural)? (?:integers|numbers|whole numbers)(?: from)? "
    r"(?P<low>.+?) (?:to|through) (?P<high>.+)$"
)
_FIRST = re.compile(r"(?P<kind>sum) of first (?P<high>\d+) (?:positive |natural )?(?:integers|numbers|whole numbers)$")


def read(text: str) -> Task | None:
    """The task of calculus that `text` asks for, None when it asks for none. Raises NotMaths."""
    forms = ((_DERIVATIVE, _derivative), (_INTEGRAL, _integral), (_LIMIT, _limit), (_LIMIT_FIRST, _limit),
             (_COUNTED, _range), (_FIRST, _range), (_SUM, _range))  # fmt: skip
    for pattern, made in forms:
        match = pattern.match(text)
        if match:
            return made(match.groupdict())
    return None


def _variable(node: Node, named: str | None) -> str:
    """The variable that is meant: the one named, or the only one there is; x for a constant. Raises NotMaths."""
    free = variables(node)
    if named:
        return named
    if len(free) > 1:
        raise NotMaths
    return free.pop() if free else "x"


def _body(text: str) -> Node:
    """The function itself; "f(x) = x^2" is x^2. Raises NotMaths for a function that is only named."""
    node = natural(parse(re.sub(r"^(?:[fgh]\([a-z]\)|y) ?= ?", "", text)))
    if isinstance(node, Name) and node.name in "fgh":
        raise NotMaths
    return node


def _derivative(found: dict[str, str | None]) -> Task:
    node = _body(found["body"] or "")
    variable = _variable(node, found["v"] or found["d"] or found["v2"])
    order = _ORDINALS.get(found["nth"] or "first", 1)
    at = (parse(found["at"]),) if found["at"] else ()
    mark = "d" if order == 1 else f"d^{order}"
    under = f"d{variable}" if order == 1 else f"d{variable}^{order}"
    reading = f"{mark}/{under} ({show(node)})" + (f" at {variable} = {show(at[0])}" if at else "")
    return Task("derivative", reading, (node, *at), {"variable": variable, "order": order})


def _integral(found: dict[str, str | None]) -> Task:
    node = _body(found["body"] or "")
    variable = _variable(node, found["d"] or found["d2"] or found["v"] or found["v2"])
    bounds = (parse(found["low"]), parse(found["high"])) if found["low"] and found["high"] else ()
    span = f" from {show(bounds[0])} to {show(bounds[1])}" if bounds else ""
    return Task("integral", f"∫ {_bracketed(node)} d{variable}{span}", (node, *bounds), {"variable": variable})


def _limit(found: dict[str, str | None]) -> Task:
    node, point = _body(found["body"] or ""), parse(found["to"] or "")
    variable = found["v"] or "x"
    side = {"left": "-", "below": "-", "right": "+", "above": "+"}.get(found["side"] or "", "+-")
    shown = {"-": " from below", "+": " from above"}.get(side, "")
    reading = f"limit of {show(node)} as {variable} → {show(point)}{shown}"
    return Task("limit", reading, (node, point), {"variable": variable, "side": side})


def _range(found: dict[str, str | None]) -> Task:
    variable = found.get("v") or "k"
    node = _body(found["body"] or "") if found.get("body") else Name(variable)
    low, high = parse(found.get("low") or "1"), parse(found["high"] or "")
    kind = "product" if found["kind"] == "product" else "sum"
    if variables(node) - {variable}:
        raise NotMaths
    reading = f"{kind} of {show(node)} for {variable} = {show(low)} to {show(high)}"
    return Task(kind, reading, (node, low, high, *_largest(node, variable, high)), {"variable": variable})


def _largest(node: Node, variable: str, high: Node) -> tuple[Node, ...]:
    """The last term, so that its size is checked; nothing for an endless sum."""
    if "oo" in show(high) or high == Name("oo"):
        return ()
    return (_put(node, variable, high),)


def _put(node: Node, variable: str, value: Node) -> Node:
    if isinstance(node, Name):
        return value if node.name == variable else node
    if isinstance(node, Call):
        return Call(node.name, tuple(_put(arg, variable, value) for arg in node.args))
    return node


def _bracketed(node: Node) -> str:
    text = show(node)
    return f"({text})" if isinstance(node, Call) and node.name in ("+", "-", "neg") else text
