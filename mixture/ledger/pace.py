"""Requests and tokens a minute, and requests at once, where requests arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mixture.errors import Overloaded, TooManyRequests
from mixture.ledger.reports import Limits, Pace, Paced


@dataclass(slots=True)
class Allowance:
    """What this gateway may still let in of one key, and what it has let in."""

    limits: Limits
    minute: int = 0
    requests: int = 0
    tokens: int = 0
    slots: int = 0
    running: int = 0
    owed: int = 0
    """Tokens that requests took beyond what was set aside for them; negative: less."""
    elsewhere: tuple[int, int] = (0, 0)
    """Requests and tokens that are left in this minute, and were given to no gateway."""
    told_slots: int = 0
    more: tuple[int, int, int] = (0, 0, 0)
    """Places, requests and tokens that those who wait lack."""
    coming: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the answer to what is asked next."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the answer to what has been asked."""

    def turn(self, now: float) -> None:
        """Begin a new minute when it has come."""
        if self.minute != int(now // 60):
            self.minute, self.requests, self.tokens, self.owed = int(now // 60), 0, 0, 0

    def lacks(self, tokens: int) -> tuple[int, int, int]:
        """Places, requests and tokens that one more request needs and that are not here."""
        limits = self.limits
        return (
            int(limits.concurrency is not None and self.running >= self.slots),
            int(limits.requests_per_minute is not None and self.requests < 1),
            0 if limits.tokens_per_minute is None else max(0, tokens - self.tokens),
        )


class Paces:
    """The allowances of all keys that have one. `ask` lets the ledger be asked soon."""

    def __init__(self, ask: Callable[[], None], patience: float) -> None:
        self._ask = ask
        self._patience = patience
        self._by_caller: dict[str, Allowance] = {}

    async def enter(self, caller: str, limits: Limits, tokens: int) -> Allowance:
        """Let one request in that is expected to take so many tokens. Raises TooManyRequests, with the seconds to wait;
        Overloaded when the ledger can't be asked.
        """
        allowance = self._by_caller.setdefault(caller, Allowance(limits))
        allowance.limits = limits
        allowance.turn(time.time())
        lacking = allowance.lacks(tokens)
        if any(lacking):
            await self._more(allowance, lacking)
            allowance.turn(time.time())
            lacking = allowance.lacks(tokens)
            if any(lacking):
                raise _refusal(allowance, lacking)
        allowance.running += 1
        allowance.requests -= 1
        allowance.tokens -= tokens
        return allowance

    def leave(self, allowance: Allowance, minute: int, expected: int, taken: int) -> None:
        """The request is over; it took `taken` tokens."""
        allowance.running -= 1
        if allowance.minute == minute and allowance.limits.tokens_per_minute is not None:
            allowance.owed += taken - expected

    def told(self, caller: str) -> Allowance | None:
        """What is known of a caller's pace."""
        return self._by_caller.get(caller)

    def asked(self, now: float) -> dict[str, Pace]:
        """What there is to ask and to tell."""
        paces = {}
        for caller, one in self._by_caller.items():
            one.turn(now)
            one.slots = min(one.slots, one.running) if not one.more[0] else one.slots
            if any(one.more) or one.owed or one.slots != one.told_slots:
                paces[caller] = Pace(one.minute, one.slots, one.owed, *one.more)
                one.more, one.owed, one.told_slots = (0, 0, 0), 0, one.slots
                one.asked, one.coming = one.coming, asyncio.Event()
        return paces

    def answered(self, paces: Mapping[str, Paced]) -> None:
        """Take in what was allowed."""
        for caller, paced in paces.items():
            one = self._by_caller[caller]
            one.slots += paced.slots
            one.told_slots += paced.slots
            one.requests += paced.requests
            one.tokens += paced.tokens
            one.elsewhere = paced.requests_left, paced.tokens_left
            one.asked.set()

    async def _more(self, one: Allowance, lacking: tuple[int, int, int]) -> None:
        one.more = (one.more[0] + lacking[0], one.more[1] + lacking[1], one.more[2] + lacking[2])
        event = one.coming
        self._ask()
        try:
            async with asyncio.timeout(self._patience):
                await event.wait()
        except TimeoutError:
            raise Overloaded("the ledger can't be asked for the key's limits", code="ledger") from None


def _refusal(one: Allowance, lacking: tuple[int, int, int]) -> TooManyRequests:
    limits, wait = one.limits, 60 - time.time() % 60
    if lacking[0]:
        return TooManyRequests(f"{limits.concurrency} requests at once are the most of this key", retry_after=1.0)
    what = f"{limits.requests_per_minute} requests" if lacking[1] else f"{limits.tokens_per_minute} tokens"
    return TooManyRequests(f"{what} a minute are the most of this key", retry_after=wait)
