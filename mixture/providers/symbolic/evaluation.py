"""Expressions into SymPy's. Runs in the worker only: nothing here is imported by the process that serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from mixture.providers.symbolic.refusals import NotMaths


def build(encoded: list[Any], real: bool = False) -> Any:
    """The SymPy expression of an encoded node.

    `log` without a base is the decimal one, as on a calculator; variables are complex unless `real`.
    """
    kind, name, *args = encoded
    if kind == "n":
        return sp.Rational(name)
    if kind == "v":
        constant = _CONSTANTS.get(name)
        return sp.Symbol(name, real=real or None) if constant is None else constant
    built = [build(arg, real) for arg in args]
    if name == "log":
        return sp.log(built[0], built[1] if len(built) > 1 else 10)
    return _OPERATIONS[name](*built)


_CONSTANTS = {"pi": sp.pi, "e": sp.E, "i": sp.I, "oo": sp.oo}


def _factorial(n: Any) -> Any:
    if n.is_number and not (n.is_Integer and n >= 0):
        raise NotMaths
    return sp.factorial(n)


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, for whole numbers only."""

    def checked(*args: Any) -> Any:
        if not all(arg.is_Integer for arg in args):
            raise NotMaths
        return function(*args)

    return checked


_BY_NAME = ("sin", "cos", "tan", "sec", "csc", "cot", "asin", "acos", "atan", "sinh", "cosh", "tanh")
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
    "neg": lambda a: -a,
    "%": lambda a: a / 100,
    "of": lambda a, b: a * b,
    "off": lambda a, b: b * (1 - a),
    "mod": sp.Mod,
    "!": _factorial,
    "choose": _whole(sp.binomial),
    "degrees": lambda a: a * sp.pi / 180,
    "sqrt": sp.sqrt,
    "cbrt": lambda a: sp.real_root(a, 3) if a.is_number else sp.cbrt(a),
    "root": lambda a, n: sp.real_root(a, n) if a.is_number and n.is_Integer and n % 2 == 1 else a ** (1 / n),
    "ln": sp.log,
    "floor": sp.floor,
    "ceil": sp.ceiling,
    "abs": sp.Abs,
    "exp": sp.exp,
    "max": sp.Max,
    "min": sp.Min,
    "gcd": _whole(lambda *n: sp.Integer(sp.igcd(*n))),
    "lcm": _whole(lambda *n: sp.Integer(sp.ilcm(*n))),
    **{name: getattr(sp, name) for name in _BY_NAME},
}
