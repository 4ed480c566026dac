"""What the calls of one request may cost together: reserved before each call, settled after it.

Like the meter, the envelope is found through a context variable: the wrapper that makes each attempt reserves for it,
so that retries, judges, writers, planners and hedges of every nested strategy share the envelope of their request.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from mixture.errors import BudgetExceeded
from mixture.estimates import bound_cost, cost_of
from mixture.tokens import prompt_tokens
from mixture.types import ExpertCard, Query, Usage

LONGEST = 32_768
"""Tokens that an answer without a maximum may have at most: where so many are paid for, no maximum is set."""
ROUNDING = 1e-12
"""US dollars that sums of floating point numbers may be off by."""


class Envelope:
    """At most `most` US dollars, and at most what `outer` has left. Reserving happens between two steps of the event
    loop, so that calls made at once can't be granted the same money. Prompts are counted by a rule of thumb
    (`mixture.tokens`) before a call and as the upstream reports them after it: `spent` may go beyond `most` by that
    difference, and only by that.
    """

    __slots__ = ("_outer", "held", "most", "reserved", "spent")

    def __init__(self, most: float, outer: Envelope | None = None) -> None:
        self.most = most
        self._outer = outer
        self.held = 0.0
        self.spent = 0.0
        self.reserved = 0.0
        """The sum of all reservations so far."""

    @property
    def rest(self) -> float:
        """US dollars that are neither spent nor held back for a call under way."""
        own = self.most - self.spent - self.held
        return own if self._outer is None else min(own, self._outer.rest)

    def affords(self, cost: float) -> bool:
        """Whether so much is left. An unknown (infinite) cost never is."""
        return cost <= self.rest + ROUNDING

    def reserve(self, cost: float) -> Hold:
        """Hold `cost` back. Raises BudgetExceeded when there is not so much left."""
        if not self.affords(cost):
            raise BudgetExceeded(f"{_needed(cost)}, {usd(max(0.0, self.rest))} of {usd(self.most)} USD are left")
        self._hold(cost)
        self._book(reserved=cost)
        return Hold(self, cost)

    def _hold(self, cost: float) -> None:
        self.held += cost
        if self._outer is not None:
            self._outer._hold(cost)

    def _book(self, *, reserved: float = 0.0, spent: float = 0.0) -> None:
        self.reserved += reserved
        self.spent += spent
        if self._outer is not None:
            self._outer._book(reserved=reserved, spent=spent)


class Hold:
    """Money held back for one call."""

    __slots__ = ("_cost", "_envelope")

    def __init__(self, envelope: Envelope, cost: float) -> None:
        self._envelope = envelope
        self._cost = cost

    def settle(self, cost: float) -> None:
        """The call has ended, cancelled and failed ones too: `cost` is spent, the hold is free. Once only."""
        held, self._cost = self._cost, 0.0
        self._envelope._hold(-held)
        self._envelope._book(spent=cost)


_envelope: ContextVar[Envelope | None] = ContextVar("mixture_envelope", default=None)


def current() -> Envelope | None:
    """The envelope of the request that is being answered; None when it has no limit."""
    return _envelope.get()


def left() -> float:
    """US dollars left for the request that is being answered; infinite without a limit."""
    envelope = _envelope.get()
    return math.inf if envelope is None else envelope.rest


@contextmanager
def within(most: float | None) -> Iterator[Envelope | None]:
    """Let everything that is done inside cost at most `most` US dollars together, and at most what an envelope around
    it has left; None leaves it as it is.
    """
    if most is None:
        yield _envelope.get()
        return
    token = _envelope.set(Envelope(most, _envelope.get()))
    try:
        yield _envelope.get()
    finally:
        _envelope.reset(token)


def granted(card: ExpertCard, query: Query) -> tuple[Query, Hold | None]:
    """`query` as the envelope lets it be asked, and what is held back for it. A query without a maximum of tokens gets
    the one that is paid for; one with a maximum is asked as it is or not at all.

    Raises BudgetExceeded when there is not enough left, or when the expert's price is unknown.
    """
    envelope = _envelope.get()
    if envelope is None:
        return query, None
    needed = bound_cost(card, query)
    own = query.limits.max_cost_usd
    share = min(envelope.rest, math.inf if own is None else own)
    if needed > share + ROUNDING:
        raise BudgetExceeded(_refusal(card, needed, share), expert=card.name)
    if query.sampling.max_tokens is None:
        query, needed = _capped(card, query, share)
    return query, envelope.reserve(needed)


def _capped(card: ExpertCard, query: Query, share: float) -> tuple[Query, float]:
    """`query` with the tokens that `share` pays for, and what they cost."""
    sampling, prompt = query.sampling, prompt_tokens(query)
    each = cost_of(card, Usage(0, sampling.n))
    paid = math.inf if each <= 0 else (share + ROUNDING - cost_of(card, Usage(prompt))) / each
    if paid >= LONGEST:
        return query, cost_of(card, Usage(prompt, LONGEST * sampling.n))
    most = int(paid)
    return replace(query, sampling=replace(sampling, max_tokens=most)), cost_of(card, Usage(prompt, most * sampling.n))


def _refusal(card: ExpertCard, needed: float, share: float) -> str:
    if math.isinf(needed):
        return f"the price of {card.name} is unknown: it can't be asked within a budget"
    return f"asking {card.name} may cost {usd(needed)} USD, {usd(max(0.0, share))} USD are left for it"


def _needed(cost: float) -> str:
    return "the price is unknown" if math.isinf(cost) else f"the call may cost {usd(cost)} USD"


def usd(amount: float) -> str:
    """An amount in words: enough digits to tell small ones apart."""
    return f"{amount:.6f}".rstrip("0").rstrip(".") if amount >= 1e-6 or amount == 0 else f"{amount:.2g}"
