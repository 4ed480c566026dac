"""The short way to an answer that was given before: from the bytes of a request to the bytes of its answer.

A body that has been read once means the same when it comes again from the same caller, so it is not read again: what is
looked up is the entry of the cache that it led to, which may have expired, been deleted or been replaced meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from mixture.api.openai_chat import Asked
from mixture.api.template import Template, template_of
from mixture.caching import AnswerCache, Ask
from mixture.caching.store import Slot
from mixture.types import Report

OVERHEAD = 700
"""Bytes that a replay takes beside its answer's."""


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer ready to be sent, and what the log and feedback want to know of it. `asked` is kept for feedback."""

    ask: Ask
    slot: Slot
    template: Template
    model: str
    report: Report
    asked: Asked | None

    @property
    def age_s(self) -> float:
        """How many seconds ago it was answered."""
        return max(0.0, time.time() - self.slot.created)


class Replays:
    """Answers by the bytes of their requests. They live as long as the entries of `cache` that they come from, and
    count there.
    """

    def __init__(self, cache: AnswerCache, *, remembers: bool) -> None:
        self._cache = cache
        self._remembers = remembers
        self._known: dict[bytes, Replay] = {}

    def find(self, digest: bytes) -> Replay | None:
        """The answer to the request with this digest, if it may still be given."""
        replay = self._known.get(digest)
        if replay is None or self._cache.slot(replay.ask) is not replay.slot:
            return None
        return replay

    def learn(self, digest: bytes, body: bytes, ask: Ask, asked: Asked, report: Report) -> None:
        """Keep `body`, an answer that came from the cache, for the next request with this digest."""
        slot = self._cache.slot(ask)
        if slot is None or digest in self._known:
            return
        template = template_of(body)
        kept = asked if self._remembers else None
        read = sum(len(message.text) for message in asked.query.messages) if kept is not None else 0
        if self._cache.store.grow(slot, template.size + 2 * read + OVERHEAD):
            self._known[digest] = Replay(ask, slot, template, asked.model, report, kept)
            slot.on_drop.append(partial(self._forget, digest))

    def _forget(self, digest: bytes) -> None:
        del self._known[digest]


def digest_of(owner: str, protocol: bytes, moment: bytes, body: bytes) -> bytes:
    """What a request is known by: whose it is, its protocol, the state of what answers depend on, its bytes."""
    digest = blake2b(body, digest_size=16)
    digest.update(b"%b\0%b\0%b" % (owner.encode(), protocol, moment))
    return digest.digest()
