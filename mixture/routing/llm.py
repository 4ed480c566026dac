"""Routes that an expert decides, as JSON that is checked; behind it stands a router that asks nobody."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mixture.errors import MixtureError
from mixture.prompts import ROUTE
from mixture.routing.candidates import candidate
from mixture.routing.encoder import addresses_router, readable
from mixture.routing.keyword import narrow
from mixture.routing.limits import barred
from mixture.streams import complete
from mixture.tokens import prompt_tokens
from mixture.types import (
    IDLE,
    Expert,
    ExpertCard,
    Loads,
    Message,
    Query,
    ResponseFormat,
    Route,
    Router,
    Sampling,
)

TURNS, TURN = 2, 500
"""Messages before the request that are shown, and characters of each."""
TOKENS = 1_000
"""What a decision may take to write, the expert's reasoning included."""
DESCRIBED = 300
"""Characters of a card's description that are shown."""

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"experts": {"type": "array", "items": {"type": "integer"}}},
    "required": ["experts"],
    "additionalProperties": False,
}
"""The JSON schema of a decision."""


class Decision(BaseModel):
    """A decision as an expert writes it: numbers of cards, best first."""

    model_config = ConfigDict(strict=True)

    experts: list[int]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the expert sees: the request without clauses that address the router, and cards under numbers."""

    request: str
    cards: Mapping[int, ExpertCard]
    tampered: bool


class LLMRouter:
    """Has `expert` choose among numbered cards, for at most `seconds`. Whatever goes wrong, `otherwise` decides, and
    the route says why.

    The request is data inside JSON, without clauses that address the router (`readable`). Cards have no names and no
    prices, and their numbers change with each request, so that a text can't aim at one. Experts that the limits
    exclude, that are left alone or that only calculate or quote are not shown; numbers that were not are refused. Where
    a text held such clauses, the choice may not be dearer than that of `otherwise`.
    """

    def __init__(self, expert: Expert, otherwise: Router, seconds: float = 5.0) -> None:
        self._expert = expert
        self._otherwise = otherwise
        self._seconds = seconds

    @property
    def asks(self) -> str:
        """The expert that decides, by its name."""
        return self._expert.card.name

    def asking(self, expert: Expert) -> LLMRouter:
        """The same, with another `expert` that decides."""
        return LLMRouter(expert, self._otherwise, self._seconds)

    @property
    def quiet(self) -> Router:
        """What decides without asking anybody."""
        return self._otherwise

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The expert's choice before the order of `otherwise`. Raises what `otherwise` raises."""
        base = await self._otherwise.route(query, cards, loads)
        shown = _shown(query, [card for card in cards if card.name in base.experts], loads or {})
        if len(shown.cards) < 2:
            return base
        try:
            async with asyncio.timeout(self._seconds):
                chosen = _chosen((await complete(self._expert, self._asked(query, shown))).text, shown)
        except TimeoutError:
            return self._instead(base, f"did not decide within {self._seconds:g} s")
        except MixtureError as error:
            return self._instead(base, f"did not decide ({error.message or type(error).__name__})")
        if isinstance(chosen, str):
            return self._instead(base, chosen)
        if shown.tampered and _dearer(chosen[0], base.experts, cards):
            return self._instead(base, "was addressed by the request and chose a dearer expert")
        return _led(base, chosen, cards, self.asks)

    def _instead(self, base: Route, why: str) -> Route:
        said = f"{self.asks} {why}"
        return replace(base, why=f"{said}; {base.why}", signals={**base.signals, "fallback": said})

    def _asked(self, query: Query, shown: _Shown) -> Query:
        material = {
            "experts": [_facts(number, card) for number, card in shown.cards.items()],
            "conversation": _before(query),
            "request": shown.request,
        }
        able = "json" in self._expert.card.abilities
        return Query(
            (Message("system", ROUTE), Message("user", json.dumps(material, ensure_ascii=False))),
            Sampling(max_tokens=TOKENS),
            response_format=ResponseFormat("json_schema", "route", SCHEMA, strict=True) if able else None,
            limits=query.limits,
            purpose="router",
            request_id=query.request_id,
        )


def _shown(query: Query, cards: Sequence[ExpertCard], loads: Loads) -> _Shown:
    text, prompt = query.text, prompt_tokens(query)
    able = [card for card in cards if not narrow(card)]
    made = [candidate(card, query, prompt, loads.get(card.name, IDLE)) for card in able]
    out = barred(able, made, query, prompt).reasons
    able = [card for card in able if card.name not in out]
    random.SystemRandom().shuffle(able)
    return _Shown(readable(text), dict(enumerate(able, 1)), addresses_router(text))


def _before(query: Query) -> list[dict[str, str]]:
    spoken = [message for message in query.messages[:-1] if message.role in ("user", "assistant") and message.text]
    return [{"role": message.role, "text": readable(message.text[:TURN])} for message in spoken[-TURNS:]]


def _facts(number: int, card: ExpertCard) -> dict[str, Any]:
    """A card without the names that a request could ask for."""
    description = card.description[:DESCRIBED]
    for name in sorted({card.name, card.model} - {""}, key=len, reverse=True):
        description = description.replace(name, "it")
    return {
        "number": number,
        "skills": list(card.skills),
        "description": description,
        "context_window": card.context_window,
        "abilities": sorted(card.abilities),
    }


def _chosen(text: str, shown: _Shown) -> list[ExpertCard] | str:
    """The cards that the decision in `text` names, or what is wrong with it."""
    start = text.find("{")
    try:
        data, _ = json.JSONDecoder().raw_decode(text, max(0, start))
        numbers = Decision.model_validate(data).experts
    except (ValueError, ValidationError, RecursionError):
        return "wrote no decision that can be used"
    unknown = [number for number in numbers if number not in shown.cards]
    if not numbers or unknown:
        return f"chose {unknown[0]}, which is no card" if unknown else "chose nobody"
    return [shown.cards[number] for number in dict.fromkeys(numbers)]


def _dearer(chosen: ExpertCard, names: Sequence[str], cards: Sequence[ExpertCard]) -> bool:
    """Whether the expert costs more than the first of `names` that can write; an unknown price is more than any."""
    by_name = {card.name: card for card in cards}
    other = next((by_name[name] for name in names if not narrow(by_name[name])), chosen)
    return chosen.name != other.name and _price(chosen) > _price(other)


def _price(card: ExpertCard) -> float:
    return float("inf") if card.price is None else card.price.input + card.price.output


def _led(base: Route, chosen: Sequence[ExpertCard], cards: Sequence[ExpertCard], by: str) -> Route:
    """`base` with the chosen experts first, but behind exact and quoting ones that stood at its head."""
    by_name, names = {card.name: card for card in cards}, [card.name for card in chosen]
    exact: list[str] = []
    for name in base.experts:
        if not narrow(by_name[name]):
            break
        exact.append(name)
    rest = [name for name in base.experts if name not in names and name not in exact]
    why = f"{by} chose {', '.join(names)}; {base.why}"
    return Route((*exact, *names, *rest), why, {**base.signals, "decided_by": by}, ordered=True)
