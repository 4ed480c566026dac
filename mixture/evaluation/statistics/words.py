"""What may be said of a comparison. A sentence never claims more than the interval and the corrected test allow."""

from __future__ import annotations

import math

from mixture.evaluation.statistics.comparing import Comparison
from mixture.evaluation.statistics.effects import named
from mixture.evaluation.statistics.power import LEVEL


def proven(comparison: Comparison) -> bool:
    """Whether a difference may be claimed: the interval leaves zero out, and so does the test after its correction for
    all comparisons that were made.
    """
    return not comparison.difference.holds_zero and comparison.p_holm < LEVEL


def statement(comparison: Comparison) -> str:
    """One comparison in words."""
    c = comparison
    if not c.items:
        return f"{c.arm} and {c.baseline} have no item in common: nothing can be said."
    where = "" if c.domain is None else f"In {c.domain}, "
    pair = f"{where}{c.arm}", f"{c.baseline} on {c.items} items"
    if proven(c):
        return f"{_claim(c, *pair)} {_size(c)}"
    if c.difference.low == 0 == c.difference.high:
        return f"{pair[0]} and {pair[1]} score the same on every item."
    bounds = f"from {100 * c.difference.low:+.1f} to {points(c.difference.high)}"
    within = f"it may lie anywhere {bounds} (95%), {_p(c)}"
    if not c.difference.holds_zero:
        within = f"the interval {bounds} leaves zero out, but the test does not: {_p(c)}"
    return f"No difference can be claimed between {pair[0]} and {pair[1]}: {within}.{_wanted(c)}"


def _claim(c: Comparison, arm: str, baseline: str) -> str:
    word = "more" if c.difference.value > 0 else "less"
    low, high = sorted((abs(c.difference.low), abs(c.difference.high)))
    return (
        f"{arm} scores {word} than {baseline}, by {points(abs(c.difference.value), signed=False)} "
        f"(95%: {100 * low:.1f} to {100 * high:.1f}), {_p(c)}."
    )


def _size(c: Comparison) -> str:
    size, letter = (c.h, "h") if c.h is not None else (c.d, "d")
    if not math.isfinite(size):
        return "Both are constant, so that the size of the effect has no measure."
    return f"The effect is {named(size)} (Cohen's {letter} {size:+.2f})."


def _wanted(c: Comparison) -> str:
    if c.needed is None or c.needed <= c.items:
        return ""
    return f" If the true difference is the one seen, about {c.needed:,} items would show it four times in five."


def _p(c: Comparison) -> str:
    corrected = f" (corrected {_number(c.p_holm)})" if c.p_holm != c.p else ""
    return f"p {_number(c.p)}{corrected}"


def _number(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def points(value: float, *, signed: bool = True) -> str:
    """A difference of scores in points of a hundred."""
    return f"{100 * value:+.1f} points" if signed else f"{100 * value:.1f} points"


def noninferior(comparison: Comparison, margin: float) -> str:
    """Whether an arm is at most `margin` worse than its baseline, in words."""
    c = comparison
    if c.difference.low > -margin:
        return f"{c.arm} is at most {points(margin, signed=False)} worse than {c.baseline} (95%)."
    if c.difference.high < -margin:
        return f"{c.arm} is more than {points(margin, signed=False)} worse than {c.baseline} (95%)."
    return (
        f"Whether {c.arm} is within {points(margin, signed=False)} of {c.baseline} can't be said from {c.items} items."
    )
