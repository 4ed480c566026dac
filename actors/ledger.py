"""The one ledger of all gateways: it enters calls, leases budgets, and adds up what was counted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mixture.counters import Sums
from mixture.ledger import Book
from mixture.ledger.reports import Answered, Told
from mixture.logs import write_log


class LedgerActor:
    """A plain class, to be made an actor where it is started, once. `url` None enters nothing."""

    def __init__(self, url: str | None = None) -> None:
        write_log("ledger", os.environ)
        self._book = Book(url)

    async def report(self, told: Told) -> Answered:
        """See `mixture.ledger.LedgerHost`."""
        return await self._book.report(told)

    async def usage(
        self, caller: str | None, by: Sequence[str], since: str | None, until: str | None
    ) -> list[dict[str, Any]]:
        """See `mixture.ledger.LedgerHost`."""
        return await self._book.usage(caller, by, since, until)

    async def tell(self, who: str, sums: Sums) -> Sums:
        """See `mixture.ledger.LedgerHost`."""
        return await self._book.tell(who, sums)
