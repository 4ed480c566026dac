"""Numbers as people and models write them, in one normal form."""

from __future__ import annotations

import re
from fractions import Fraction

_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>[-\u2212+]?)\s*[$€£¥]?\s*(?P<whole>{_DIGITS})"
    rf"(?:\s*(?:\\times|[x×*])\s*10\^?\{{?(?P<power>[-+]?\d+)\}}?|[eE](?P<exponent>[-+]?\d+)\b"  # noqa: RUF001
    rf"|\s+(?P<top>\d+)\s*/\s*(?P<bottom>\d+)|\s*/\s*(?P<divisor>\d+(?:\.\d+)?))?"
    r"(?P<scale>\s*(?:thousand|million|billion|trillion)\b)?",
)
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\{?\s*(-?\d+(?:\.\d+)?)\s*\}?\{?\s*(\d+(?:\.\d+)?)\s*\}?")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_LONGEST_EXPONENT = 300
DECIMALS = 6
"""Decimal places to which numbers are compared: 0.333333 is 1/3."""


def numbers(text: str) -> list[str]:
    """The normal form of every number in `text`, in order."""
    plain = _LATEX_FRACTION.sub(r"\1/\2", text.replace("\\!", "").replace("{,}", ","))
    return [normal for match in _NUMBER.finditer(plain) if (normal := _normal(match)) is not None]


def number(text: str) -> str | None:
    """The normal form of `text` when it is one number, with a sign, a currency or a unit at most; None otherwise."""
    plain = _LATEX_FRACTION.sub(r"\1/\2", text.replace("\\!", "").replace("{,}", ",")).strip()
    match = _NUMBER.search(plain)
    if match is None or re.search(r"\d", plain[match.end() :]) or re.search(r"\w", plain[: match.start()]):
        return None
    return _normal(match)


def _normal(match: re.Match[str]) -> str | None:
    try:
        value = _value(match)
    except (ValueError, ZeroDivisionError):
        return None
    scaled = round(value, DECIMALS)
    return str(scaled.numerator) if scaled.denominator == 1 else format(float(scaled), f".{DECIMALS}f").rstrip("0")


def _value(match: re.Match[str]) -> Fraction:
    value = Fraction(_plain(match["whole"]))
    if match["power"] or match["exponent"]:
        exponent = int(match["power"] or match["exponent"])
        if abs(exponent) > _LONGEST_EXPONENT:
            raise ValueError("the exponent is too large to compare")
        value *= Fraction(10) ** exponent
    elif match["top"]:
        value += Fraction(int(match["top"]), int(match["bottom"]))
    elif match["divisor"]:
        value /= Fraction(match["divisor"])
    if match["scale"]:
        value *= _SCALES[match["scale"].strip()]
    return -value if match["sign"] in ("-", "\u2212") else value


def _plain(digits: str) -> str:
    """Without separators of thousands; a comma that separates no three digits is a decimal one."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        return digits.replace(",", "")
    return digits.replace(",", ".")
