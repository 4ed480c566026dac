"""Scorers that compare an answer with the right one: as text, as a number, as a letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from mixture.aggregation.answers import LONGEST, final_answer, stated
from mixture.aggregation.normalisation import Kind, normalised
from mixture.aggregation.numerals import numbers
from mixture.errors import InvalidQuery
from mixture.evaluation.items import Item, RowFault
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Means

_LETTER = re.compile(r"^\W*([A-Z])(?:\s*$|\s*[^\w\s])")
_CHOSEN = re.compile(
    r"(?:answer|option|choice)\**\s*(?:is|:)?\s*\**\s*\(?\$?(?:\\(?:text|boxed|mathrm)\{)?\(?([A-Z])\b"
)


@dataclass(frozen=True, slots=True)
class Compared:
    """Right or wrong by a comparison of the answer with the reference."""

    compare: Callable[[str, str], str | None]
    """What is wrong with an answer, given the reference; None when it is right."""
    cheap: bool = True

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`."""
        fault = self.compare(answer, reference_of(item))
        return Score(1.0) if fault is None else Score(0.0, fault)


def reference_of(item: Item) -> str:
    """The right answer. Raises RowFault where there is none."""
    if item.reference is None:
        raise RowFault("this item has no reference to compare with")
    return item.reference


def exact(argument: str, means: Means) -> Compared:
    """The same words: what the answer marks as its final answer, or the whole of it, in a normal form. `exact:strict`
    compares character by character.
    """
    if argument not in ("", "strict"):
        raise InvalidQuery("`exact` or `exact:strict` is expected", param="scorer")
    return Compared(_strictly if argument else _in_words)


def _strictly(answer: str, reference: str) -> str | None:
    return None if answer.strip() == reference.strip() else "it is not the reference"


def _in_words(answer: str, reference: str) -> str | None:
    kind: Kind = "free"
    right = normalised(reference, kind) or reference.strip()
    said = final_answer(answer, kind)
    whole = normalised(answer[-LONGEST:], kind)
    return None if right in (said, whole) else f"it says {_short(said or answer)}"


def numeric(argument: str, means: Means) -> Compared:
    """The same number: the one that the answer marks as its final answer, else the last one in it. `numeric:0.01`
    lets it be off by that share of the reference.
    """
    try:
        tolerance = Fraction(argument or "0")
    except (ValueError, ZeroDivisionError):
        raise InvalidQuery("`numeric:SHARE` takes a number, such as 0.01", param="scorer") from None

    def compare(answer: str, reference: str) -> str | None:
        right = _value(normalised(reference, "number"))
        if right is None:
            raise RowFault(f"the reference {_short(reference)} is no number")
        said = _value(final_answer(answer, "number"))
        if said is None:
            return "no number in the answer"
        return None if abs(said - right) <= tolerance * abs(right) + Fraction(1, 10**6) else f"it says {float(said):g}"

    return Compared(compare)


def _value(text: str | None) -> Fraction | None:
    found = numbers(text) if text else []
    return Fraction(found[0]) if found else None


def choice(argument: str, means: Means) -> Compared:
    """The same letter: the one that the answer names last as its answer, or stands at its beginning."""
    return Compared(_same_letter)


def _same_letter(answer: str, reference: str) -> str | None:
    said = letter_of(answer)
    if said is None:
        return "no letter in the answer"
    return None if said == reference.strip().upper()[:1] else f"it says {said}"


def letter_of(answer: str) -> str | None:
    """The letter that an answer chooses; None when it names none."""
    text = answer[-LONGEST:]
    marked = _LETTER.match(stated(text).upper())
    if marked:
        return marked[1]
    named = _CHOSEN.findall(text)
    if named:
        return str(named[-1])
    found = final_answer(text, "choice")
    return found.upper()[:1] if found and re.fullmatch(r"[A-Za-z]", found) else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
