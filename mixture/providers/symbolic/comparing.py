"""Whether two expressions are equal. Runs in the worker only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import sympy as sp

from mixture.providers.symbolic.refusals import NotMaths

_VALUES = ("-973/100", "-23/7", "-1/3", "2/7", "13/9", "41/5", "173/3", "1009/2")
"""What variables are given to show that two expressions differ: on either side of where branches usually change."""
_DIGITS = 30
_ZERO = sp.Rational(1, 10**20)


def same(one: Any, other: Any) -> str:
    """`same` or `different`; as functions of real variables they are different where only one of them is real, too.

    Raises NotMaths when neither can be shown.
    """
    if one == other:
        return "same"
    if any(_differ(one.subs(point), other.subs(point)) for point in _points(one, other)):
        return "different"
    difference = one - other
    if sp.simplify(difference) == 0 or (not difference.free_symbols and difference.equals(0)):
        return "same"
    raise NotMaths


def _points(one: Any, other: Any) -> Iterator[Mapping[Any, Any]]:
    """Values for all variables. Odd roots of negative numbers are real to people and not to SymPy: where there are odd
    roots only positive values are tried.
    """
    symbols = sorted(one.free_symbols | other.free_symbols, key=str)
    if not symbols:
        yield {}
        return
    odd = any(power.exp.is_Rational and power.exp.q % 2 == 1 < power.exp.q for power in (one + other).atoms(sp.Pow))
    values = [sp.Rational(text) for text in _VALUES if not (odd and text.startswith("-"))]
    for stride, shift in product((1, 3), range(len(values))):
        yield {symbol: values[(place * stride + shift) % len(values)] for place, symbol in enumerate(symbols)}


def _differ(one: Any, other: Any) -> bool:
    """Whether two constants differ for certain."""
    if one.is_Rational and other.is_Rational:
        return bool(one != other)
    values = [sp.N(value, _DIGITS) for value in (one, other)]
    if not all(value.is_number and value.is_finite for value in values):
        return False
    return bool(abs(values[0] - values[1]) > _ZERO * (1 + abs(values[0])))
