"""Mathematical expressions, written plainly or in LaTeX, in a normal form by what they are worth.

A constant becomes its value; an expression with variables becomes its values at fixed points, by which two that are
equal agree and two that are not do not, but by a chance in a billion (Schwartz 1980, Zippel 1979). No algebra is done,
so that the time is that of reading the text: symbolic simplification has no bound, and what it could not decide in its
time would depend on the load of the machine.
"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Callable, Mapping

LONGEST = 300
"""Characters of an expression that is read."""
DEEPEST = 40
"""Brackets inside brackets."""
EXACT = 1e15
"""Constants from here on are not held exactly, and stay as they are written."""
DIGITS = 9
"""Significant digits to which values are compared."""
POINTS = (0.7390851332, 1.8414709848, 2.6651441427)
"""The first of the values that variables take, one for each evaluation; those of other letters lie beside them."""

_COMMANDS = {
    **dict.fromkeys(("cdot", "times", "ast"), "*"),
    **dict.fromkeys(("div",), "/"),
    **dict.fromkeys(("left", "right", "displaystyle", "quad", "qquad", "big", "Big", "limits"), " "),
    "infty": "oo",
}
_FRACTION = re.compile(r"\\[dt]?frac\s*(\{|\w)")
_MIXED = re.compile(r"(?<![\d.])(\d+)\s*\\[dt]?frac\s*\{(\d+)\}\s*\{(\d+)\}")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_COMMAND = re.compile(r"\\([a-zA-Z]+)|\\[,;:! ]")
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|([a-zA-Z]+)|(\*\*|[-+*/^()!|]))")
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "theta",
        "lambda",
        "mu",
        "nu",
        "rho",
        "sigma",
        "tau",
        "phi",
        "chi",
        "psi",
        "omega",
    ]
)
_FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    "sqrt": cmath.sqrt, "exp": cmath.exp, "ln": cmath.log, "log": cmath.log10, "sin": cmath.sin, "cos": cmath.cos,
    "tan": cmath.tan, "arcsin": cmath.asin, "arccos": cmath.acos, "arctan": cmath.atan, "sinh": cmath.sinh,
    "cosh": cmath.cosh, "tanh": cmath.tanh, "cot": lambda x: 1 / cmath.tan(x), "sec": lambda x: 1 / cmath.cos(x),
    "csc": lambda x: 1 / cmath.sin(x), "abs": abs, "cbrt": lambda x: _power(x, 1 / 3),
}  # fmt: skip
_CLOSING = {"(": ")", "|": "|"}
_CONSTANTS = {"pi": math.pi, "e": math.e, "i": 1j}
_MATHS = re.compile(
    r"\\|\^|\u221a|\u03c0|\bsqrt\b|\bpi\b|\d\s*[a-ciknp-rwxyz]\b(?![a-z])|[-+*/=(].*[a-z\d]|[a-z\d].*[-+*/=)]"
)
NAMED = re.compile(r"^\s*[a-zA-Z](?:\([a-zA-Z]\))?\s*=(?!=)\s*")


def valued(text: str) -> str | None:
    """The normal form of the expression `text`; None when it is none. A constant's is that of its number."""
    plain = None if len(text) > LONGEST else in_plain_signs(NAMED.sub("", text))
    if plain is None or _MATHS.search(plain) is None:
        return None
    try:
        found = [_Reader(plain, point).whole() for point in POINTS]
    except (ValueError, ZeroDivisionError, OverflowError, RecursionError):
        return None
    values = [value for value, _ in found]
    if not all(cmath.isfinite(value) for value in values):
        return None
    variables = found[0][1]
    if not variables:
        return _shown(values[0]) if abs(values[0]) < EXACT else None
    return f"f({','.join(sorted(variables))}) = {' '.join(map(_rounded, values))}"


def _shown(value: complex) -> str:
    """A constant, as numbers are shown."""
    if abs(value.imag) > 1e-9 * max(1.0, abs(value)):
        return f"{_rounded(complex(value.real))} + {_rounded(complex(value.imag))}i"
    real = round(value.real, 6)
    return str(int(real)) if real == int(real) else f"{real:.6f}".rstrip("0")


def _rounded(value: complex) -> str:
    parts = [0.0 if abs(part) < 1e-9 * max(1.0, abs(value)) else part for part in (value.real, value.imag)]
    return ":".join(f"{part:.{DIGITS - 1}g}" for part in parts)


