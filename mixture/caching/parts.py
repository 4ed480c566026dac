"""Parts of an answer that are kept by themselves: proposals, subtasks of a plan, the plan. When the whole could not be
kept, because one of them failed, only that one is made again.

A request that may be cached says so to the wrapper around each expert through a context variable, like the meter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache

import orjson
from pydantic import TypeAdapter, ValidationError

from mixture.caching.cache import AnswerCache, Ask
from mixture.caching.keys import key_of
from mixture.metering import adjusted
from mixture.types import Adjusted, Completion, Query

KEPT = ("proposer", "draft", "decomposer")
"""What an expert may have been asked for, beside a subtask. What writes the answer itself is kept with the whole, and
judges see something else each time."""


@dataclass(slots=True)
class Parts:
    """The parts of one request. The same question to the same expert may be asked several times, for proposals that are
    meant to differ: each time is a part of its own.
    """

    cache: AnswerCache
    ask: Ask
    asked: Counter[bytes] = field(default_factory=Counter)

    def key(self, expert: str, query: Query) -> bytes | None:
        """What the part is known by; None when it is none that is kept."""
        if not (query.purpose.startswith("subtask") or query.purpose in KEPT):
            return None
        try:
            plain = key_of(self.ask.owner, self.cache.epoch, expert.encode(), query, "part")
        except TypeError:
            return None
        self.asked[plain] += 1
        return plain + self.asked[plain].to_bytes(2, "big")

    def find(self, key: bytes, expert: str) -> Completion | None:
        """The part that was made before."""
        wish = self.ask.wish
        slot = self.cache.store.get(self.ask.owner, key, wish.max_age) if wish.read else None
        found = None if slot is None else _decoded(slot.data)
        self.cache.counts.add(self.ask.owner, "subtask", "miss" if found is None else "hit")
        if found is not None:
            adjusted(Adjusted("recalled", "what was asked of it had been answered before", (expert,)))
        return found

    def keep(self, key: bytes, completion: Completion) -> None:
        """Keep a part that is whole."""
        whole = all(c.finish_reason == "stop" and not c.tool_calls and c.text.strip() for c in completion.choices)
        if not self.ask.wish.write or not whole:
            return
        try:
            data = orjson.dumps(completion)
        except TypeError:  # an expert of the library's user may have put anything into its answer
            return
        if len(data) <= self.cache.config.max_entry_bytes:
            self.cache.store.put(self.ask.owner, key, data, time.time())
            self.cache.counts.add(self.ask.owner, "subtask", "stored")


_parts: ContextVar[Parts | None] = ContextVar("mixture_parts", default=None)


@contextmanager
def keeping(cache: AnswerCache, ask: Ask) -> Iterator[None]:
    """Keep the parts of what is answered inside, where that is configured."""
    token = _parts.set(Parts(cache, ask) if cache.config.subtasks else None)
    try:
        yield
    finally:
        _parts.reset(token)


def parts() -> Parts | None:
    """The parts of the request that is being answered; None when they are not kept."""
    return _parts.get()


def _decoded(data: bytes) -> Completion | None:
    try:
        return _adapter().validate_json(data)
    except ValidationError:
        return None


@cache
def _adapter() -> TypeAdapter[Completion]:
    return TypeAdapter(Completion)
