"""A collection put in order on its disk: what was written since gets indexed, and what is gone leaves the files.

LanceDB writes each change beside what was there: a deleted row is only marked, old versions of the table stay, and
new rows have no index. Its `optimize` rewrites a file only when a tenth of its rows are marked: others are moved first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from mixture.retrieval.access import Place
from mixture.retrieval.host import IndexUnavailable
from mixture.retrieval.store import Store, told

LARGE = 20_000
"""Passages from which on vectors have an index: below it, comparing with every one of them takes a few milliseconds."""
READERS = timedelta(minutes=5)
"""How long what was deleted or replaced stays on the disk for readers that began before."""
PARTS = 20
"""Parts of an index of vectors, one more each time that rows were added, from which on it is made anew."""
RACES = 3
"""Times that versions are read again because one of them was deleted meanwhile."""
MOVED = ("00", "20", "40", "60", "80", "a0", "c0", "e0", "g")
"""Passages with ids between two of these, an eighth, are moved at a time: enough to have the rest rewritten, too."""
_KEPT = timedelta(days=36_500)
_CLOCK = timedelta(seconds=1)
"""What a version may be older than LanceDB takes it for: it looks at the clock when it gets there."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a table: when it was made, how many rows it has, and how many more are marked as deleted in it."""

    number: int
    made: datetime
    rows: int
    marked: int


@dataclass(frozen=True, slots=True)
class State:
    """The versions of a collection that are on the disk, oldest first, and passages that an index lacks."""

    versions: tuple[Version, ...]
    unindexed: int

    @property
    def tidy(self) -> bool:
        """Whether there is nothing to do: one version is left only by those who put it in order."""
        return len(self.versions) < 2

    @property
    def gone(self) -> bool:
        """Whether anything was deleted or replaced that may be on the disk."""
        fewer = any(one.rows > other.rows for one, other in pairwise(self.versions))
        return fewer or any(one.marked for one in self.versions)


async def state_of(store: Store, place: Place) -> State:
    """How the collection is on its disk. Raises IndexUnavailable."""
    for _ in range(RACES):
        with suppress(IndexUnavailable):  # another process deletes versions while they are read
            return await _state(store, place, quietly=True)
    return await _state(store, place)


async def _state(store: Store, place: Place, *, quietly: bool = False) -> State:
    async with told(quietly=quietly):
        table = await store.table(place)
        versions = tuple(map(_version, await table.list_versions()))
        return State(versions, _unindexed(await table.list_indices(), versions[-1].rows))


def _unindexed(indices: Iterable[Any], rows: int) -> int:
    known = {index.columns[0]: index.num_unindexed_rows or 0 for index in indices}
    return rows if rows >= LARGE and "vector" not in known else max(known.values(), default=0)


def _version(found: dict[str, Any]) -> Version:
    about = found["metadata"]
    marked = int(about.get("total_deletion_file_rows", 0))
    made = found["timestamp"].astimezone(UTC)
    return Version(int(found["version"]), made, int(about.get("total_rows", 0)), marked)


async def tidied(store: Store, place: Place) -> None:
    """Index every passage of the collection, and have its newest version hold nothing that is gone. Searches and
    writers go on meanwhile. Raises IndexUnavailable.
    """
    gone = (await state_of(store, place)).gone
    await _optimized(store, place)
    if gone:
        await _moved(store, place)
    async with told():
        await _indexed(await store.table(place), anew=gone)


async def _optimized(store: Store, place: Place) -> None:
    """LanceDB's own order. Where a writer was quicker, again with writers waiting."""
    try:
        async with told(quietly=True):
            await (await store.table(place)).optimize(cleanup_older_than=_KEPT)
    except IndexUnavailable:
        async with store.writing(place), told():
            await (await store.table(place)).optimize(cleanup_older_than=_KEPT)


async def _moved(store: Store, place: Place) -> None:
    """Move passages until no file holds any that is marked as deleted."""
    for low, high in pairwise(MOVED):
        if not (await state_of(store, place)).versions[-1].marked:
            return
        async with store.writing(place), told():
            table = await store.table(place)
            await table.update(where=f"id >= '{low}' AND id < '{high}'", updates_sql={"digest": "digest"})
        await _optimized(store, place)


async def _indexed(table: Any, *, anew: bool) -> None:
    """The indices as they should be; `anew` makes that of the words anew, which else keeps words of what is gone."""
    from lancedb.index import FTS, IvfPq

    columns = {index.columns[0]: index for index in await table.list_indices()}
    if anew and "searched" in columns:
        await table.create_index("searched", config=FTS(), replace=True)
    parts = columns["vector"].num_segments or 1 if "vector" in columns else None
    if (parts is None and await table.count_rows() >= LARGE) or (parts or 0) > PARTS:
        await table.create_index("vector", config=IvfPq(distance_type="cosine"), replace=True)


async def pruned(store: Store, place: Place) -> timedelta | None:
    """Delete from the disk what no reader of the last `READERS` can need; how long until there is more to delete, None
    where nothing is left. Raises IndexUnavailable.
    """
    versions = (await state_of(store, place)).versions
    needed = _needed(versions)
    if needed > 0:
        last = needed == len(versions) - 1
        age = READERS if last else datetime.now(UTC) - versions[needed].made + _CLOCK
        async with store.writing(place), told():
            await (await store.table(place)).optimize(cleanup_older_than=age, delete_unverified=not store.shared)
        versions = (await state_of(store, place)).versions
    return None if len(versions) < 2 else max(_CLOCK, versions[1].made + READERS - datetime.now(UTC)) + _CLOCK


def _needed(versions: Sequence[Version]) -> int:
    """The place of the oldest version that was the newest one at some time in the last `READERS`."""
    before = datetime.now(UTC) - READERS
    return max((place for place, one in enumerate(versions) if one.made <= before), default=0)