def in_plain_signs(text: str) -> str | None:
    """LaTeX in the signs of a calculator; None when something in it is neither."""
    text = text.replace("\u2212", "-").replace("\u00b7", "*").replace("\u00d7", "*").replace("\u03c0", " pi ")
    text = text.replace("\u221a", " sqrt ").replace("$", "").replace("{,}", "").replace("**", "^")
    text = _MIXED.sub(r"(\1+\2/\3)", _THOUSANDS.sub("", text))
    for _ in range(DEEPEST):
        match = _FRACTION.search(text)
        if match is None:
            break
        top, after = _argument(text, match.start(1))
        bottom, end = _argument(text, after)
        text = f"{text[: match.start()]}(({top})/({bottom})){text[end:]}"
    text = re.sub(r"\\sqrt\s*\[\s*3\s*\]", " cbrt ", text)
    text = _COMMAND.sub(lambda m: _COMMANDS.get(m[1] or "", f" {m[1]} " if m[1] else " "), text)
    text = text.replace("{", "(").replace("}", ")").replace("[", "(").replace("]", ")")
    return text if re.fullmatch(r"[\w\s.+\-*/^()!|=]*", text) and "_" not in text else None


def _argument(text: str, start: int) -> tuple[str, int]:
    """What stands at `start` in braces, or the one sign there, and where it ends."""
    while start < len(text) and text[start].isspace():
        start += 1
    if start >= len(text) or text[start] != "{":
        return text[start : start + 1], start + 1
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place], place + 1
    return text[start + 1 :], len(text)


class _Reader:
    """Reads and evaluates at once: sums of products of powers, with multiplication signs that may be left out."""

    def __init__(self, text: str, point: float) -> None:
        self._tokens: list[str] = []
        end = 0
        for match in _TOKEN.finditer(text):
            if match.start() != end:
                break
            self._tokens.append("^" if match[0].strip() == "**" else match[0].strip())
            end = match.end()
        if text[end:].strip():
            raise ValueError("not an expression")
        self._point, self._place, self._deep = point, 0, 0
        self._variables: set[str] = set()

    def whole(self) -> tuple[complex, set[str]]:
        """The value, and the variables in it."""
        value = self._sum()
        if self._place != len(self._tokens):
            raise ValueError("not an expression")
        return value, self._variables

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._place += 1
        return token

    def _sum(self) -> complex:
        value = self._product()
        while self._peek() in ("+", "-"):
            value = value + self._product() if self._take() == "+" else value - self._product()
        return value

    def _product(self) -> complex:
        sign = 1
        while self._peek() in ("+", "-"):
            sign = -sign if self._take() == "-" else sign
        value = self._factor()
        while self._peek() not in ("", "+", "-", ")", "|", "=", "!", "^"):
            if self._peek() in ("*", "/"):
                value = value * self._signed() if self._take() == "*" else value / self._signed()
            else:
                value *= self._factor()
        return sign * value

    def _signed(self) -> complex:
        if self._peek() in ("+", "-"):
            return -self._signed() if self._take() == "-" else self._signed()
        return self._factor()

    def _factor(self) -> complex:
        value = self._atom()
        if self._peek() == "!":
            self._take()
            value = _factorial(value)
        if self._peek() == "^":
            self._take()
            value = _power(value, self._signed())
        return value

    def _atom(self) -> complex:
        self._deep += 1
        if self._deep > DEEPEST:
            raise ValueError("too deep")
        token = self._take()
        value = self._bracket(token) if token in ("(", "|") else self._named(token)
        self._deep -= 1
        return value

    def _bracket(self, opened: str) -> complex:
        value = self._sum()
        if self._take() != _CLOSING[opened]:
            raise ValueError("an open bracket")
        return value if opened == "(" else complex(abs(value))

    def _named(self, token: str) -> complex:
        if token[:1].isdigit() or token[:1] == ".":
            return complex(float(token))
        if token in _FUNCTIONS:
            power = 1 + 0j
            if self._peek() == "^":  # sin^2 x
                self._take()
                power = self._atom()
            return (
                _power(complex(_FUNCTIONS[token](self._factor())), power)
                if power != 1
                else complex(_FUNCTIONS[token](self._factor()))
            )
        if token in _CONSTANTS:
            return complex(_CONSTANTS[token])
        if (len(token) == 1 and token.isalpha()) or token in _GREEK:
            self._variables.add(token)
            return complex(self._point + sum(map(ord, token)) / 1009)
        raise ValueError("a word")


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
