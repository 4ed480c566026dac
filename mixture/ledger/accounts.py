"""A key's money where requests arrive: a part of its budget, leased from the ledger, out of which calls are paid.

What a gateway has leased it may spend without asking, so that a call waits for nobody as long as that suffices. All
that is leased and all that is spent never exceed the budget: the ledger sees to it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mixture.envelope import ROUNDING, usd
from mixture.errors import BudgetExceeded, Overloaded
from mixture.ledger.reports import Grant

IDLE = 1.0
"""Seconds after which money that nobody used goes back."""
FRESH = 1.0
"""Seconds for which it holds what the ledger said of what is left."""


@dataclass(slots=True, eq=False)
class _Waiting:
    amount: float
    future: asyncio.Future[None]
    asked: bool = False
    """Whether the ledger was asked for it."""


class Account:
    """One key's money in this gateway, in US dollars. `ask` lets the ledger be asked for more soon."""

    def __init__(self, ask: Callable[[], None], patience: float) -> None:
        self._ask = ask
        self._patience = patience
        self._waiting: deque[_Waiting] = deque()
        self._known = self._used = -math.inf
        self.lease = 0.0
        """Leased, and not reported as spent."""
        self.held = 0.0
        """Of it, what requests and calls under way may come to cost."""
        self.spent = 0.0
        """Of it, what was spent and not reported yet."""
        self.left = math.inf
        """What the ledger has not spent of the budget, whoever holds it."""
        self.elsewhere = 0.0
        self.limit = ""

    @property
    def free(self) -> float:
        """What can be spent without asking."""
        return self.lease - self.held - self.spent

    @property
    def possible(self) -> float:
        """What could be spent at most, once everything that is held came back."""
        return self.left - self.spent

    def asked(self) -> tuple[float, float]:
        """What those who wait lack, for which the ledger is asked now, and what the one who needs least does."""
        for one in self._waiting:
            one.asked = True
        amounts, free = [one.amount for one in self._waiting], max(0.0, self.free)
        return max(0.0, sum(amounts) - free), max(0.0, min(amounts, default=0.0) - free)

    @property
    def active(self) -> bool:
        """Whether it was used lately, or somebody waits."""
        return bool(self._waiting) or time.monotonic() < self._used + IDLE

    async def reserve(self, amount: float) -> None:
        """Hold `amount` back, waiting for money that is held by others if need be. Raises BudgetExceeded when there is
        not so much, or none came back in time; Overloaded when the ledger can't be asked.
        """
        began = self._used = time.monotonic()
        if amount <= self.free + ROUNDING and not self._waiting:
            self.held += amount
            return
        if self._used < self._known + FRESH and amount > self.possible + ROUNDING:
            raise self._refusal(amount)
        one = _Waiting(amount, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._ask()
        try:
            async with asyncio.timeout(self._patience):
                await one.future
        except TimeoutError:
            if self._known < began:
                raise Overloaded("the ledger can't be asked for the key's budget", code="ledger") from None
            raise self._refusal(amount) from None
        except asyncio.CancelledError:
            if one.future.done() and not one.future.cancelled() and one.future.exception() is None:
                self.release(amount)  # it was granted in the moment in which we gave up
            raise
        finally:
            if one in self._waiting:
                self._waiting.remove(one)

    def take(self, amount: float) -> bool:
        """Hold `amount` back at once, if it is free."""
        if amount > self.free + ROUNDING:
            return False
        self._used = time.monotonic()
        self.held += amount
        return True

    def release(self, amount: float, spent: float = 0.0) -> None:
        """Let go of what was held, `spent` of it spent."""
        self.held -= amount
        self.spent += spent
        self._serve()

    def granted(self, grant: Grant) -> None:
        """Take in what the ledger granted and said."""
        self.lease += grant.usd
        self.left, self.elsewhere, self.limit = grant.left, grant.elsewhere, grant.limit
        self._known = time.monotonic()
        self._serve()
        for one in tuple(self._waiting):
            if one.amount > self.possible + ROUNDING or (one.asked and not self._comes_back()):
                self._end(one, self._refusal(one.amount))

    def give_back(self) -> None:
        """Keep no more than is held and spent, when it is not in use, or too little for any of those who wait: gateways
        that each kept such a part would wait for one another.
        """
        if not self.active or self._waiting:
            self.lease -= max(0.0, self.free)

    def _comes_back(self) -> bool:
        """Whether anything is held that may be released."""
        return self.held > ROUNDING or self.elsewhere > ROUNDING

    def _serve(self) -> None:
        """Give those who wait what has become free, in their order."""
        for one in tuple(self._waiting):
            if one.amount <= self.free + ROUNDING:
                self.held += one.amount
                self._end(one)

    def _end(self, one: _Waiting, error: BudgetExceeded | None = None) -> None:
        self._waiting.remove(one)
        if one.future.done():
            if error is None:
                self.held -= one.amount
        elif error is None:
            one.future.set_result(None)
        else:
            one.future.set_exception(error)

    def _refusal(self, amount: float) -> BudgetExceeded:
        rest = max(0.0, self.possible)
        which = f"budget ({self.limit})" if self.limit else "budget"
        return BudgetExceeded(f"this may cost {usd(amount)} USD, and the key's {which} has {usd(rest)} USD left")
