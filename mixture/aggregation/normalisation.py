"""The normal form of a short answer, so that answers that mean the same are the same."""

from __future__ import annotations

import re
from typing import Literal

from mixture.aggregation.numerals import number, numbers

Kind = Literal["number", "choice", "yes_no", "free"]
"""What a question asks for."""

_MARKUP = re.compile(r"\*\*|__|`|\\[()\[\]]|\\(?:left|right|displaystyle|,|;|!)(?![a-zA-Z])|(?<!\\)\$(?!\d)")
_WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mathbf|boxed)\s*\{([^{}]*)\}")
_CHOICE = re.compile(r"^[^\w]*(?:(?:option|choice|answer)\s*)?\(?([A-Ja-j])\)?(?:[).:,\s]|$)")
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
    single = number(plain)
    if single is not None:
        return single
    if kind == "number" and (found := numbers(plain)):
        return found[0]
    return _words(plain)


def _unwrapped(answer: str) -> str:
    previous, plain = None, answer.strip()
    while previous != plain:
        previous, plain = plain, _WRAPPED.sub(r"\1", plain)
    plain = plain.replace("\\%", "%").replace("\\$", "$").replace("^\\circ", " degrees")
    return _MARKUP.sub("", plain).strip().strip("\"'").rstrip(".").strip()


def _words(plain: str) -> str:
    lowered = _ARTICLES.sub(" ", plain.lower()) if " " in plain else plain.lower()
    return " ".join(_SEPARATORS.sub(" ", lowered).split()).strip(". ")
