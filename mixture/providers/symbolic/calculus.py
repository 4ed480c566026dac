"""Derivatives, integrals, limits and sums; every integral is checked by other means. Runs in the worker only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from mixture.providers.symbolic.printing import exact, result
from mixture.providers.symbolic.refusals import NotMaths

_SAMPLES = (sp.Rational(37, 100), sp.Rational(173, 100), sp.Rational(-61, 100))
"""Where an antiderivative is compared with what it should give."""
_CLOSE = 1e-8


def derivative(node: Any, name: str, order: int, at: Any = None) -> str:
    """The derivative as the rules give it; its value where a point is given."""
    symbol = sp.Symbol(name, real=True)
    found = sp.diff(node, symbol, order)
    if at is None:
        return f"= {exact(found)}"
    return f"= {exact(found)}, which {result(found.subs(symbol, at))}".replace("which =", "which is")


def integral(node: Any, name: str, bounds: Sequence[Any]) -> str:
    """The antiderivative, or the value between bounds. Raises NotMaths when there is none in closed form."""
    symbol = sp.Symbol(name, real=True)
    if not bounds:
        found = _shorter(sp.integrate(node, symbol))
        if found.has(sp.Integral) or not _derives(found, node, symbol):
            raise NotMaths
        sized = found.replace(sp.log, lambda of: sp.log(sp.Abs(of)))  # holds on both sides of a pole, where it holds
        return f"= {exact(sized if _derives(sized, node, symbol) else found)} + C"
    found = sp.simplify(sp.integrate(node, (symbol, *bounds)))
    if found.has(sp.nan, sp.zoo, sp.oo):
        return "diverges"
    if found.has(sp.Integral, sp.Piecewise) or not _measures(found, node, symbol, bounds):
        raise NotMaths
    return result(found)


def limit(node: Any, name: str, point: Any, side: str) -> str:
    """The limit; from both sides where `side` is "+-". Raises NotMaths when it can't be found."""
    symbol = sp.Symbol(name, real=True)
    if point in (sp.oo, -sp.oo):
        return _limit(sp.limit(node, symbol, point))
    if side != "+-":
        return _limit(sp.limit(node, symbol, point, side))
    below, above = (sp.limit(node, symbol, point, way) for way in "-+")
    if sp.simplify(below - above) == 0 or below == above:
        return _limit(above)
    return f"does not exist: it is {exact(below)} from below and {exact(above)} from above"


def series(kind: str, node: Any, name: str, low: Any, high: Any) -> str:
    """The sum or the product of the terms. Raises NotMaths when there is no closed form."""
    symbol = sp.Symbol(name, real=True)
    total = sp.summation if kind == "sum" else sp.product
    found = sp.simplify(total(node, (symbol, low, high)))
    if found.has(sp.Sum, sp.Product, sp.Piecewise):
        raise NotMaths
    return "diverges" if found.has(sp.nan, sp.zoo, sp.oo) else result(found)


def _limit(found: Any) -> str:
    if found.has(sp.Limit, sp.AccumBounds):
        raise NotMaths
    return result(found)


def _shorter(found: Any) -> Any:
    return min(found, sp.simplify(found), key=lambda form: len(str(form)))


def _derives(found: Any, node: Any, symbol: Any) -> bool:
    """Whether the derivative of `found` is `node`, at the samples where both have real values."""
    difference = sp.diff(found, symbol) - node
    others = {other: sp.Rational(7, 5) for other in difference.free_symbols - {symbol}}
    values = [sp.N(difference.subs({symbol: at, **others})) for at in _SAMPLES]
    known = [abs(complex(value)) for value in values if value.is_number and value.is_finite]
    return bool(known) and max(known) < _CLOSE


def _measures(found: Any, node: Any, symbol: Any, bounds: Sequence[Any]) -> bool:
    """Whether quadrature gives the same value, where there are only numbers."""
    if found.free_symbols:
        return True
    value = sp.N(sp.Integral(node, (symbol, *bounds)))
    return bool(value.is_number) and abs(complex(value - sp.N(found))) < 1e-6 * (1 + abs(complex(sp.N(found))))
