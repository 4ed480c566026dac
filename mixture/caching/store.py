"""Entries in memory: bounded in bytes, for each owner and for all, with the ones that were asked for again kept longer.

Each owner has two queues, as in a segmented LRU cache (Karedla, Love and Wherry 1994): what was asked for once waits in
`fresh`, and moves to `proven` when it is asked for again. What must go is taken from `fresh` first, so that a flood of
requests that never come back does not wash out those that do.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

OVERHEAD = 512
"""Bytes that an entry takes beside its own."""
FRESH = 0.2
"""The share of an owner's bytes that `fresh` keeps when something must go."""


@dataclass(slots=True)
class Slot:
    """An entry's place: its bytes, when it was answered (seconds since the epoch), what it takes. `on_drop` is called
    once it is gone.
    """

    owner: str
    key: bytes
    data: bytes
    created: float
    size: int
    on_drop: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True)
class _Shelf:
    """One owner's slots."""

    fresh: OrderedDict[bytes, Slot] = field(default_factory=OrderedDict)
    proven: OrderedDict[bytes, Slot] = field(default_factory=OrderedDict)
    bytes: int = 0
    fresh_bytes: int = 0

    def oldest(self) -> Slot:
        """What goes first."""
        fresh = self.fresh and (not self.proven or self.fresh_bytes > FRESH * self.bytes)
        return next(iter((self.fresh if fresh else self.proven).values()))


class Store:
    """The entries of all owners. `evicted` counts those that had to make room."""

    def __init__(self, max_bytes: int, share: float, ttl: float, clock: Callable[[], float] = time.time) -> None:
        self._most, self._share, self._ttl, self._clock = max_bytes, int(max_bytes * share), ttl, clock
        self._shelves: dict[str, _Shelf] = {}
        self.bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return sum(len(shelf.fresh) + len(shelf.proven) for shelf in self._shelves.values())

    def get(self, owner: str, key: bytes, max_age: float | None = None) -> Slot | None:
        """The slot with this key, unless it is older than it may be."""
        shelf = self._shelves.get(owner)
        if shelf is None:
            return None
        slot = shelf.proven.get(key)
        if slot is not None:
            shelf.proven.move_to_end(key)
        elif (slot := shelf.fresh.get(key)) is None:
            return None
        age = self._clock() - slot.created
        if age > self._ttl:
            self.drop(slot)
            return None
        if max_age is not None and age > max_age:
            return None
        if shelf.fresh.pop(key, None) is not None:
            shelf.fresh_bytes -= slot.size
            shelf.proven[key] = slot
        return slot

    def put(self, owner: str, key: bytes, data: bytes, created: float) -> Slot | None:
        """Keep an entry in the place of an older one; None when it is too large for its owner's share."""
        size = len(data) + len(owner) + OVERHEAD
        if size > min(self._share, self._most):
            return None
        shelf = self._shelves.get(owner)
        if shelf is not None and (before := shelf.fresh.get(key) or shelf.proven.get(key)) is not None:
            self.drop(before)
        slot = Slot(owner, key, data, created, size)
        shelf = self._shelves.setdefault(owner, _Shelf())
        shelf.fresh[key] = slot
        shelf.fresh_bytes += size
        self._grew(slot, size)
        return slot

    def grow(self, slot: Slot, size: int) -> bool:
        """Count `size` further bytes that are kept because of `slot`; False when it is gone, or had to go for them."""
        shelf = self._shelves.get(slot.owner)
        if shelf is None or (shelf.fresh.get(slot.key) or shelf.proven.get(slot.key)) is not slot:
            return False
        slot.size += size
        if slot.key in shelf.fresh:
            shelf.fresh_bytes += size
        self._grew(slot, size)
        return shelf.fresh.get(slot.key) is slot or shelf.proven.get(slot.key) is slot

    def drop(self, slot: Slot) -> None:
        """Forget an entry."""
        shelf = self._shelves[slot.owner]
        if shelf.fresh.pop(slot.key, None) is not None:
            shelf.fresh_bytes -= slot.size
        else:
            del shelf.proven[slot.key]
        shelf.bytes -= slot.size
        self.bytes -= slot.size
        if not shelf.fresh and not shelf.proven:
            del self._shelves[slot.owner]
        for gone in slot.on_drop:
            gone()
        slot.data = b""  # whoever still knows the slot must not keep what it held
        slot.on_drop.clear()

    def clear(self, owner: str, before: float = float("inf")) -> int:
        """Forget an owner's entries, those that were answered by then; returns how many they were."""
        shelf = self._shelves.get(owner)
        slots = [] if shelf is None else [*shelf.fresh.values(), *shelf.proven.values()]
        slots = [slot for slot in slots if slot.created <= before]
        for slot in slots:
            self.drop(slot)
        return len(slots)

    def held(self, owner: str) -> tuple[int, int]:
        """How many entries an owner has, and the bytes they take."""
        shelf = self._shelves.get(owner)
        return (0, 0) if shelf is None else (len(shelf.fresh) + len(shelf.proven), shelf.bytes)

    def _grew(self, slot: Slot, size: int) -> None:
        shelf = self._shelves[slot.owner]
        shelf.bytes += size
        self.bytes += size
        while shelf.bytes > self._share:
            self._evict(shelf)
        while self.bytes > self._most:
            self._evict(max(self._shelves.values(), key=lambda one: one.bytes))

    def _evict(self, shelf: _Shelf) -> None:
        self.evicted += 1
        self.drop(shelf.oldest())
