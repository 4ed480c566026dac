"""Answers that are made of others: tuples, intervals and their unions, sets; and dates."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

LONGEST = 400
"""Characters of an answer that is taken apart."""
Part = Callable[[str], str]
"""The normal form of a part."""

_ENCLOSED = re.compile(r"^([(\[])(.*)([)\]])$", re.DOTALL)
_BRACED = re.compile(r"^\\?\{(.*?)\\?\}$", re.DOTALL)
_SOLUTIONS = re.compile(
    r"^(?:[a-zA-Z]\s*(?:=|\\in)\s*)?([^=<>]+?)(?:\s*(?:,|;|\bor\b|\band\b|\\text\{\s*or\s*\})\s*)+", re.DOTALL
)
_SPLIT = re.compile(r"\s*(?:,?\s*\bor\b|,?\s*\band\b|;|,(?!\d{3}\b))\s*")
_NAME = re.compile(r"^[a-zA-Z]\s*=\s*")
_MEMBER = re.compile(r"^[a-zA-Z]\s*(?:\\in|\u2208|in)\s*(?=[(\[{\\])")
_BETWEEN = re.compile(r"^(.+?)\s*(<=|<)\s*[a-zA-Z]\s*(<=|<)\s*(.+)$")
_BOUND = re.compile(r"^[a-zA-Z]\s*(<=|<|>=|>)\s*(.+)$")
_MATRIX = re.compile(r"^[(\[]?\\begin\{([pbvB]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}[)\]]?$", re.DOTALL)
_EITHER = re.compile(r"(?:\\pm(?![a-zA-Z])|\u00b1|\+/-|\+-)\s*")
_INFINITE = re.compile(r"^([+-]?)\s*(?:\\infty|\u221e|infinity|inf|oo)$", re.IGNORECASE)
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"), 1
    )
    for name in names.split()
}  # fmt: skip
_ISO = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:T00:00(?::00)?Z?)?$")
_WRITTEN = re.compile(
    r"^(?:(?:on\s+)?(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?\s+)?(?:the\s+)?"
    r"(?:(?P<day>\d{1,2})(?:st|nd|rd|th)?(?:\s+of)?\s+(?P<month>[a-z]{3,9})\.?|"
    r"(?P<month2>[a-z]{3,9})\.?\s+(?P<day2>\d{1,2})(?:st|nd|rd|th)?),?\s+(?P<year>\d{4})$",
    re.IGNORECASE,
)
_NUMERIC = re.compile(r"^(\d{1,2})([/.])(\d{1,2})\2(\d{4})$")


def structured(text: str, part: Part) -> str | None:
    r"""The normal form of a tuple, an interval, a union of intervals, a set or a matrix; None when `text` is none of
    them.

    Sets are sorted and hold nothing twice; solutions ("x = 1 or x = 2", "1, 2") are sets, and `0 \le x < 1` is an
    interval.
    """
    if len(text) > LONGEST:
        return None
    plain = _signs(text)
    matrix = _MATRIX.match(plain)
    if matrix is not None:
        return _matrix(matrix[2], part)
    whole = _MEMBER.sub("", plain)
    united = [_one(piece.strip(), part) for piece in re.split(r"\\cup|\u222a|\bU\b", whole)]
    if len(united) > 1 and all(united):
        return " u ".join(sorted(str(piece) for piece in united))
    return _one(whole, part) or _inequality(plain, part) or _solutions(plain, part)


def _signs(text: str) -> str:
    text = re.sub(r"\\(?:left|right|bigl?|bigr?|,|;|!|quad|displaystyle)(?![a-zA-Z])\s*", "", text)
    text = re.sub(r"\\leq?(?![a-zA-Z])|\u2264|=<", "<=", text)
    text = re.sub(r"\\geq?(?![a-zA-Z])|\u2265", ">=", text)
    text = re.sub(r"\\lt(?![a-zA-Z])", "<", re.sub(r"\\gt(?![a-zA-Z])", ">", text))
    return text.replace("\\lbrace", "{").replace("\\rbrace", "}").strip().rstrip(".")


def _one(text: str, part: Part) -> str | None:
    braced = _BRACED.match(text)
    if braced is not None:
        return _set(_pieces(braced[1]), part)
    enclosed = _ENCLOSED.match(text)
    if enclosed is None:
        return None
    pieces = _pieces(enclosed[2])
    if len(pieces) < 2:
        return None
    return f"{enclosed[1]}{', '.join(_end(piece, part) for piece in pieces)}{enclosed[3]}"


def _set(pieces: list[str], part: Part) -> str:
    single = [one for piece in pieces for one in _either(_NAME.sub("", piece)) if one]
    return "{" + ", ".join(sorted({_end(piece, part) for piece in single})) + "}"


def _end(text: str, part: Part) -> str:
    """A part, which may be one made of others, or without end."""
    infinite = _INFINITE.match(text)
    if infinite is not None:
        return f"{'-' if infinite[1] == '-' else ''}oo"
    return (_one(text, part) if text[:1] in "([{\\" else None) or part(text)


def _pieces(text: str) -> list[str]:
    """What stands between the commas that are in no bracket. A comma before three digits separates thousands only in a
    text without blanks behind commas.
    """
    found, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(sign, 0)
        if sign in ",;" and depth == 0:
            found.append(text[start:place].strip())
            start = place + 1
    return [*found, text[start:].strip()]


def _matrix(cells: str, part: Part) -> str:
    """Row by row; a row or column is another thing than a tuple."""
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", cells) if row.strip()]
    return "; ".join(f"[{', '.join(_end(cell.strip(), part) for cell in row.split('&'))}]" for row in rows)


def _either(piece: str) -> list[str]:
    """What a piece with a sign of plus or minus stands for."""
    if _EITHER.search(piece) is None:
        return [piece]
    return [_EITHER.sub(sign, piece).strip().removeprefix("+").strip() for sign in "+-"]


def _expanded(piece: str) -> list[str]:
    """The solutions in a piece, with the name that stands before them."""
    name = _NAME.match(piece)
    if name is None:
        return _either(piece)
    return [f"{name[0]}{one}" for one in _either(piece[name.end() :])]


def _inequality(text: str, part: Part) -> str | None:
    between = _BETWEEN.match(text)
    if between is not None:
        low, left, right, high = between.groups()
        return f"{'[' if left == '<=' else '('}{_end(low, part)}, {_end(high, part)}{']' if right == '<=' else ')'}"
    bound = _BOUND.match(text)
    if bound is None:
        return None
    sign, value = bound[1], _end(bound[2], part)
    if sign[0] == "<":
        return f"(-oo, {value}{']' if sign == '<=' else ')'}"
    return f"{'[' if sign == '>=' else '('}{value}, oo)"


def _solutions(text: str, part: Part) -> str | None:
    """Several numbers or equations beside each other: the order in which they are given says nothing."""
    text = re.sub(r"\\text\s*\{\s*(or|and)\s*\}", r" \1 ", text)
    pieces = [one for piece in _SPLIT.split(text) if piece for one in _expanded(piece)]
    if len(pieces) < 2 or not all(
        _NAME.match(piece) or re.match(r"^[-+]?(?:\d|\\d?frac|\\sqrt)", piece) for piece in pieces
    ):
        return None
    if len({_NAME.match(piece)[0].strip(" =") for piece in pieces if _NAME.match(piece)}) > 1:  # type: ignore[index]
        return None
    return _set(pieces, part)


def dated(text: str) -> str | None:
    """The date that `text` is, as in ISO 8601; None when it is none, or its day and month can't be told apart."""
    plain = text.strip().rstrip(".")
    found = _ISO.match(plain)
    if found is not None:
        return _date(*map(int, found.groups()))
    written = _WRITTEN.match(plain)
    if written is not None:
        month = _MONTHS.get((written["month"] or written["month2"]).lower())
        return None if month is None else _date(int(written["year"]), month, int(written["day"] or written["day2"]))
    numeric = _NUMERIC.match(plain)
    if numeric is None:
        return None
    first, second, year = int(numeric[1]), int(numeric[3]), int(numeric[4])
    if first > 12 or first == second or numeric[2] == ".":
        return _date(year, second, first)
    return _date(year, first, second) if second > 12 else None


def _date(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
