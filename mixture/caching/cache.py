"""The cache of one process: what it holds, what is being answered at the moment, and what others hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from mixture.caching.counts import Counts
from mixture.caching.entry import Entry, Found, decoded, entry_of
from mixture.caching.flights import Flight, Run
from mixture.caching.keys import key_of, setting_of
from mixture.caching.meaning.index import Question
from mixture.caching.policy import NEITHER, CacheWish, granted, worth_keeping
from mixture.caching.semantic import Match, SemanticCache
from mixture.caching.shared import Patient, SharedCache
from mixture.caching.store import Slot, Store
from mixture.config import CacheConfig
from mixture.types import Completion, Proposed, Query, Report

logger = logging.getLogger("mixture.cache")

LOOK = 2.0
"""Seconds after which it is looked again whose answers were deleted elsewhere."""
BEHIND = 4
"""Things that are done in the background at once; further ones are left."""


@dataclass(slots=True)
class Ask:
    """A request as the cache sees it: whose it is, its key, what it may be answered from, and its text. Requests with
    the same `flight` can be answered by one run. `setting` is what must be the same for its text to be compared with
    others', None where it is not to be; `question` and `match` are what the comparison came to.
    """

    owner: str
    key: bytes
    wish: CacheWish
    prompt: str
    flight: Hashable
    setting: bytes | None = None
    question: Question | None = None
    match: Match | None = None


class AnswerCache:
    """Answers of this process. `epoch` is a digest of all that answers: entries of another one are never found."""

    def __init__(self, config: CacheConfig, epoch: bytes) -> None:
        self.config = config
        self.counts = Counts()
        self.store = Store(config.max_bytes, config.key_share, config.ttl)
        self.semantic: SemanticCache | None = None
        self.shared: Patient | None = None
        self.epoch = epoch
        self._flights: dict[Hashable, Flight] = {}
        self._behind: set[asyncio.Task[None]] = set()

    def share(self, shared: SharedCache) -> None:
        """Have `shared` behind this cache."""
        self.shared = Patient(shared, self.config.shared_timeout_ms / 1e3)

    def ask(
        self, query: Query, target: bytes, wish: CacheWish | None, owner: str, more: Any = None, until: Hashable = None
    ) -> Ask | None:
        """`query` as a question to the cache; None when it is not one for it. `more` is what else the answer depends
        on, `until` what only its run does (a time limit, say). Raises InvalidQuery when the wish can't be had.
        """
        allowed = granted(wish, query.sampling, self.config)
        if allowed == NEITHER:
            return None
        compared = self.semantic is not None and allowed.semantic is not False and query.messages[-1].role == "user"
        try:
            key = key_of(owner, self.epoch, target, query, more)
            setting = setting_of(owner, self.epoch, target, query, more) if compared else None
        except TypeError:  # a library's caller may put in what is no JSON; it has no key
            return None
        return Ask(owner, key, allowed, query.text, (key, until), setting)

    def find(self, ask: Ask) -> Found | None:
        """The answer that this process has to the same request."""
        slot = self.slot(ask)
        entry = None if slot is None else decoded(slot.data)
        return None if entry is None else Found(entry, "exact")

    def slot(self, ask: Ask) -> Slot | None:
        """Where that answer is kept."""
        return self.store.get(ask.owner, ask.key, ask.wish.max_age) if ask.wish.read else None

    async def find_elsewhere(self, ask: Ask) -> Found | None:
        """The answer to the same request that another process has, or to one that means the same."""
        if not ask.wish.read:
            return None
        found = None if self.shared is None else await self._find_shared(ask, self.shared)
        if found is None and self.semantic is not None and ask.setting is not None:
            found = await self._find_alike(ask, ask.setting, self.semantic)
        return found

    def keep(self, ask: Ask, completion: Completion, report: Report, proposals: tuple[Proposed, ...]) -> None:
        """Keep an answer, if it may be kept and is worth it; learn from it, if one was at hand already."""
        if self.semantic is not None and ask.match is not None:
            kept = decoded(ask.match.slot.data)
            if kept is not None:
                self.semantic.compared(ask.match, kept.completion.text, completion.text)
        if not ask.wish.write:
            return
        if not worth_keeping(completion, report):
            self.counts.add(ask.owner, "exact", "refused")
            return
        slot = self._put(ask, entry_of(completion, report, ask.prompt, proposals))
        if slot is not None and self.semantic is not None and ask.question is not None and ask.setting is not None:
            self.semantic.add(ask.setting, ask.question, slot)

    def flight(self, ask: Ask) -> Flight | None:
        """The run that answers this request at the moment."""
        flight = self._flights.get(ask.flight) if ask.wish.read else None
        return flight if flight is not None and flight.joinable else None

    def fly(self, ask: Ask, run: Run) -> Flight:
        """Begin a run that others may join."""
        flight = Flight(run, self.config.max_entry_bytes)
        self._flights[ask.flight] = flight
        flight.task.add_done_callback(lambda _: self._landed(ask, flight))
        return flight

    def behind(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` in the background, unless too much is going on there."""
        if len(self._behind) >= BEHIND:
            work.close()
            return
        task = asyncio.ensure_future(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def follow(self) -> None:
        """Forget what was deleted through other gateways, and learn what they learn, until cancelled."""
        seen: dict[str, float] = {}
        while self.shared is not None or self.semantic is not None:
            if self.semantic is not None:
                self.semantic.trust.catch_up()
            if self.shared is not None:
                self._forget(await self.shared.cleared(), seen)
            await asyncio.sleep(LOOK)

    def _forget(self, cleared: Mapping[str, float], seen: dict[str, float]) -> None:
        for owner, when in cleared.items():
            if seen.get(owner, 0.0) < when:
                seen[owner] = when
                self.store.clear(owner, before=when)

    async def close(self) -> None:
        """Stop what is done in the background."""
        for task in self._behind:
            task.cancel()
        await asyncio.gather(*self._behind, return_exceptions=True)

    def facts(self, owner: str) -> dict[str, Any]:
        """What one caller may know of the cache."""
        entries, size = self.store.held(owner)
        domains = None if self.semantic is None else self.semantic.trust.facts()
        return {"entries": entries, "bytes": size, "counts": self.counts.of(owner), "semantic": domains}

    async def clear(self, owner: str) -> int:
        """Forget a caller's answers, in all processes; returns how many there were here or in the shared level."""
        here = self.store.clear(owner)
        return here if self.shared is None else max(here, await self.shared.clear(owner))

    async def _find_shared(self, ask: Ask, shared: Patient) -> Found | None:
        stored = await shared.get(ask.owner, ask.key)
        entry = None if stored is None else decoded(stored[1])
        found = None if entry is None else Found(entry, "shared")
        oldest = min(self.config.ttl, self.config.ttl if ask.wish.max_age is None else ask.wish.max_age)
        if stored is None or found is None or found.recalled.age_s > oldest:
            self.counts.add(ask.owner, "shared", "miss")
            return None
        self.store.put(ask.owner, ask.key, stored[1], stored[0])
        return found

    async def _find_alike(self, ask: Ask, setting: bytes, semantic: SemanticCache) -> Found | None:
        ask.question = await semantic.question(ask.prompt)
        if ask.question is None:
            return None
        ask.match = semantic.find(setting, ask.question, ask.prompt, ask.wish.max_age)
        entry = None if ask.match is None else decoded(ask.match.slot.data)
        if ask.match is None or entry is None or not ask.match.served:
            self.counts.add(ask.owner, "semantic", "miss" if ask.match is None else "bypass")
            return None
        return Found(entry, "semantic", ask.match.score)

    def _put(self, ask: Ask, entry: Entry) -> Slot | None:
        try:
            data = entry.encoded()
        except TypeError:  # an expert of the library's user may have put anything into its answer
            data = b""
        fits = 0 < len(data) <= self.config.max_entry_bytes
        kept = self.store.put(ask.owner, ask.key, data, entry.created) if fits else None
        self.counts.add(ask.owner, "exact", "refused" if kept is None else "stored")
        if kept is not None and self.shared is not None:
            self.shared.put(ask.owner, ask.key, (entry.created, data))
        return kept

    def _landed(self, ask: Ask, flight: Flight) -> None:
        if self._flights.get(ask.flight) is flight:
            del self._flights[ask.flight]
