"""Keys: two requests have the same one when the same answer would do for both.

In a key are the caller, the configuration that answers, the target that the model's name stands for, and everything of
the request that an expert sees. Not in it is what changes nothing of the answer: ids, the session, whether it is
streamed, the deadline, what is left of a budget. Free-form values (JSON schemas, ...) count in the order in which they
were sent, because experts see that order.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import BaseModel

from mixture.types import ExpertCard, Message, Query

SIZE = 16
"""Bytes of a key: two different requests share one with a chance of less than one in 10^18 after a billion of them."""


def epoch_of(config: Any, cards: Iterable[ExpertCard], version: str) -> bytes:
    """A digest of what answers: the configuration (plain data), the experts' cards with their prices, the version."""
    known = [[card, sorted(card.abilities)] for card in cards]
    return blake2b(orjson.dumps([version, config, known], default=_plain), digest_size=SIZE).digest()


def target_of(executed: str, experts: Iterable[str], options: Any) -> bytes:
    """A digest of what a model's name stands for: the strategy, its experts, its options."""
    return blake2b(orjson.dumps([executed, list(experts), options], default=_plain), digest_size=SIZE).digest()


def key_of(owner: str, epoch: bytes, target: bytes, query: Query, more: Any = None) -> bytes:
    """The key of `query`. Raises TypeError when it holds what is no JSON."""
    return _digest(owner, epoch, target, query, query.messages, more)


def setting_of(owner: str, epoch: bytes, target: bytes, query: Query, more: Any = None) -> bytes:
    """The key of everything but the words of the last message: what must be the same for two questions to be compared
    by what they mean. Raises TypeError as `key_of` does.
    """
    last = query.messages[-1]
    rest = (*query.messages[:-1], Message(last.role, last.images, last.tool_calls, last.tool_call_id, last.name))
    return _digest(owner, epoch, target, query, rest, more)


def _digest(owner: str, epoch: bytes, target: bytes, query: Query, messages: tuple[Message, ...], more: Any) -> bytes:
    seen = (
        messages,
        query.sampling,
        query.tools,
        query.tool_choice,
        query.response_format,
        query.passages,
        query.limits.quality,
        more,
    )
    digest = blake2b(epoch, digest_size=SIZE)
    digest.update(target)
    digest.update(owner.encode() + b"\0")
    digest.update(orjson.dumps(seen, default=_plain))
    return digest.digest()


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no place in a key")
