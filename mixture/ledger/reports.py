"""What gateways and the ledger tell each other, in one call each way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mixture.counters import Sums
from mixture.ledger.entries import Entry


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may take: US dollars a day and a month (UTC) and in all, requests and tokens a minute, requests at
    once. None is no limit.
    """

    usd_per_day: float | None = None
    usd_per_month: float | None = None
    usd_total: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None

    @property
    def budgeted(self) -> bool:
        """Whether there is a limit on money."""
        return not (self.usd_per_day is None and self.usd_per_month is None and self.usd_total is None)

    @property
    def paced(self) -> bool:
        """Whether there is a limit on requests or tokens."""
        return not (self.requests_per_minute is None and self.tokens_per_minute is None and self.concurrency is None)


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was made, by the digest (SHA-256, hexadecimal) that stands for it. `id` is the digest's beginning,
    `models` and `collections` None mean all; `created` and `revoked` are in seconds since the epoch.
    """

    id: str
    digest: str
    name: str
    created: float
    models: tuple[str, ...] | None = None
    collections: tuple[str, ...] | None = None
    limits: Limits = NO_LIMITS
    revoked: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """What a gateway has of a key's places for requests at once (`slots`), the tokens that requests took beyond what
    was set aside for them in the minute `minute` (of the epoch), and how much more it asks for.
    """

    minute: int
    slots: int = 0
    tokens: int = 0
    more_slots: int = 0
    more_requests: int = 0
    more_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A report of a gateway: calls to be entered, and of each budgeted caller what it holds of the money once these
    calls are entered (`leases`), how much more it asks for (`wants`), and below what it can do nothing with it
    (`least`; nothing is granted then). `over` says that the gateway is gone. `version` is that of the keys it knows.
    """

    holder: str
    number: int
    entries: tuple[Entry, ...] = ()
    leases: Mapping[str, float] = field(default_factory=dict)
    wants: Mapping[str, float] = field(default_factory=dict)
    paces: Mapping[str, Pace] = field(default_factory=dict)
    over: bool = False
    version: str | None = None
    least: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """What came of a want: `usd` more may be spent; `left` is what is not spent of the budget, whoever holds it, and
    `elsewhere` what other gateways hold of it; `limit` names the budget that is nearest to its end.
    """

    usd: float
    left: float
    elsewhere: float
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Paced:
    """What came of a pace: what more may be taken, and what then remains for anybody in this minute."""

    slots: int
    requests: int
    tokens: int
    requests_left: int = 0
    tokens_left: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """The ledger's answer: grants and paces by caller; all keys, where their version is another one."""

    grants: Mapping[str, Grant] = field(default_factory=dict)
    paces: Mapping[str, Paced] = field(default_factory=dict)
    version: str | None = None
    keys: tuple[Key, ...] | None = None


class LedgerHost(Protocol):
    """Where calls are entered and money is granted: one for all gateways."""

    async def report(self, told: Told) -> Answered:
        """Enter what was told and grant what was asked for. Raises Overloaded when the database can't be reached."""
        ...

    async def usage(
        self, caller: str | None, by: Sequence[str], since: str | None, until: str | None
    ) -> list[dict[str, Any]]:
        """Sums over calls; see `mixture.ledger.usage`. `caller` None means everybody's."""
        ...

    async def tell(self, who: str, sums: Sums) -> Sums:
        """See `mixture.counters.Tally`."""
        ...
