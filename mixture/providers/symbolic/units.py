"""The names of units, and what they measure. How large they are, SymPy knows (`quantities.py`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_TABLE: Mapping[str, str] = {
    "length": """
        meter meters metre metres m; kilometer kilometers kilometre kilometres km kms; decimeter decimeters dm;
        centimeter centimeters centimetre centimetres cm cms; millimeter millimeters millimetre millimetres mm;
        micrometer micrometers micron microns; nanometer nanometers nm; inch inches in; foot feet ft; yard yards yd yds;
        mile miles mi; nautical_mile nautical_miles nmi; lightyear lightyears light_year light_years; au aus""",
    "mass": """
        gram grams g gm; kilogram kilograms kg kgs kilo kilos; milligram milligrams mg; microgram micrograms mcg;
        pound pounds lb lbs; ounce ounces oz; stone stones; tonne tonnes metric_ton metric_tons""",
    "volume": """
        liter liters litre litres l; milliliter milliliters millilitre millilitres ml mls; centiliter centiliters cl;
        gallon gallons gal; quart quarts qt; pint pints pt; cup cups; fluid_ounce fluid_ounces fl_oz floz;
        tablespoon tablespoons tbsp; teaspoon teaspoons tsp""",
    "time": """
        second seconds sec secs s; millisecond milliseconds ms; microsecond microseconds; nanosecond nanoseconds ns;
        minute minutes min mins; hour hours hr hrs h; day days; week weeks; year years""",
    "area": "hectare hectares ha; acre acres",
    "speed": "mph mph; kph kph kmh; knot knots",
    "data": """
        bit bits; byte bytes; kilobyte kilobytes kb; megabyte megabytes mb; gigabyte gigabytes gb;
        terabyte terabytes tb; kibibyte kibibytes kib; mebibyte mebibytes mib; gibibyte gibibytes gib;
        tebibyte tebibytes tib""",
    "energy": """
        joule joules j; kilojoule kilojoules kj; calorie calories cal; kilocalorie kilocalories kcal;
        kilowatt_hour kilowatt_hours kwh; electronvolt electronvolts ev""",
    "power": "watt watts w; kilowatt kilowatts kw; megawatt megawatts mw; horsepower horsepower hp",
    "pressure": """
        pascal pascals pa; kilopascal kilopascals kpa; bar bars; atmosphere atmospheres atm; psi psi; mmhg mmhg""",
    "angle": "degree degrees deg; radian radians rad",
    "temperature": "celsius celsius centigrade celcius c; fahrenheit fahrenheit farenheit f; kelvin kelvin kelvins k",
}
_BASE: Mapping[str, Mapping[str, int]] = {
    "area": {"length": 2},
    "volume": {"length": 3},
    "speed": {"length": 1, "time": -1},
    "power": {"energy": 1, "time": -1},
}
"""What these are made of, so that "km/h" measures what "mph" does."""

US = frozenset({"gallon", "quart", "pint", "cup", "fluid_ounce", "tablespoon", "teaspoon"})
"""Units that are larger elsewhere."""

_DIMENSIONS: dict[str, str] = {}
NAMES: dict[str, str] = {}
_PLURALS: dict[str, str] = {}
for _dimension, _rows in _TABLE.items():
    for _row in _rows.split(";"):
        _unit, _plural, *_others = _row.split()
        _DIMENSIONS[_unit], _PLURALS[_unit] = _dimension, _plural
        NAMES.update(dict.fromkeys([_unit, _plural, *_others], _unit))

Unit = tuple[tuple[str, int], ...]
"""Units and their exponents: (("mile", 1), ("hour", -1))."""

_FACTOR = re.compile(r"(square |cubic |sq |cu )?([a-z]+(?:[ _.][a-z]+)?)(?: ?\^?([23]))?$")
_EXPONENTS = {"square ": 2, "sq ": 2, "cubic ": 3, "cu ": 3}


def read(text: str) -> Unit | None:
    """The unit that `text` names ("square feet", "km/h", "miles per hour"), None when it names none."""
    over, *under = re.split(r"\s*/\s*|\s+per\s+|\s+an?\s+", text.strip())
    factors = [_factor(over, 1), *(_factor(part, -1) for part in under)]
    known = [factor for factor in factors if factor is not None]
    return tuple(known) if len(known) == len(factors) else None


def _factor(text: str, sign: int) -> tuple[str, int] | None:
    match = _FACTOR.match(re.sub(r"^degrees? (?=[cfk])", "", text))
    if match is None or (match[1] and match[3]):
        return None
    name = NAMES.get(match[2].replace(" ", "_").replace(".", "_"))
    exponent = _EXPONENTS.get(match[1] or "", int(match[3] or 1))
    return None if name is None else (name, sign * exponent)


def matched(unit: Unit, other: Unit) -> Unit:
    """`unit`, with ounces as fluid ounces where `other` measures a volume."""
    if unit == (("ounce", 1),) and dimension(other) == dimension((("liter", 1),)):
        return (("fluid_ounce", 1),)
    return unit


def dimension(unit: Unit) -> dict[str, int]:
    """What `unit` measures, as exponents of what is not made of anything else."""
    total: Counter[str] = Counter()
    for name, exponent in unit:
        kind = _DIMENSIONS[name]
        for base, power in _BASE.get(kind, {kind: 1}).items():
            total[base] += power * exponent
    return {base: power for base, power in total.items() if power}


def show(unit: Unit, plural: bool) -> str:
    """The unit in words."""
    over = [_worded(name, exponent, plural) for name, exponent in unit if exponent > 0]
    under = [_worded(name, -exponent, plural=False) for name, exponent in unit if exponent < 0]
    return " per ".join([" ".join(over), *under])


def _worded(name: str, exponent: int, plural: bool) -> str:
    word = (_PLURALS[name] if plural else name).replace("_", " ")
    word = f"degrees {word.capitalize()}" if name in ("celsius", "fahrenheit") else word
    return {1: "", 2: "square ", 3: "cubic "}[exponent] + word


def notes(units: list[Unit]) -> str:
    """What must be said with an answer in these units."""
    names = {name for unit in units for name, _ in unit}
    said = ["US measures"] if names & US else []
    said += ["a year of 365 days"] if "year" in names else []
    return f" ({', '.join(said)})" if said else ""
