"""Quantities in different units of the same kind, brought to one unit before they are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mixture.aggregation.answers import stated
from mixture.aggregation.numerals import number

_TABLE: Mapping[str, str] = {
    "length": "mm millimeter millimetre=0.001 cm centimeter centimetre=0.01 m meter metre=1 "
    "km kilometer kilometre=1000 in inch inches=0.0254 ft foot feet=0.3048 yd yard=0.9144 mi mile=1609.344",
    "mass": "mg milligram=0.001 g gram=1 kg kilogram=1000 lb pound=453.59237 oz ounce=28.349523125",
    "volume": "ml milliliter millilitre=0.001 l liter litre=1",
    "time": "ms millisecond=0.001 s sec second=1 min minute=60 h hr hour=3600 day=86400 week=604800",
    "money": "cent=0.01 dollar=1",
}
_UNITS: Mapping[str, tuple[str, float]] = {
    name: (kind, float(size))
    for kind, rows in _TABLE.items()
    for names, size in re.findall(r"([a-z ]+)=([\d.]+)", rows)
    for name in names.split()
}
_QUANTITY = re.compile(r"^[^\d]{0,3}[-+]?[\d.,]+\s*(?:\\text\s*\{\s*)?([a-zA-Z]+)")


def in_one_unit(votes: Sequence[str | None], texts: Sequence[str]) -> list[str | None]:
    """`votes`, where numbers were given in different units of one kind (5 km, 5000 m) as what they are in the same one.
    A number without a unit stays as it is.
    """
    found = [
        None if vote is None or number(vote) is None else _measured(text)
        for vote, text in zip(votes, texts, strict=True)
    ]
    measured = [one for one in found if one is not None]
    if len({factor for _, factor in measured}) < 2 or len({kind for kind, _ in measured}) > 1:
        return list(votes)
    return [
        vote if one is None or vote is None else f"{float(vote) * one[1]:.9g} {one[0]}"
        for vote, one in zip(votes, found, strict=True)
    ]


def _measured(text: str) -> tuple[str, float] | None:
    """The kind and size of the unit in which a text states its answer."""
    match = _QUANTITY.match(stated(text).strip())
    if match is None:
        return None
    name = match[1].lower()
    return _UNITS.get(name) or _UNITS.get(name.removesuffix("s"))
