"""Whether two answers say the same, as far as can be told without asking anybody."""

from __future__ import annotations

import re

from mixture.caching.meaning.signature import signature_of
from mixture.caching.meaning.vectors import letters

ALIKE, UNLIKE = 0.9, 0.5
"""The similarity of letters from which on two answers say the same, and up to which they don't."""
SHORT = 12
"""Words up to which an answer is compared as a whole."""
_BLANK = re.compile(r"[\s.!\"'*_`]+")


def same_answer(one: str, other: str) -> bool | None:
    """Whether the answers say the same; None where that can't be told. Numbers and denials decide; then letters do."""
    if _plain(one) == _plain(other):
        return True
    first, second = signature_of(one), signature_of(other)
    numbers = set(first.numbers) == set(second.numbers)
    if len(one.split()) <= SHORT and len(other.split()) <= SHORT and not numbers:
        return False
    alike = float(letters(one) @ letters(other))
    if alike >= ALIKE and numbers and (first.negations == 0) == (second.negations == 0):
        return True
    return False if alike <= UNLIKE else None


def _plain(text: str) -> str:
    return _BLANK.sub(" ", text).strip().lower()
