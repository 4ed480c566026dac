"""What the processes of one evaluation share: the money, how far each of them is, and whether to stop."""

from __future__ import annotations

from mixture.evaluation.purse import Purse
from mixture.evaluation.tally import Tally


class EvaluationActor:
    """A plain class, to be made an actor where it is started, once."""

    def __init__(self, most: float | None) -> None:
        self._purse = Purse(most)
        self._tallies: dict[str, Tally] = {}
        self._stop = False

    async def take(self) -> bool | None:
        """See `Purse.take`; None when there will never be enough."""
        return await self._purse.take()

    async def settle(self, cost_usd: float | None) -> None:
        """See `Purse.settle`."""
        await self._purse.settle(cost_usd)

    async def give_back(self) -> None:
        """See `Purse.give_back`."""
        await self._purse.give_back()

    async def report(self, name: str, tally: Tally) -> bool:
        """Take note of what a process has counted so far; whether it is to stop."""
        self._tallies[name] = tally
        return self._stop

    async def stop(self) -> None:
        """Let every process finish what is under way."""
        self._stop = True

    async def sum(self) -> Tally:
        """What all have counted together."""
        total = Tally()
        for tally in self._tallies.values():
            total.add(tally)
        return total
