"""The normal form of a short answer, so that answers that mean the same are the same."""

from __future__ import annotations

import re
from typing import Literal

from mixture.aggregation.equality import Form
from mixture.aggregation.expressions import NAMED, tree, valued
from mixture.aggregation.numerals import number, numbers
from mixture.aggregation.structures import dated, structured
from mixture.providers.symbolic.syntax import Node

Kind = Literal["number", "choice", "yes_no", "free"]
"""What a question asks for."""

_MARKUP = re.compile(r"\*\*|__|`|\\[()\[\]]|\\(?:left|right|displaystyle|,|;|!)(?![a-zA-Z])|(?<!\\)\$(?!\d)")
_WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mathbf|boxed)\s*\{([^{}]*)\}")
_CHOICE = re.compile(r"^[^\w]*(?:(?:option|choice|answer)\s*)?\(?([A-Ja-j])\)?(?:[).:,\s]|$)")
_SIGNS = re.compile(
    r"\\(?!text|mathrm|\$|%|,|!|circ)[a-zA-Z]|\^|\u221a|\u03c0|\bsqrt\b|\bpi\b|\d\s*[a-ciknp-rwxyz]\b|[({\[|\u00b1]"
)
"""What a number has that is more than one."""
_POWER = re.compile(r"(?<=[\w)])\*\*(?=[-\d(])")
"""A power as in Python, which is not the bold of Markdown."""
_UNIT_POWER = re.compile(r"(?<=\d)\s*(?:[a-z]{2,6}|m)\s*\^\s*\{?[23]\}?$")
"""Square and cubic units behind a number."""
_BOOLEANS = {"yes": "yes", "true": "yes", "correct": "yes", "no": "no", "false": "no", "incorrect": "no"}
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_SEPARATORS = re.compile(r"[^\w%/+\-.^=]+")


def normalised(answer: str, kind: Kind) -> str:
    """The normal form of `answer`; empty when it says nothing."""
    plain = _unwrapped(answer)
    if kind == "choice" and (choice := _CHOICE.match(plain)):
        return choice.group(1).upper()
    word = plain.lower().split(None, 1)[0].strip(".,!;:") if plain.split() else ""
    if kind == "yes_no" and word in _BOOLEANS:
        return _BOOLEANS[word]
    said = dated(plain) or _mathematical(NAMED.sub("", plain))
    if said is None and kind == "number" and (found := numbers(plain)):
        return found[0]
    return _words(plain) if said is None else said


def _mathematical(plain: str) -> str | None:
    """A number, something made of parts, or an expression."""
    if _SIGNS.search(plain) is None and (single := number(plain)) is not None:
        return single
    return structured(plain, _part) or valued(plain) or number(plain)


def formed(answer: str) -> Form | None:
    """The expressions in `answer`, for what their values can't tell; None when there are none."""
    plain = NAMED.sub("", _unwrapped(answer))
    found: list[tuple[str, Node | None]] = []

    def part(text: str) -> str:
        found.append((_part(text), tree(NAMED.sub("", text.strip()))))
        return found[-1][0]

    if structured(plain, part) is None:
        found = [(_part(plain), tree(plain))]
    if all(node is None for _, node in found):
        return None
    return Form(tuple(sorted(dict.fromkeys(found), key=lambda one: one[0])))


def _part(text: str) -> str:
    """The normal form of a part of an answer."""
    plain = NAMED.sub("", text.strip())
    if _SIGNS.search(plain) is None and (single := number(plain)) is not None:
        return single
    return valued(plain) or number(plain) or _words(plain)


def _unwrapped(answer: str) -> str:
    previous, plain = None, answer.strip()
    while previous != plain:
        previous, plain = plain, _WRAPPED.sub(r"\1", plain)
    plain = _UNIT_POWER.sub("", _POWER.sub("^", plain))
    plain = plain.replace("\\%", "%").replace("\\$", "$").replace("^\\circ", " degrees")
    return _MARKUP.sub("", plain).strip().strip("\"'").rstrip(".").strip()


def _words(plain: str) -> str:
    lowered = _ARTICLES.sub(" ", plain.lower()) if " " in plain else plain.lower()
    return " ".join(_SEPARATORS.sub(" ", lowered).split()).strip(". ")
