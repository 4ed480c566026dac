"""A router that may fail or be late, and the keyword router behind it: routing is never a single point of failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mixture.errors import InvalidQuery, MixtureError
from mixture.routing.keyword import KeywordRouter
from mixture.types import ExpertCard, Loads, Query, Route, Router
from mixture.wrappers import Breaker

if TYPE_CHECKING:
    from mixture.routing.calibration import Calibration

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
    """The place of a router that could not be made: keywords decide, and every route says why, until there is a
    `calibration` to make it of.
    """

    def __init__(self, why: str, make: Callable[[Calibration], Router] | None = None) -> None:
        self._why = why
        self._make = make
        self._keyword = KeywordRouter()
        self._calibration: Calibration | None = None
        self._made: Router | None = None

    @property
    def calibration(self) -> Calibration | None:
        """What the router was made of; None while there is none."""
        return self._calibration

    @calibration.setter
    def calibration(self, calibration: Calibration) -> None:
        if self._make is not None:
            self._calibration, self._made = calibration, self._make(calibration)

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The decision of the router that has been made since, else the keyword router's."""
        if self._made is not None:
            return await self._made.route(query, cards, loads)
        return instead(await self._keyword.route(query, cards, loads), self._why)


def instead(route: Route, why: str) -> Route:
    """`route` as it was made by keywords because of `why`."""
    return replace(route, why=f"by keywords ({why}); {route.why}", signals={**route.signals, "fallback": why})
