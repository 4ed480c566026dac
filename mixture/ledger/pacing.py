"""Requests and tokens a minute, and requests at once, shared out among gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mixture.ledger.reports import NO_LIMITS, Limits, Pace, Paced

SHARE = 20
"""A gateway may take one part in so many of what is left of a minute, where it asks for less."""


@dataclass(slots=True)
class _Minute:
    """What was handed out of one key's minute."""

    number: int = 0
    requests: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Pacer:
    """Counts what gateways take, in memory: after a restart the minute begins anew, and who holds places says so."""

    limits: Mapping[str, Limits] = field(default_factory=dict)
    _minutes: dict[str, _Minute] = field(default_factory=dict)
    _slots: dict[str, dict[str, int]] = field(default_factory=dict)

    def paced(self, holder: str, asked: Mapping[str, Pace], now: float) -> dict[str, Paced]:
        """What a gateway may take, by caller."""
        return {caller: self._paced(holder, caller, pace, now) for caller, pace in asked.items()}

    def forget(self, holder: str) -> None:
        """A gateway is gone, and its places are free."""
        for slots in self._slots.values():
            slots.pop(holder, None)

    def _paced(self, holder: str, caller: str, pace: Pace, now: float) -> Paced:
        limits = self.limits.get(caller, NO_LIMITS)
        minute = self._minutes.setdefault(caller, _Minute())
        if minute.number != int(now // 60):
            self._minutes[caller] = minute = _Minute(int(now // 60))
        same = pace.minute == minute.number
        minute.tokens += pace.tokens if same else 0
        requests = _share(limits.requests_per_minute, minute.requests, pace.more_requests) if same else 0
        tokens = _share(limits.tokens_per_minute, minute.tokens, pace.more_tokens) if same else 0
        minute.requests += requests
        minute.tokens += tokens
        left = _left(limits.requests_per_minute, minute.requests), _left(limits.tokens_per_minute, minute.tokens)
        return Paced(self._placed(holder, caller, pace, limits), requests, tokens, *left)

    def _placed(self, holder: str, caller: str, pace: Pace, limits: Limits) -> int:
        """More places for requests at once; what others hold is theirs."""
        slots = self._slots.setdefault(caller, {})
        slots[holder] = pace.slots
        if limits.concurrency is None:
            return 0
        more = max(0, min(pace.more_slots, limits.concurrency - sum(slots.values())))
        slots[holder] += more
        return more


def _share(limit: int | None, taken: int, wanted: int) -> int:
    if limit is None or not wanted:
        return 0
    free = max(0, limit - taken)
    return min(free, max(wanted, free // SHARE))


def _left(limit: int | None, taken: int) -> int:
    return 0 if limit is None else max(0, limit - taken)
