"""How large a value would be, found without computing it: what is too large is refused at once."""

from __future__ import annotations

import math
from fractions import Fraction

from mixture.providers.symbolic.lexer import MOST_DIGITS
from mixture.providers.symbolic.refusals import TooLarge
from mixture.providers.symbolic.syntax import Call, Name, Node, Num, show

MOST_TERMS = 100
"""The power to which a sum with variables may be raised."""
_SMALL = 60.0
"""Digits of a value that is computed here to find the size of a larger one."""


def check(node: Node) -> None:
    """Raise TooLarge when a number in the value of `node` would have more than MOST_DIGITS digits."""
    _height(node)


def _height(node: Node) -> float:
    """An upper bound of the digits of the numerator or the denominator of the value."""
    if isinstance(node, Num):
        return _digits(node.value)
    if isinstance(node, Name):
        return 1.0
    heights = [_height(arg) for arg in node.args]
    total = _combined(node, heights)
    if not total <= MOST_DIGITS:
        raise TooLarge(f"{_brief(node)} would have more than {MOST_DIGITS} digits")
    return total


def _combined(node: Call, heights: list[float]) -> float:
    if node.name == "^":
        return _power(node, heights)
    if node.name == "!":
        n = _bound(node.args[0], heights[0])
        return n * math.log10(max(n, 2)) if n < 1e6 else math.inf
    if node.name == "choose":
        n, k = (_bound(arg, height) for arg, height in zip(node.args, heights, strict=True))
        return min(n, k, 1e9) * heights[0]
    if node.name == "exp":
        return heights[0] + 20
    return sum(heights) + 0.31 * len(heights)


def _power(node: Call, heights: list[float]) -> float:
    base, exponent = node.args
    if isinstance(base, Name):
        return heights[1] + 1
    times = _bound(exponent, heights[1])
    if times > MOST_TERMS and _has_names(base):
        raise TooLarge(f"{_brief(node)}: a power above {MOST_TERMS} of an expression with variables")
    value = _fold(base)
    height = heights[0] if value is None else _digits(value)
    return max(1.0, height * times) if height else 1.0


def _bound(node: Node, height: float) -> float:
    """An upper bound of the value's size: exact where it is cheap, from its digits otherwise."""
    value = _fold(node)
    if value is not None:
        return abs(float(value)) if _digits(value) < 300 else math.inf
    if _has_names(node):
        return 10.0
    return 10.0**height if height < 300 else math.inf


def _fold(node: Node) -> Fraction | None:
    """The exact value where it is rational and small, else None."""
    if isinstance(node, Num):
        return node.value
    if isinstance(node, Name):
        return None
    values = [_fold(arg) for arg in node.args]
    known = [value for value in values if value is not None]
    if len(known) != len(values) or sum(map(_digits, known)) > _SMALL:
        return None
    return _computed(node.name, known)


def _computed(name: str, values: list[Fraction]) -> Fraction | None:
    match name, values:
        case "+", [a, b]:
            return a + b
        case "-", [a, b]:
            return a - b
        case "*", [a, b]:
            return a * b
        case "/", [a, b] if b:
            return a / b
        case "neg", [a]:
            return -a
        case "%", [a]:
            return a / 100
        case "^", [a, b] if b.denominator == 1 and 0 <= b <= 1_000 and float(b) * _digits(a) <= _SMALL:
            return a ** int(b)
        case _:
            return None


def _digits(value: Fraction) -> float:
    size = max(abs(value.numerator), value.denominator)
    return math.log10(size) if size < 10**300 else size.bit_length() * 0.30103


def _has_names(node: Node) -> bool:
    if isinstance(node, Name):
        return node.name not in ("pi", "e")
    return isinstance(node, Call) and any(_has_names(arg) for arg in node.args)


def _brief(node: Node) -> str:
    text = show(node)
    return text if len(text) <= 60 else text[:57] + "..."
