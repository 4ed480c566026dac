"""Results as text: exact, and decimal where they are no whole number."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp

from mixture.providers.symbolic.refusals import TooLarge

LONGEST = 4_200
"""Characters of a result: what is longer is no answer for a reader."""
_BRIEF = 60
"""Characters of an exact value beside its decimal one; longer ones are left out."""
_SPELLING = [
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\blog\("), "ln("),
    (re.compile(r"\bexp\((\w+)\)"), r"e^\1"),
    (re.compile(r"\bexp\("), "e^("),
    (re.compile(r"\bE\b"), "e"),
    (re.compile(r"\bI\b"), "i"),
    (re.compile(r"\bAbs\b"), "abs"),
    (re.compile(r"\bzoo\b|\bnan\b"), "undefined"),
    (re.compile(r"\boo\b"), "∞"),
]


def exact(value: Any) -> str:
    """An expression as text. Raises TooLarge."""
    text = str(value)
    if len(text) > LONGEST:
        raise TooLarge("an answer of that length")
    for pattern, replacement in _SPELLING:
        text = pattern.sub(replacement, text)
    return text


def result(value: Any, suffix: str = "", said: str = "") -> str:
    """A value with what joins it to the question: "= 87/7 ≈ 12.4286", "= 3/4 = 0.75", "≈ 1.69897".

    An exact value that is long, or that only repeats what was `said`, is left out where there is a decimal one.
    """
    if value.has(sp.nan, sp.zoo):
        return "is undefined"
    shown = exact(value)
    if value.is_Integer or value.free_symbols or value in (sp.oo, -sp.oo):
        return f"= {shown}{suffix}"
    decimal = terminating(value)
    if decimal is not None:
        return f"= {decimal}{suffix}" if suffix or len(shown) > _BRIEF or not value.is_Rational \
            else f"= {shown} = {decimal}"  # fmt: skip
    near = approximate(value)
    repeats = shown.replace(" ", "") == said.replace(" ", "")
    plain = len(shown) <= _BRIEF and not suffix and not repeats and not _opaque(value)
    if near is None:
        return f"= {shown}{suffix}"
    if shown == near:
        return f"= {shown}{suffix}"
    return f"= {shown} ≈ {near}" if plain else f"≈ {near}{suffix}"


def measured(value: Any) -> str:
    """A measure with what joins it to the question: in decimals, since nobody measures in fractions."""
    decimal = terminating(value)
    if decimal is not None:
        return f"= {decimal}"
    return f"≈ {approximate(value)}" if value.is_Rational else result(value)


def terminating(value: Any) -> str | None:
    """The decimal form of a rational number where it ends within twelve places, else None."""
    if not value.is_Rational or value.is_Integer:
        return str(value) if value.is_Integer else None
    for places in range(1, 13):
        scaled = value * 10**places
        if scaled.is_Integer:
            digits = str(abs(scaled)).rjust(places + 1, "0")
            return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    return None


def approximate(value: Any) -> str | None:
    """About six significant digits of a number, four places at least; None for what has no decimal form."""
    number = sp.N(value, 30)
    if number.is_real is False and number.is_number:
        real, imaginary = (_rounded(part) for part in number.as_real_imag())
        if real is None or imaginary is None:
            return None
        sign, size = ("-", imaginary[1:]) if imaginary.startswith("-") else ("+", imaginary)
        unit = "i" if size == "1" else f"{size}*i"
        return f"{sign.strip('+')}{unit}" if real == "0" else f"{real} {sign} {unit}"
    return _rounded(number)


def _rounded(number: Any) -> str | None:
    if number == 0:
        return "0"
    if not number.is_Float and not number.is_Rational:
        return None
    size = int(sp.floor(sp.log(abs(number), 10)))
    if not -5 <= size < 15:
        mantissa, _, exponent = str(sp.N(number, 6)).partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent):+d}" if exponent else mantissa
    places = max(4, 5 - size)
    return f"{round(number, places):.{places}f}".rstrip("0").rstrip(".")


def _opaque(value: Any) -> bool:
    """Whether the exact form tells a reader nothing: logarithms of numbers, floor of something."""
    return bool(value.has(sp.log, sp.Float)) and bool(value.is_number)
