"""Equations and rewriting. Runs in the worker only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from mixture.providers.symbolic.printing import approximate, exact, result, terminating
from mixture.providers.symbolic.refusals import NotMaths

MOST_SOLUTIONS = 24


def rewritten(kind: str, node: Any) -> str:
    """`node` simplified, expanded or factored. Raises NotMaths when that changes nothing that could be shown."""
    changed = {"simplify": sp.simplify, "expand": sp.expand, "factor": sp.factor}[kind](node)
    if kind == "factor" and not changed.is_Mul and not changed.is_Pow:
        return "has no factors over the rational numbers"
    return result(changed)


def solved(sides: Sequence[tuple[Any, Any]], names: Sequence[str]) -> str:
    """The solutions of equations for the variables `names`. Raises NotMaths when there is no closed list of them."""
    symbols = [sp.Symbol(name) for name in names]
    differences = [sp.together(left - right) for left, right in sides]
    if len(differences) == 1 and len(symbols) == 1:
        return _one(differences[0], symbols[0])
    found = sp.solve(differences, symbols, dict=True)
    if not found:
        return "has no solution"
    answers = [", ".join(_value(symbol, answer.get(symbol, symbol)) for symbol in symbols) for answer in found]
    return ": " + "; or ".join(answers)


def _one(difference: Any, symbol: Any) -> str:
    if sp.simplify(difference) == 0:
        return f"holds for every {symbol}"
    found = _roots(difference, symbol)
    if not found:
        return "has no solution"
    if len(found) > MOST_SOLUTIONS:
        raise NotMaths
    return ": " + " or ".join(_value(symbol, root) for root in found)


def _roots(difference: Any, symbol: Any) -> list[Any]:
    """All roots: complex ones of a polynomial, real ones of what is none."""
    numerator, denominator = sp.fraction(difference)
    if numerator.is_polynomial(symbol):
        polynomial = sp.Poly(numerator, symbol)
        closed = sp.roots(polynomial)
        if sum(closed.values()) < polynomial.degree():
            if polynomial.free_symbols_in_domain:
                raise NotMaths
            closed = dict.fromkeys(polynomial.nroots(n=15), 1)
        return [root for root in _ordered(closed) if denominator.subs(symbol, root) != 0]
    real = sp.Symbol(symbol.name, real=True)
    found = sp.solveset(difference.subs(symbol, real), real, sp.S.Reals)
    if not isinstance(found, sp.FiniteSet) and found != sp.S.EmptySet:
        raise NotMaths
    return _ordered(found)


def _ordered(roots: Any) -> list[Any]:
    """Real roots by size, then complex ones."""

    def place(root: Any) -> tuple[bool, float, float]:
        try:
            number = complex(sp.N(root))
        except TypeError:  # it holds other variables
            return True, 0.0, 0.0
        return abs(number.imag) > 1e-12, number.real, number.imag

    return sorted(roots, key=place)


def _value(symbol: Any, value: Any) -> str:
    if value == symbol:
        return f"{symbol} is free"
    if value.has(sp.Float):
        return f"{symbol} ≈ {approximate(value)}"
    shown = exact(value)
    if value.is_Integer or value.free_symbols:
        return f"{symbol} = {shown}"
    decimal, near = terminating(value), approximate(value)
    if decimal is not None:
        return f"{symbol} = {shown} = {decimal}"
    if near in (None, shown):
        return f"{symbol} = {shown}"
    short = len(shown) <= 40
    return f"{symbol} = {shown} ≈ {near}" if short else f"{symbol} ≈ {near}"
