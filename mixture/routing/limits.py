"""The limits of a request for routers that predict no quality: whom they bar stands last, the least harm first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mixture.routing.objective import Aim, Candidate, harm, objection
from mixture.types import ExpertCard, Query, Route

NAMED = 3
"""Barred experts that are named in words; all of them stand in `signals["candidates"]`."""
NOBODY = "no expert keeps the limits, the one that breaks them least comes first"


@dataclass(frozen=True, slots=True)
class Barred:
    """What speaks against experts, by their names. `within` is false when it speaks against all: then none is better
    than those that break the limits least.
    """

    reasons: Mapping[str, str]
    harms: Mapping[str, tuple[bool, bool, float]]
    within: bool

    def last(self, names: Sequence[str]) -> list[str]:
        """`names` in their order, the barred ones behind the others by the harm of asking them."""
        return sorted(names, key=lambda name: (name in self.reasons, self.harms.get(name, (False, False, 0.0))))

    @property
    def words(self) -> str:
        """Who is barred and why; empty when nobody is."""
        told = words(self.reasons)
        return told if self.within else f"{NOBODY}; {told}"


def limits_of(query: Query) -> Aim:
    """The limits of `query` on cost and latency, as they are at this moment."""
    end = query.limits.deadline
    return Aim(
        max_cost_usd=query.limits.max_cost_usd,
        max_latency_ms=None if end is None else max(0.0, end - time.time()) * 1e3,
        session=query.session,
    )


def barred(cards: Sequence[ExpertCard], candidates: Sequence[Candidate], query: Query, prompt: int) -> Barred:
    """Which of `cards`, as these `candidates` for `query` with its `prompt` tokens, are not to be asked first."""
    aim = limits_of(query)
    reasons, harms = dict[str, str](), dict[str, tuple[bool, bool, float]]()
    for card, one in zip(cards, candidates, strict=True):
        small = too_small(card, prompt)
        if reason := small or objection(one, aim):
            reasons[card.name], harms[card.name] = reason, (bool(small), *harm(one, aim))
    return Barred(reasons, harms, len(reasons) < len(cards) or not cards)


def too_small(card: ExpertCard, prompt: int) -> str:
    """Why `prompt` tokens are too many for the expert; empty when they are not."""
    if card.context_window is None or prompt <= card.context_window:
        return ""
    return f"takes {card.context_window} tokens, the prompt has about {prompt}"


def left_out(route: Route) -> dict[str, str]:
    """The experts that the router of `route` left out, and why."""
    facts = route.signals.get("candidates") or ()
    return {str(fact["expert"]): str(fact["left_out"]) for fact in facts if fact.get("left_out")}


def words(reasons: Mapping[str, str]) -> str:
    """Who is left out and why; empty when nobody is."""
    named = [f"{name} ({reason})" for name, reason in reasons.items()]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"left out: {', '.join(named[:NAMED])}{more}" if named else ""
