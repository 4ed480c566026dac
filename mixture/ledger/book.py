"""The ledger itself: one for all gateways, in a process of its own or in the library's."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mixture.counters import Sums, Tally
from mixture.errors import Overloaded
from mixture.ledger import keys, store
from mixture.ledger.database import connect
from mixture.ledger.pacing import Pacer
from mixture.ledger.reports import Answered, Key, Told
from mixture.ledger.usage import usage

logger = logging.getLogger("mixture.ledger")
Result = TypeVar("Result")


class Book:
    """A `LedgerHost` in this process. The database is opened by the first who needs it, and asked in a thread of its
    own, one transaction after another. `url` None enters nothing and knows no keys.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._tally = Tally()
        self._pacer = Pacer()
        self._keys: tuple[Key, ...] = ()
        self._version: str | None = None

    async def report(self, told: Told) -> Answered:
        """See `LedgerHost`."""
        if self._url is None:
            return Answered()
        grants, version = await self._asked(lambda engine: store.enter(engine, told))
        if version != self._version:
            self._keys = await self._asked(self._read)
            self._version = version
            self._pacer.limits = {key.id: key.limits for key in self._keys}
        if told.over:
            self._pacer.forget(told.holder)
        paces = self._pacer.paced(told.holder, told.paces, time.time())
        changed = self._keys if told.version != version else None
        return Answered(grants, paces, version, changed)

    async def usage(
        self, caller: str | None, by: Sequence[str], since: str | None, until: str | None
    ) -> list[dict[str, Any]]:
        """See `LedgerHost`."""
        if self._url is None:
            return []
        return await self._asked(lambda engine: usage(engine, caller, by, since, until))

    async def tell(self, who: str, sums: Sums) -> Sums:
        """See `mixture.counters.Tally`."""
        return self._tally.tell(who, sums)

    def close(self) -> None:
        """Let go of the database."""
        self._thread.shutdown(wait=True)
        if self._engine is not None:
            self._engine.dispose()

    async def _asked(self, work: Callable[[Engine], Result]) -> Result:
        """Done in the ledger's thread. Raises Overloaded when the database fails."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._done, work)
        except SQLAlchemyError as error:
            logger.warning("the ledger's database failed: %s", str(getattr(error, "orig", error)).splitlines()[:1])
            raise Overloaded("the ledger's database does not answer", code="ledger", retry_after=1.0) from None

    def _done(self, work: Callable[[Engine], Result]) -> Result:
        if self._engine is None:
            self._engine = connect(self._url or "")
        return work(self._engine)

    def _read(self, engine: Engine) -> tuple[Key, ...]:
        with engine.connect().execution_options(reads=True) as connection:
            return keys.known(connection)
