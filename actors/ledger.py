"""The one ledger of all gateways: what they have counted, added up."""

from __future__ import annotations

from mixture.counters import Sums, Tally


class LedgerActor:
    """A plain class, to be made an actor where it is started, once."""

    def __init__(self) -> None:
        self._tally = Tally()

    async def tell(self, who: str, sums: Sums) -> Sums:
        """What `who` has counted so far; returns the sums of all gateways."""
        return self._tally.tell(who, sums)
