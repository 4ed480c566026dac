"""The ledger's end in the process that makes the calls: notes each, reports them in batches, and keeps accounts."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from mixture.config import LedgerConfig
from mixture.envelope import usd
from mixture.errors import MixtureError, Overloaded
from mixture.estimates import expected_usage
from mixture.ledger.accounts import Account
from mixture.ledger.entries import Entry, prices
from mixture.ledger.journal import Journal, abandoned
from mixture.ledger.pace import Paces
from mixture.ledger.reports import NO_LIMITS, Answered, Key, LedgerHost, Limits, Told
from mixture.metering import Meter
from mixture.types import Call, ExpertCard, Query

logger = logging.getLogger("mixture.ledger")

BUSY, IDLE = 0.1, 1.0
"""Seconds between two reports: while there is something to tell, and else, for news of keys."""
STARTING = 10.0
"""Seconds to wait for the ledger at the start; without it requests with the owner's key are answered all the same."""
MOST = 2_000
"""Calls of one report."""
LOOKED_FOR = 10.0
"""Seconds after which journals that nobody holds are looked for again."""


class Recorder:
    """Enters the calls of this process into `host`. `folder` holds its journal, and those of processes that are gone,
    which it enters too. Calls are reported by a task of the event loop in which they are made.
    """

    def __init__(self, host: LedgerHost, folder: Path, config: LedgerConfig) -> None:
        self.host = host
        self.config = config
        self.keys: tuple[Key, ...] = ()
        self._limits: dict[str, Limits] = {}
        self.changed: Callable[[tuple[Key, ...]], None] = lambda keys: None
        """Called with all keys when they are others than before."""
        self.paces = Paces(self.hurry, config.patience)
        self._folder = folder
        self._journal: Journal | None = None
        self._name = uuid4().hex[:20]
        self._calls, self._reports = itertools.count(1), itertools.count(1)
        self._pending: list[Entry] = []
        self._accounts: dict[str, Account] = {}
        self._told: dict[str, float] = {}
        self._version: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._looked = 0.0
        self._failing = False
        self._first = asyncio.Event()
        """Set once the ledger has answered."""

    def account(self, caller: str) -> Account:
        """The money of a caller in this process."""
        found = self._accounts.get(caller)
        if found is None:
            found = self._accounts[caller] = Account(self.hurry, self.config.patience)
        return found

    def limits(self, caller: str) -> Limits:
        """What a caller may take."""
        return self._limits.get(caller, NO_LIMITS)

    def hurry(self) -> None:
        """Have a report made at once."""
        self._follow()
        self._wake.set()

    def begin(self, card: ExpertCard, query: Query, meter: Meter, held: float | None) -> Entry:
        """Note a call that is about to be made; `held` is what was held back for it. Raises Overloaded when that can't
        be noted.
        """
        if self._journal is None:
            self._journal = self._opened()
        meter.attempts += 1
        usage, cost = expected_usage(query), held
        if cost is None and card.price is not None:
            cost = card.price.cost(usage)
        entry = Entry(
            f"{self._name}-{next(self._calls)}",
            time.time(),
            (query.request_id or "")[:256],
            meter.attempts,
            meter.caller.id,
            meter.executed,
            card.name,
            card.model[:256],
            query.purpose,
            usage.prompt_tokens,
            usage.completion_tokens,
            0,
            0,
            0,
            True,
            *prices(card.price),
            cost,
        )
        self._journal.begin(entry)
        return entry

    def end(self, begun: Entry, call: Call, cost_usd: float | None) -> None:
        """Note how it ended, with what it cost whoever asked."""
        entry = begun.ended(call, cost_usd)
        if self._journal is not None:
            try:
                self._journal.end(entry)
            except OSError as error:
                logger.error("the ledger's journal can't be written: %s", error.strerror)
        self._pending.append(entry)
        self._follow()
        if len(self._pending) == MOST // 2:
            self._wake.set()

    async def start(self) -> None:
        """Begin to report, and wait a while for the first answer: with it come the keys."""
        self.hurry()
        with suppress(TimeoutError):
            async with asyncio.timeout(STARTING):
                await self._first.wait()

    async def follow(self) -> None:
        """Report, again and again, until cancelled."""
        while True:
            busy = self._pending or any(account.lease for account in self._accounts.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(BUSY if busy else IDLE):
                    await self._wake.wait()
            self._wake.clear()
            await self.report()

    async def report(self) -> None:
        """Tell what there is to tell; what can't be told is told later."""
        try:
            await self._enter_abandoned()
            told = self._told_now()
            self._answered(told, await self.host.report(told))
            self._failing = False
        except MixtureError as error:
            if not self._failing:
                logger.warning("the ledger does not answer: %s; calls stay in the journal", error.message)
            self._failing = True
            self._told = dict.fromkeys(self._accounts, math.nan)  # whether it heard us is not known: tell all again
            await asyncio.sleep(BUSY)

    async def close(self) -> None:
        """Report what is left, and let go of the journal."""
        task, self._task = self._task, None
        if task is not None and not task.get_loop().is_closed():
            task.cancel()
            with suppress(asyncio.CancelledError, RuntimeError):
                await task
        for account in self._accounts.values():
            account.give_back()
        if self._pending or self._told:
            await self.report()
        if self._journal is not None and not self._pending:
            with suppress(MixtureError):  # it is found out by the journal that is gone
                await self.host.report(Told(self._name, next(self._reports), over=True))
            self._told.clear()
            self._journal.close()
            self._journal, self._name = None, uuid4().hex[:20]

    def _follow(self) -> None:
        """Have somebody report in this event loop."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._wake = asyncio.Event()
            self._task = loop.create_task(self.follow())

    def _opened(self) -> Journal:
        try:
            return Journal(self._folder, self._name)
        except OSError as error:
            raise Overloaded(f"the ledger's journal can't be written ({error.strerror})", code="ledger") from None

    def _told_now(self) -> Told:
        entries = tuple(self._pending[:MOST])
        sums, leases = _sums(entries), dict[str, float]()
        wants, least = dict[str, float](), dict[str, float]()
        for caller, account in self._accounts.items():
            account.give_back()
            rest = account.lease - sums.get(caller, 0.0)
            if self._told.get(caller) != rest and (rest or caller in self._told or account.lease):
                leases[caller] = rest
            if account.active:
                wants[caller], least[caller] = account.asked()
        paces = self.paces.asked(time.time())
        return Told(self._name, next(self._reports), entries, leases, wants, paces, version=self._version, least=least)

    def _answered(self, told: Told, answer: Answered) -> None:
        del self._pending[: len(told.entries)]
        if self._journal is not None and told.entries:
            self._journal.booked(frozenset(entry.id for entry in told.entries))
        sums = _sums(told.entries)
        for caller, account in self._accounts.items():
            reported = sums.get(caller, 0.0)
            account.lease -= reported
            account.spent -= reported
            account.left -= reported
            if caller in told.leases:
                self._told[caller] = told.leases[caller]
            grant = answer.grants.get(caller)
            if grant is not None:
                self._told[caller] = self._told.get(caller, 0.0) + grant.usd
                account.granted(grant)
        self.paces.answered(answer.paces)
        self._version = answer.version
        if answer.keys is not None:
            self.keys = answer.keys
            self._limits = {key.id: key.limits for key in answer.keys if key.limits != NO_LIMITS}
            self.changed(answer.keys)
        self._first.set()

    async def _enter_abandoned(self) -> None:
        """Enter what processes left behind that are gone."""
        if time.monotonic() < self._looked + LOOKED_FOR:
            return
        for journal in abandoned(self._folder):
            try:
                await self.host.report(Told(journal.name, 0, journal.entries, over=True, version=self._version))
            except BaseException:
                journal.release()
                raise
            journal.entered()
            spent = sum(entry.cost_usd or 0.0 for entry in journal.entries)
            logger.info("ledger: %d calls of a process that is gone, %s USD", len(journal.entries), usd(spent))
        self._looked = time.monotonic()


def _sums(entries: tuple[Entry, ...]) -> dict[str, float]:
    """What the calls cost, by caller."""
    sums: dict[str, float] = {}
    for entry in entries:
        sums[entry.caller] = sums.get(entry.caller, 0.0) + (entry.cost_usd or 0.0)
    return sums
