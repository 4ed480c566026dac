"""Mathematical expressions, written plainly or in LaTeX, in a normal form by what they are worth.

A constant becomes its value; an expression with variables becomes its values at fixed points, by which two that are
equal agree and two that are not do not, but by a chance in a billion (Schwartz 1980, Zippel 1979). That takes the time
of reading the text. What values at a few points can't tell is left to SymPy: see `equality`.
"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from mixture.aggregation.grammar import CALLED, GREEK, read
from mixture.aggregation.latex import in_plain_signs
from mixture.providers.symbolic.syntax import CONSTANTS, Call, Name, Node, Num

LONGEST = 300
"""Characters of an expression that is read."""
EXACT = 1e15
"""Constants from here on are not held exactly, and stay as they are written."""
DIGITS = 9
"""Significant digits to which values are compared."""
POINTS = (0.7390851332, 1.8414709848, 2.6651441427)
"""The first of the values that variables take, one for each evaluation; those of other letters lie beside them."""

# Negation by a difference keeps the imaginary part from becoming -0, which lies on the other side of a branch cut.
_VALUES: Mapping[str, complex] = {"pi": math.pi, "e": math.e, "i": 1j}
_FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    "sqrt": cmath.sqrt, "exp": cmath.exp, "ln": cmath.log, "log": cmath.log10, "sin": cmath.sin, "cos": cmath.cos,
    "tan": cmath.tan, "asin": cmath.asin, "acos": cmath.acos, "atan": cmath.atan, "sinh": cmath.sinh,
    "cosh": cmath.cosh, "tanh": cmath.tanh, "cot": lambda x: 1 / cmath.tan(x), "sec": lambda x: 1 / cmath.cos(x),
    "csc": lambda x: 1 / cmath.sin(x), "abs": abs, "cbrt": lambda x: _power(x, 1 / 3), "neg": lambda x: 0 - x,
    "!": lambda x: _factorial(x),
}  # fmt: skip
_OPERATORS: Mapping[str, Callable[[complex, complex], complex]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "^": lambda a, b: _power(a, b),
}  # fmt: skip
_MATHS = re.compile(
    r"\\|\^|\u221a|\u03c0|\bpi\b|\d\s*[a-ciknp-rwxyz]\b(?![a-z])|[-+*/=(].*[a-z\d]|[a-z\d].*[-+*/=)!]|\|.*\||"
    rf"(?<![a-z])(?:{'|'.join(sorted(CALLED))})(?![a-z])|\d\s*(?:{'|'.join(sorted(GREEK))})\b"
)
"""What an expression has that is more than a number or a word."""
NAMED = re.compile(r"^\s*[a-zA-Z](?:\([a-zA-Z]\))?\s*=(?!=)\s*")


@lru_cache(maxsize=1024)
def tree(text: str) -> Node | None:
    """The expression that `text` is; None when it is none."""
    signs = None if len(text) > LONGEST else in_plain_signs(NAMED.sub("", text))
    if signs is None:
        return None
    try:
        return read(signs)
    except ValueError:
        return None


def valued(text: str) -> str | None:
    """The normal form of the expression `text`; None when it is none. A constant's is that of its number."""
    signs = None if len(text) > LONGEST else in_plain_signs(NAMED.sub("", text))
    node = None if signs is None or _MATHS.search(signs) is None else tree(text)
    values = None if node is None else values_of(node)
    if node is None or values is None:
        return None
    if len({_rounded(value) for value in values}) == 1:
        return _shown(values[0]) if abs(values[0]) < EXACT else None
    return f"f = {' '.join(map(_rounded, values))}"


def values_of(node: Node) -> list[complex] | None:
    """The values of `node` at the points; None when it has none there, or one that is too large."""
    try:
        found = [_value(node, point) for point in POINTS]
    except (ValueError, ZeroDivisionError, OverflowError, RecursionError):
        return None
    return found if all(map(cmath.isfinite, found)) else None


def parts(node: Node) -> Iterator[Node]:
    """`node` and everything in it."""
    yield node
    if isinstance(node, Call):
        for arg in node.args:
            yield from parts(arg)


def _value(node: Node, point: float) -> complex:
    if isinstance(node, Num):
        return complex(float(node.value))
    if isinstance(node, Name):
        name = node.name
        return _VALUES[name] if name in CONSTANTS else complex(point + sum(map(ord, name)) / 1009)
    values = [_value(arg, point) for arg in node.args]
    return complex(_OPERATORS[node.name](*values) if len(values) > 1 else _FUNCTIONS[node.name](*values))


def _shown(value: complex) -> str:
    """A constant, as numbers are shown."""
    if abs(value.imag) > 1e-9 * max(1.0, abs(value)):
        return f"{_rounded(complex(value.real))} + {_rounded(complex(value.imag))}i"
    real = round(value.real, 6)
    return str(int(real)) if real == int(real) else f"{real:.6f}".rstrip("0")


def _rounded(value: complex) -> str:
    found = [0.0 if abs(part) < 1e-9 * max(1.0, abs(value)) else part for part in (value.real, value.imag)]
    return ":".join(f"{part:.{DIGITS - 1}g}" for part in found)


def _power(base: complex, exponent: complex) -> complex:
    if abs(exponent) > 1000 or (base != 0 and abs(exponent) * abs(cmath.log(base)) > 600):
        raise OverflowError("too large")
    if base.imag == 0 and base.real < 0 and abs(exponent - 1 / 3) < 1e-12:
        return -(complex(-base.real) ** exponent)
    return complex(base**exponent)


def _factorial(value: complex) -> complex:
    if value.imag or value.real != int(value.real) or not 0 <= value.real <= 100:
        raise ValueError("no factorial")
    return complex(float(math.factorial(int(value.real))))
