"""Conversations that stay with their expert: what an upstream has in its prompt cache costs less and comes sooner."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mixture.routing.classification import topic
from mixture.routing.domains import GENERAL
from mixture.routing.keyword import fit, narrow
from mixture.types import ExpertCard, Loads, Message, Query, Route, Router

KEPT = 3_600.0
"""Seconds after its last request for which a conversation's expert is remembered: the longest that providers keep a
prompt cache by default (Anthropic's extended cache, OpenAI's in times of low load).
https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching https://platform.openai.com/docs/guides/prompt-caching
"""
BETTER = 0.15
"""How much better another expert has to be expected to answer for a conversation to leave its own."""


@dataclass(slots=True)
class _Seat:
    expert: str
    until: float


class Sessions:
    """The experts of at most `most` conversations, the least recently used forgotten first, and each after `KEPT`."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._seats: OrderedDict[str, _Seat] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seats)

    def expert(self, session: str) -> str | None:
        """The expert of a conversation; None when it is not known."""
        seat = self._seats.get(session)
        if seat is None or seat.until < self._clock():
            return None
        return seat.expert

    def seat(self, session: str, expert: str) -> None:
        """Remember the expert of a conversation."""
        self._seats[session] = _Seat(expert, self._clock() + KEPT)
        self._seats.move_to_end(session)
        if len(self._seats) > self._most:
            self._seats.popitem(last=False)


class StickyRouter:
    """Routes as `inner` does, but keeps a conversation (`Query.session`) with the expert that it was routed to before,
    unless that one can't answer this request, is down, is forbidden by the request's limits, or another one is made for
    it or expected to be better by more than `BETTER`.

    A gateway remembers the conversations that it has seen. One that began at another gateway is routed by its first
    message, which leads to the expert that it was given there, as far as the load does not differ.
    """

    def __init__(self, inner: Router, most: int, sessions: Sessions | None = None) -> None:
        self.inner = inner
        self._most = most
        self._sessions = Sessions(most) if sessions is None else sessions

    def around(self, inner: Router) -> StickyRouter:
        """The same conversations around another router."""
        return StickyRouter(inner, self._most, self._sessions)

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The route of `inner`, with the conversation's expert before the others where it stays; `signals["session"]`
        says whether it does, and why not.
        """
        route = await self.inner.route(query, cards, loads)
        session = query.session
        if session is None:
            return route
        held = self._sessions.expert(session) or await self._begun(query, cards, loads)
        first = _first(route.experts, cards)
        if first is None:
            return route
        if held is None or held == first:
            self._sessions.seat(session, first)
            return _told(route, first, None, stayed=held is not None)
        reason = _leaves(held, first, query, cards, route)
        if reason is not None:
            self._sessions.seat(session, first)
            return _told(route, first, f"left {held}: {reason}")
        self._sessions.seat(session, held)
        return _staying(route, held, first, cards)

    async def _begun(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None) -> str | None:
        """The expert to which the beginning of a conversation leads that this gateway does not know; None for one that
        has just begun.
        """
        opening = opened(query)
        if opening is None:
            return None
        return _first((await self.inner.route(opening, cards, loads)).experts, cards)


def opened(query: Query) -> Query | None:
    """The query with which a conversation began: up to the first message of the user. None when it is this one."""
    for place, message in enumerate(query.messages):
        if message.role == "user":
            return None if place == _last(query.messages) else replace(query, messages=query.messages[: place + 1])
    return None


def _last(messages: Sequence[Message]) -> int:
    return max(place for place, message in enumerate(messages) if message.role == "user")


def _first(names: Sequence[str], cards: Sequence[ExpertCard]) -> str | None:
    """The expert that is to write: the first that does not only calculate or quote."""
    writing = {card.name for card in cards if not narrow(card)}
    return next((name for name in names if name in writing), None)


def _leaves(held: str, first: str, query: Query, cards: Sequence[ExpertCard], route: Route) -> str | None:
    """Why a conversation leaves the expert `held`; None when it stays."""
    by_name = {card.name: card for card in cards}
    if held not in by_name:
        return "it can't do what this request needs"
    known: Mapping[str, Mapping[str, Any]] = {one["expert"]: one for one in route.signals.get("candidates", ())}
    mine, other = known.get(held, {}), known.get(first, {})
    if mine.get("left_out"):
        return str(mine["left_out"])
    if not mine.get("available", True):
        return "cooling down"
    if held not in route.experts:
        return "the router left it out"
    if mine.get("quality") is not None and other.get("quality") is not None:
        return _falls_short(first, mine["quality"], other["quality"], route.signals.get("promise"), known)
    found = topic(query)
    made_for = set(fit(by_name[first], found).skills) - GENERAL  # small talk is no reason to leave
    return f"{first} is made for {found.task}" if made_for and not fit(by_name[held], found).skills else None


def _falls_short(
    first: str, mine: float, other: float, promise: Mapping[str, Any] | None, known: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Why an expert of which `mine` is expected is not good enough; None when it is."""
    if other - mine > BETTER:
        return f"{first} is expected to be better by {other - mine:.2f}"
    if promise is None:
        return None
    if promise.get("guaranteed"):
        margin = promise["margin"]
        needed = 1.0 if margin is None else known[promise["of"]]["quality"] - margin
    else:
        needed = promise["quality"] * max(one["quality"] or 0.0 for one in known.values())
    return "it falls short of the quality asked for" if mine < needed else None


def _told(route: Route, expert: str, left: str | None, *, stayed: bool = False) -> Route:
    signals = {**route.signals, "session": {"expert": expert, "stayed": stayed, "why": left}}
    return replace(route, signals=signals, why=f"{route.why}; the session {left}" if left else route.why)


def _staying(route: Route, held: str, first: str, cards: Sequence[ExpertCard]) -> Route:
    """`route` with `held` before the expert that would have been first, behind exact and quoting ones."""
    before = route.experts[: route.experts.index(first)]
    exact = tuple(name for name in before if name != held)
    behind = tuple(name for name in route.experts if name != held and name not in exact)
    why = f"the session stays with {held} ({first} would be first); {route.why}"
    signals: dict[str, Any] = {**route.signals, "session": {"expert": held, "stayed": True, "why": None}}
    promise = signals.get("promise")
    if promise is not None and promise.get("guaranteed"):
        signals["promise"] = {**promise, "guaranteed": False, "obstacle": f"the session stays with {held}"}
    return replace(route, experts=(*exact, held, *behind), why=why, signals=signals)
