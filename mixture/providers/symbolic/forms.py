"""Questions about numbers: percentages, lists of numbers, yes or no, and plain expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce

from mixture.providers.symbolic.parser import parse
from mixture.providers.symbolic.refusals import NotMaths
from mixture.providers.symbolic.syntax import Call, Name, Node, Num, natural, number, show, variables
from mixture.providers.symbolic.tasks import Task

Form = Callable[[str], Task | None]

IDIOMS = re.compile(
    r"(?:9/11|24/7|50/50|7/11|7-11|4/20|\d+-\d+-\d+|\d+/\d+/\d+|\d{3}-\d{4}|(?:1[5-9]|20)\d\d[-/]\d{2,4}|4x4|10-4|\+\d+)$"
)
"""What looks like a sum and is a date, a telephone number, a span of years, a saying."""
_COMMON = frozenset("xyztn")
"""The letters that are variables also where nobody says so."""
_LISTS = {
    "sum": "+", "total": "+", "product": "*", "average": "mean", "mean": "mean", "median": "median",
    "gcd": "gcd", "greatest common divisor": "gcd", "greatest common factor": "gcd", "gcf": "gcd", "hcf": "gcd",
    "highest common factor": "gcd", "lcm": "lcm", "least common multiple": "lcm", "lowest common multiple": "lcm",
    "maximum": "max", "max": "max", "largest": "max", "minimum": "min", "min": "min", "smallest": "min",
    "difference": "-", "quotient": "/",
}  # fmt: skip
_LIST = re.compile(rf"({'|'.join(sorted(_LISTS, key=len, reverse=True))})(?: of| between)?:? (.+)$")
_PAIRS: list[tuple[re.Pattern[str], str, bool]] = [
    (re.compile(r"add(?: up)? (.+?) (?:and|to|with) (.+)$"), "+", False),
    (re.compile(r"subtract (.+?) from (.+)$"), "-", True),
    (re.compile(r"(?:multiply|\*) (.+?) (?:and|by|with|\*) (.+)$"), "*", False),
    (re.compile(r"divide (.+?) (?:by) (.+)$"), "/", False),
    (re.compile(r"remainder (?:of|when|if) (.+?) (?:is )?(?:/|divided by) (.+)$"), "mod", False),
    (re.compile(r"how many \* (?:does|can|do|will|would) (.+?) (?:go|fit) (?:in)?to (.+)$"), "/", True),
]
_PERCENTS: list[tuple[re.Pattern[str], Callable[[Node, Node], Node], str]] = [
    (re.compile(r"(?:what )?(?:%|percentage) of (.+?) (?:is|are) (.+)$"), lambda b, a: _share(a, b), "%"),
    (re.compile(r"(.+?) (?:is|are|as) (?:what |an? )?(?:%|percentage) of (.+)$"), lambda a, b: _share(a, b), "%"),
    (re.compile(r"(?:what )?(?:%|percentage) is (.+?) (?:out )?of (.+)$"), lambda a, b: _share(a, b), "%"),
    (re.compile(r"(?:%|percentage) (?:change|increase|decrease) from (.+?) to (.+)$"),
     lambda a, b: _share(Call("-", (b, a)), a), "%"),
    (re.compile(r"increase (.+?) by (.+? ?%)$"), lambda a, p: _grown(a, p, "+"), ""),
    (re.compile(r"(.+?) increased by (.+? ?%)$"), lambda a, p: _grown(a, p, "+"), ""),
    (re.compile(r"(?:decrease|reduce) (.+?) by (.+? ?%)$"), lambda a, p: Call("off", (p, a)), ""),
    (re.compile(r"(.+?) (?:decreased|reduced) by (.+? ?%)$"), lambda a, p: Call("off", (p, a)), ""),
    (re.compile(r"(?:an? )?(.+? ?%) tip (?:on|for|of)(?: an?)? (.+)$"), lambda p, a: Call("of", (p, a)), ""),
    (re.compile(r"(.+?) (?:is|are) (.+? ?%) of (?:what|which)(?: number)?$"), lambda a, p: Call("/", (a, p)), ""),
]  # fmt: skip
_AS_PERCENT = re.compile(r"(?:express |write |convert )?(.+?) (?:as|to|in) (?:an? )?(?:%|percentage)$")
_AS_NUMBER = re.compile(r"(?:express |write |convert )?(.+?) (?:as|to|in) (?:an? )?(?:decimal|fraction)(?: number)?$")
_CHECKS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"(?:is|check (?:if|whether)|whether) (.+?) (?:is )?(?:an? )?prime(?: number)?$"), "prime"),
    (re.compile(r"(?:is) (.+?) (?:an? )?even(?: number)?(?: or odd)?$"), "even"),
    (re.compile(r"(?:is) (.+?) (?:an? )?odd(?: number)?(?: or even)?$"), "odd"),
    (re.compile(r"(?:is) (.+?) divisible by (.+)$"), "divisible"),
    (re.compile(r"(?:is|does) (.+?) ?(?:=|equals?(?: to)?) ?(.+)$"), "="),
    (re.compile(r"(?:is) (.+?) (?:greater|bigger|larger|more) than (.+)$"), ">"),
    (re.compile(r"(?:is) (.+?) (?:less|smaller|lower) than (.+)$"), "<"),
]
_FACTORS = re.compile(r"(?:prime factor(?:s|i[sz]ation)? of|(?:prime )?factor(?:i[sz]e)?(?: number)?) (\d[\d,]*)$")
_COMMAS = re.compile(r"\s*(?:,\s*and\s+|,(?!\d{3}(?!\d))|,\s+|\s+and\s+)\s*")


def compute(text: str) -> Task | None:
    """A plain expression: "15% of 80 plus 3/7". Raises NotMaths."""
    node = parse(text)
    if not _asks(node):
        return None
    names = variables(node)
    if not names:
        return _computed(node)
    # without a verb that says so, only a sum or a product of the usual letters is algebra
    return _rewriting("simplify", node) if names <= _COMMON and re.search(r"[-+*/(]", text) else None


def read(text: str) -> Task | None:
    """A question of a known form about numbers. Raises NotMaths."""
    for read_form in (_factors, _checked, _percent, _listed, _paired, _named):
        try:
            task = read_form(text)
        except NotMaths:
            continue
        if task is not None:
            return task
    return None


def numeric(text: str) -> Node:
    """An expression without variables. Raises NotMaths."""
    node = parse(text)
    if variables(node):
        raise NotMaths
    return node


def _asks(node: Node) -> bool:
    """Whether there is something to compute: not a number alone, nor a constant, a sign, a percentage."""
    while isinstance(node, Call) and node.name in ("neg", "%", "degrees"):
        node = node.args[0]
    return isinstance(node, Call)


def _factors(text: str) -> Task | None:
    match = _FACTORS.match(text)
    if match is None:
        return None
    node = parse(match[1])
    return Task("factors", show(node), (node,))


def _checked(text: str) -> Task | None:
    for pattern, kind in _CHECKS:
        match = pattern.match(text)
        if match:
            nodes = tuple(numeric(group) for group in match.groups())
            return Task("check", show(nodes[0]), nodes, {"what": kind, "other": show(nodes[-1])})
    sides = text.split("=")
    if len(sides) == 2 and all(side.strip() for side in sides):
        left, right = map(numeric, sides)
        return Task("check", show(left), (left, right), {"what": "=", "other": show(right)}) if _asks(left) else None
    return None


def _percent(text: str) -> Task | None:
    match = _AS_PERCENT.match(text)
    if match:
        node = numeric(match[1])
        return Task("compute", show(node), (Call("*", (node, number(100))),), {"suffix": "%"})
    match = _AS_NUMBER.match(text)
    if match:
        return _computed(numeric(match[1]))
    for pattern, made, suffix in _PERCENTS:
        match = pattern.match(text)
        if match:
            first, second = (numeric(group) for group in match.groups())
            node = made(first, second)
            reading = _share_said(first, second, text) if suffix else show(node)
            return Task("compute", reading, (node,), {"suffix": suffix})
    return None


def _share_said(first: Node, second: Node, text: str) -> str:
    if "from" in text:
        return f"change from {show(first)} to {show(second)}"
    part, whole = (second, first) if re.match(r"(?:what )?(?:%|percentage) of ", text) else (first, second)
    return f"{show(part)} as a share of {show(whole)}"


def _share(part: Node, whole: Node) -> Node:
    return Call("*", (Call("/", (part, whole)), number(100)))


def _grown(amount: Node, percent: Node, sign: str) -> Node:
    return Call("*", (amount, Call(sign, (number(1), percent))))


def _listed(text: str) -> Task | None:
    match = _LIST.match(text)
    if match is None:
        return None
    name = _LISTS[match[1]]
    items = _items(match[2])
    if len(items) == 1:
        whole = name in "+-*/" and isinstance(items[0], Call) and items[0].name == name
        return _computed(items[0]) if whole else None
    if name in ("-", "/") and len(items) != 2:
        return None
    if name == "median":
        return Task("median", f"median({', '.join(map(show, items))})", tuple(items))
    if name == "mean":
        total = _chained("+", items)
        return Task("compute", f"mean({', '.join(map(show, items))})", (Call("/", (total, number(len(items)))),))
    return _computed(_chained(name, items) if name in "+-*/" else Call(name, tuple(items)))


def _items(text: str) -> list[Node]:
    pieces = [piece for piece in _COMMAS.split(text) if piece]
    if len(pieces) > 100:
        raise NotMaths
    return [numeric(piece) for piece in pieces]


def _chained(operator: str, items: Sequence[Node]) -> Node:
    return reduce(lambda left, right: Call(operator, (left, right)), items)


def _paired(text: str) -> Task | None:
    for pattern, operator, swapped in _PAIRS:
        match = pattern.match(text)
        if match:
            first, second = numeric(match[1]), numeric(match[2])
            return _computed(Call(operator, (second, first) if swapped else (first, second)))
    if text.startswith("add up "):
        return _computed(_chained("+", _items(text.removeprefix("add up "))))
    return None


def _computed(node: Node) -> Task:
    return Task("compute", show(node), (node,))


_ALGEBRA = {
    "simplify": "simplify", "expand": "expand", "multiply out": "expand", "factor": "factor", "factorise": "factor",
    "factorize": "factor", "factor completely": "factor",
}  # fmt: skip
_NAMED = re.compile(rf"({'|'.join(sorted(_ALGEBRA, key=len, reverse=True))})(?: polynomial| expression)?:? (.+)$")


def _named(text: str) -> Task | None:
    match = _NAMED.match(text)
    if match is None:
        return None
    node, kind = parse(match[2]), _ALGEBRA[match[1]]
    if isinstance(node, Num | Name):
        return None
    if not variables(node):
        return Task("factors", show(node), (node,)) if kind == "factor" else _computed(node)
    return _rewriting(kind, node)


def _rewriting(kind: str, node: Node) -> Task:
    node = natural(node)
    return Task(kind, show(node), (node,))
