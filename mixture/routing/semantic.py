"""Routing by what cards say: how near a request is to each expert's description, skills and example utterances.

Nothing is learned. The static encoder of the package needs microseconds; a heavier or a multilingual one may be named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.routing.domains import GENERAL
from mixture.routing.keyword import KeywordRouter, narrow
from mixture.routing.limits import left_out, words
from mixture.routing.signals import reading_of
from mixture.routing.static import packaged
from mixture.types import Embedder, ExpertCard, Loads, Query, Route

ALIKE = 0.3
"""The cosine from which on a request is like a card, for the static encoder; below it the keyword router's order
stands."""
ALIKE_BY_MODEL = 0.25
"""The same for a configured model."""

Floats = npt.NDArray[np.float32]


class SemanticRouter:
    """Orders experts by the largest cosine between the request and a text of their card, those that are like it before
    the others, which stay in the keyword router's order; so do all when the request is like no card. Exact and quoting
    experts, and those that the limits bar, stand where the keyword router puts them.

    `embedder` takes the place of the static encoder; `name` says in the route what it is.
    """

    def __init__(self, embedder: Embedder | None = None, name: str = "static") -> None:
        self._embedder = embedder
        self._name = name
        self._keyword = KeywordRouter()
        self._cards: dict[tuple[str, ...], Floats] = {}

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The experts to ask, best first."""
        base = await self._keyword.route(query, cards, loads)
        if not cards:
            return base
        by_name = {card.name: card for card in cards}
        exact = [name for name in base.experts if narrow(by_name[name])]
        open_ = [name for name in base.experts if name not in exact]
        barred = {name: reason for name, reason in left_out(base).items() if name in open_}
        likeness = await self._likeness(query.text, [by_name[name] for name in open_])
        least = ALIKE if self._embedder is None else ALIKE_BY_MODEL
        alike = [name for name in open_ if name not in barred and likeness[name] >= least]
        like = sorted(alike, key=lambda name: -likeness[name])
        order = (*exact, *like, *(name for name in open_ if name not in like))
        signals = {**base.signals, "encoder": self._name, "candidates": _told(base.signals["candidates"], likeness)}
        why = f"like no card; {base.why}" if base.signals["within_limits"] else base.why
        if like:
            told = f"like the card of {like[0]} ({likeness[like[0]]:.2f})"
            why = "; ".join(filter(None, (told, words(barred))))
        return replace(base, experts=order, why=why, signals=signals)

    async def _likeness(self, text: str, cards: Sequence[ExpertCard]) -> dict[str, float]:
        """The largest cosine of each card's texts; 0 for a card that says nothing."""
        if self._embedder is None:
            vector, matrices = reading_of(text).vector, [_static(texts_of(card)) for card in cards]
        else:
            vector = (await self._embedded((text,)))[0]
            matrices = [await self._known(texts_of(card)) for card in cards]
        return {card.name: _nearest(matrix, vector) for card, matrix in zip(cards, matrices, strict=True)}

    async def _known(self, texts: tuple[str, ...]) -> Floats:
        if texts not in self._cards:
            self._cards[texts] = await self._embedded(texts)
        return self._cards[texts]

    async def _embedded(self, texts: tuple[str, ...]) -> Floats:
        if self._embedder is None:
            return _static(texts)
        return np.array(await self._embedder.embed(texts), dtype=np.float32)


def _nearest(texts: Floats, vector: Floats) -> float:
    return float((texts @ vector).max()) if len(texts) else 0.0


def likeness(vector: Floats, card: ExpertCard) -> float:
    """The largest cosine between a request's static `vector` and a text of `card`; 0 for a card that says nothing."""
    return _nearest(_static(texts_of(card)), vector)


def texts_of(card: ExpertCard) -> tuple[str, ...]:
    """What a card says of the requests that suit its expert; general skills say nothing."""
    skills = tuple(skill for skill in card.skills if skill.lower() not in GENERAL)
    described = (card.description,) if card.description else ()
    return (*described, *skills, *card.examples)


@lru_cache(maxsize=1024)
def _static(texts: tuple[str, ...]) -> Floats:
    return packaged().encode_all(texts)


def _told(candidates: Sequence[dict[str, Any]], likeness: dict[str, float]) -> list[dict[str, Any]]:
    """The candidates with their similarity."""
    return [
        {**one, "similarity": round(likeness[one["expert"]], 4) if one["expert"] in likeness else None}
        for one in candidates
    ]
