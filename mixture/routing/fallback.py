"""A router that may fail or be late, and the keyword router behind it: routing is never a single point of failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from mixture.errors import InvalidQuery, MixtureError
from mixture.routing.keyword import KeywordRouter
from mixture.types import ExpertCard, Loads, Query, Route, Router
from mixture.wrappers import Breaker

logger = logging.getLogger("mixture.router")

FAILS, PAUSE = 3, 5.0
"""Failures in a row after which the router is not asked, and for how many seconds."""


class FallbackRouter:
    """Asks `first`, for at most `seconds` where a number is given; when it fails or is late the keyword router decides,
    and the route says so. A router that keeps failing is left alone for a while, so that requests don't wait for it.
    """

    def __init__(self, first: Router, seconds: float | None = None, breaker: Breaker | None = None) -> None:
        self.first = first
        self._seconds = seconds
        self._keyword = KeywordRouter()
        self._breaker = breaker or Breaker(FAILS, PAUSE)

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The decision of `first`, else the keyword router's."""
        if not self._breaker.enter():
            return await self._by_keywords("it failed a moment ago", query, cards, loads)
        ended = self._breaker.left
        try:
            async with asyncio.timeout(self._seconds):
                route = await self.first.route(query, cards, loads)
            ended = self._breaker.succeeded
            return route
        except TimeoutError:
            ended = self._breaker.failed
            why = f"it did not decide within {(self._seconds or 0.0) * 1e3:.0f} ms"
        except InvalidQuery as error:  # it can't decide about this request; that says nothing of the next one
            why = error.message or type(error).__name__
        except MixtureError as error:
            ended = self._breaker.failed
            why = error.message or type(error).__name__
        except Exception as error:
            ended = self._breaker.failed
            logger.exception("the router failed in a way that it should not")
            why = type(error).__name__
        finally:
            ended()
        return await self._by_keywords(why, query, cards, loads)

    async def _by_keywords(self, why: str, query: Query, cards: Sequence[ExpertCard], loads: Loads | None) -> Route:
        return instead(await self._keyword.route(query, cards, loads), why)


class Missing:
    """The place of a router that could not be made: keywords decide, and every route says why."""

    def __init__(self, why: str) -> None:
        self._why = why
        self._keyword = KeywordRouter()

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The keyword router's decision."""
        return instead(await self._keyword.route(query, cards, loads), self._why)


def instead(route: Route, why: str) -> Route:
    """`route` as it was made by keywords because of `why`."""
    return replace(route, why=f"by keywords ({why}); {route.why}", signals={**route.signals, "fallback": why})
