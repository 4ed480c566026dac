"""What an evaluation may cost."""

from __future__ import annotations

from dataclasses import dataclass


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

    def take(self) -> bool:
        """Hold money back for one more question; False when there is not enough for it now."""
        if self.most is not None:
            known = self.dearest if self.answered else self.most
            if self.spent + (self.held + 1) * known > self.most or self.spent >= self.most:
                return False
        self.held += 1
        return True

    def settle(self, cost_usd: float | None) -> None:
        """A question has cost this much; None (unknown) counts as the dearest."""
        cost = self.dearest if cost_usd is None else cost_usd
        self.held -= 1
        self.answered += 1
        self.spent += cost
        self.dearest = max(self.dearest, cost)

    @property
    def empty(self) -> bool:
        """Whether nothing is under way and nothing more can be asked."""
        return self.most is not None and not self.held and not self._enough()

    def _enough(self) -> bool:
        assert self.most is not None  # noqa: S101  asked only then
        return self.spent < self.most and self.spent + (self.dearest if self.answered else 0.0) <= self.most
