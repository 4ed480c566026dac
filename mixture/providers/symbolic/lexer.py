"""Text into tokens. Every character must be accounted for; what is not known makes the text not ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from mixture.providers.symbolic.refusals import NotMaths, TooLarge
from mixture.providers.symbolic.syntax import CONSTANTS, FUNCTIONS, Num

MOST_DIGITS = 4_000
"""Digits of a number, read or computed. Python itself writes no integer of more than 4,300."""

Kind = Literal["number", "name", "function", "operator", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `number` is set for numbers, `base` for `log` and `root` with a base of their own."""

    kind: Kind
    text: str
    number: Num | None = None
    base: Num | None = None


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[+-]?\d+(?![\d.a-z]))?|\.\d+)
    |(?P<based>(?:log|root)\#(?:\d+(?:\.\d+)?))
    |(?P<word>[a-z]+)
    |(?P<operator>->|[-+*/^!%(),=])
    )""",
    re.VERBOSE,
)
_WORD_OPERATORS = frozenset({"of", "off", "mod", "choose", "degrees"})
_PRODUCT = re.compile(r"[xyz]{2,3}$")


def tokens(text: str) -> list[Token]:
    """The tokens of lower-case `text`, an `end` last. Raises NotMaths, or TooLarge for a number beyond limits."""
    found: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotMaths
        at = match.end()
        found += _made(match)
    return [*found, Token("end", "")]


def _made(match: re.Match[str]) -> list[Token]:
    if match["number"]:
        return [Token("number", match["number"], read_number(match["number"]))]
    if match["based"]:
        name, _, base = match["based"].partition("#")
        return [Token("function", name, base=read_number(base))]
    if match["operator"]:
        return [Token("operator", match["operator"])]
    return _word(match["word"])


def _word(word: str) -> list[Token]:
    if word in FUNCTIONS:
        return [Token("function", FUNCTIONS[word])]
    if word in _WORD_OPERATORS:
        return [Token("operator", word)]
    if len(word) == 1 or word in CONSTANTS or word == "theta":
        return [Token("name", word)]
    if _PRODUCT.match(word):
        return [Token("name", letter) for letter in word]
    raise NotMaths


def read_number(text: str) -> Num:
    """A decimal numeral, exactly. Raises TooLarge before it makes a number beyond limits."""
    digits, _, exponent = text.replace(",", "").partition("e")
    if len(digits) > MOST_DIGITS or len(exponent) > 5 or abs(int(exponent or 0)) > MOST_DIGITS:
        raise TooLarge(f"a number of more than {MOST_DIGITS} digits")
    return Num(Fraction(digits) * Fraction(10) ** int(exponent or 0), text.replace(",", ""))
