"""When collections are put in order on their disk: behind the requests, one after another, and never all the time.

What has to be done is read off the tables themselves, so that a process which starts finishes what another one left,
and several processes over one folder do nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from mixture.errors import MixtureError
from mixture.retrieval.access import Place
from mixture.retrieval.store import Store
from mixture.retrieval.tidying import LARGE, State, pruned, state_of, tidied

logger = logging.getLogger("mixture.retrieval")

QUIET = 10.0
"""Seconds after a change until its collection is put in order: what changes meanwhile is done with it."""
EVERY = 240.0
"""Seconds between two looks at all collections: other processes write, too."""
SHARE, REST = 0.1, 60.0
"""The share of the time that is spent on it, at most, as long as that asks for no longer rest than these seconds."""
WORTH = 0.01
"""New passages in a large collection, as a share of it, that are indexed at once; fewer wait for `LONGEST`, and every
search compares them one by one."""
LONGEST = 3_600.0


class Upkeep:
    """Keeps the collections of `store` in order as long as `run` runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: dict[Place, float] = {}
        self._tidied: dict[Place, int] = {}
        self._wake = asyncio.Event()

    def touched(self, place: Place) -> None:
        """Note that the collection has changed."""
        self._due.setdefault(place, time.monotonic() + QUIET)
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled, beginning with what was left undone."""
        looked = -EVERY
        while True:
            if time.monotonic() >= looked + EVERY:
                await self.look()
                looked = time.monotonic()
            took = await self._next()
            await self._sleep(min([looked + EVERY, *self._due.values()]), min(took * (1 / SHARE - 1), REST))

    async def look(self) -> None:
        """Have every collection looked at that isn't waiting for it."""
        try:
            for place in await self._store.places():
                self._due.setdefault(place, time.monotonic())
        except MixtureError as error:
            logger.warning("the documents' index can't be put in order now: %s", error.message)

    async def _next(self) -> float:
        """Put the collection in order that has waited longest; the seconds that it took."""
        place = min(self._due, key=self._due.__getitem__, default=None)
        began = time.monotonic()
        if place is None or self._due[place] > began:
            return 0.0
        del self._due[place]
        try:
            again = await self.ordered(place)
        except MixtureError as error:
            again = None  # the next look at all of them comes back to it
            logger.warning("a collection can't be put in order now: %s", error.message)
        if again is not None:
            self._due.setdefault(place, time.monotonic() + again)
        return time.monotonic() - began

    async def ordered(self, place: Place) -> float | None:
        """Do for the collection what is due; the seconds after which more will be, None where nothing will.

        Raises IndexUnavailable.
        """
        async with self._store.writing(place, "order") as file:
            state = await state_of(self._store, place)
            if state.tidy:
                return None
            if state.versions[-1].number != self._mark(place, file):
                wait = _wait(state)
                if wait > 0:
                    return wait
                await tidied(self._store, place)
                number = (await state_of(self._store, place)).versions[-1].number
                self._note(place, file, number)
            left = await pruned(self._store, place)
        return None if left is None else left.total_seconds()

    def _mark(self, place: Place, file: Path | None) -> int | None:
        """The version in which the collection was put in order: all processes know it, where they share a folder."""
        said = "" if file is None else file.read_text()
        return int(said) if said.isdecimal() else self._tidied.get(place)

    def _note(self, place: Place, file: Path | None, number: int) -> None:
        self._tidied[place] = number
        if file is not None:
            file.write_text(str(number))

    async def _sleep(self, until: float, at_least: float) -> None:
        await asyncio.sleep(at_least)
        self._wake.clear()
        try:
            async with asyncio.timeout(max(0.0, min([until, *self._due.values()]) - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return


def _wait(state: State) -> float:
    """Seconds that a collection can stay as it is."""
    rows = state.versions[-1].rows
    if state.gone or rows < LARGE or state.unindexed >= WORTH * rows:
        return 0.0
    return state.versions[1].made.timestamp() + LONGEST - time.time()
