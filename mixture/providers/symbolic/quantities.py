"""The sizes of units, from SymPy's, exactly. Runs in the worker only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy.physics import units as u

_SI = {
    "decimeter": u.meter / 10,
    "week": 7 * u.day,
    "year": u.common_year,
    "kph": u.kilometer / u.hour,
    "mph": u.mile / u.hour,
    "knot": u.nautical_mile / u.hour,
    "kilojoule": 1000 * u.joule,
    "calorie": sp.Rational(4184, 1000) * u.joule,
    "kilocalorie": 4184 * u.joule,
    "kilowatt_hour": 3_600_000 * u.joule,
    "kilowatt": 1000 * u.watt,
    "megawatt": 1_000_000 * u.watt,
    "electronvolt": sp.Rational("1.602176634e-19") * u.joule,
    "kilopascal": 1000 * u.pascal,
    "kilobyte": 10**3 * u.byte,
    "megabyte": 10**6 * u.byte,
    "gigabyte": 10**9 * u.byte,
    "terabyte": 10**12 * u.byte,
}
_POUND_FORCE = u.pound * sp.Rational("9.80665") * u.meter / u.second**2
_CUSTOMARY = {
    "ounce": u.pound / 16,
    "stone": 14 * u.pound,
    "gallon": 4 * u.quart,
    "pint": u.quart / 2,
    "cup": u.quart / 4,
    "fluid_ounce": u.quart / 32,
    "tablespoon": u.quart / 64,
    "teaspoon": u.quart / 192,
    "acre": 43_560 * u.foot**2,
    "horsepower": 550 * _POUND_FORCE * u.foot / u.second,
    "psi": _POUND_FORCE / u.inch**2,
    "mmhg": sp.Rational("133.322387415") * u.pascal,
}
_DERIVED = _SI | _CUSTOMARY
_BASE = [u.meter, u.kilogram, u.second, u.bit, u.radian]
_KELVIN = {
    "kelvin": (sp.Integer(1), sp.Integer(0)),
    "celsius": (sp.Integer(1), sp.Rational("273.15")),
    "fahrenheit": (sp.Rational(5, 9), sp.Rational("459.67") * 5 / 9),
}
"""Kelvin = factor * degrees + offset."""

Unit = Sequence[tuple[str, int]]


def converted(values: Sequence[Any], units: Sequence[Unit], target: Unit) -> Any:
    """The sum of `values` in `units`, in the unit `target`: an exact number."""
    if target[0][0] in _KELVIN:
        factor, offset = _KELVIN[units[0][0][0]]
        factor_to, offset_to = _KELVIN[target[0][0]]
        return (values[0] * factor + offset - offset_to) / factor_to
    total = sum(value * _size(unit) for value, unit in zip(values, units, strict=True))
    return sp.simplify(total / _size(target))


def _size(unit: Unit) -> Any:
    """The unit in SI's base units, as a number times them."""
    product = sp.Integer(1)
    for name, exponent in unit:
        product *= (_DERIVED.get(name) or getattr(u, name)) ** exponent
    return sp.nsimplify(u.convert_to(product, _BASE), rational=True)
