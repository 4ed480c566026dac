"""What the calls of one request may cost together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mixture.errors import BudgetExceeded
from mixture.metering import spent


class Allowance:
    """At most `most` US dollars for everything that is done for a request; None means no limit.

    What was spent is known from the calls' meters, retries and failures included. What calls under way will cost is
    taken to be what was expected of them.
    """

    def __init__(self, most: float | None) -> None:
        self.most = most
        self._held = 0.0

    def affords(self, cost: float) -> bool:
        """Whether a call that is expected to cost so much may be made."""
        return self.most is None or spent() + self._held + cost <= self.most

    @contextmanager
    def holding(self, cost: float) -> Iterator[None]:
        """Hold back `cost` while a call is made. Raises BudgetExceeded when there is not so much left."""
        if not self.affords(cost):
            raise BudgetExceeded(f"the call is expected to go beyond the {self.most} USD allowed for this request")
        held = 0.0 if self.most is None else cost
        self._held += held
        try:
            yield
        finally:
            self._held -= held
