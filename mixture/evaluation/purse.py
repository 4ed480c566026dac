"""What an evaluation may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Spending(Protocol):
    """Money that several may spend: see `Purse`."""

    async def take(self) -> bool | None:
        """Hold money back for one more question: whether there is enough now; None when there never will be."""
        ...

    async def settle(self, cost_usd: float | None) -> None:
        """A question has cost this much; None (unknown) counts as the dearest."""
        ...

    async def give_back(self) -> None:
        """What was held back is not needed: there was no question."""
        ...


@dataclass(slots=True)
class Purse:
    """US dollars spent, and the most that may be; None: without limit.

    What a question will cost is not known before it is answered. Each one under way holds back as much as the dearest
    so far, so that together they stay below the limit unless one is dearer than any before it; the first ones, of which
    nothing is known, go one at a time.
    """

    most: float | None = None
    spent: float = 0.0
    dearest: float = 0.0
    held: int = 0
    answered: int = 0

    async def take(self) -> bool | None:
        """See `Spending`."""
        if self.most is not None and not self._enough(self.held):
            return False if self.held else None
        self.held += 1
        return True

    async def settle(self, cost_usd: float | None) -> None:
        """See `Spending`."""
        cost = self.dearest if cost_usd is None else cost_usd
        self.held -= 1
        self.answered += 1
        self.spent += cost
        self.dearest = max(self.dearest, cost)

    async def give_back(self) -> None:
        """See `Spending`."""
        self.held -= 1

    def _enough(self, held: int) -> bool:
        """Whether there is money for one more beside `held`."""
        most = self.most or 0.0
        if not self.answered:
            return held == 0 and most > 0
        return self.spent < most and self.spent + (held + 1) * self.dearest <= most
