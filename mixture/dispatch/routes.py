"""Routes: the router's decision, a specialist map over it, and the order of a cascade behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite

from mixture.dispatch.order import cheapest_first, suited, working_first
from mixture.dispatch.outcomes import no_answer, reason
from mixture.envelope import left
from mixture.errors import MixtureError
from mixture.estimates import cost_of, expected_usage
from mixture.routing.classification import named
from mixture.routing.keyword import narrow
from mixture.routing.limits import left_out
from mixture.types import Panel, Query, Route
from mixture.wrappers import load


async def routed(
    query: Query, panel: Panel, specialists: Mapping[str, str] | None = None, fallback: Sequence[str] | None = None
) -> Route:
    """The experts for `query` in the order of asking: the one that `specialists` has for the kind of task, else the
    router's best; behind it the router's order where it made one, else the cascade over the others. Raises NoAnswer
    when the panel is empty.
    """
    if not panel.experts:
        raise no_answer((), panel)
    route = await _decided(query, panel)
    mapped = _mapped(query, panel, route, specialists or {})
    if mapped is not None:
        kind, name = mapped
        route = replace(route, experts=(name,), why=f"specialist_map has {name} for {kind}; {route.why}")
        others = replace(route, experts=tuple(suited(panel, query)))
        return replace(route, experts=tuple(_ordered([name], others, query, panel, fallback)))
    if route.ordered and not fallback:
        return replace(route, experts=tuple(working_first(route.experts, panel, query)))
    head = _head(route.experts, panel)
    return replace(route, experts=tuple(_ordered(head, route, query, panel, fallback)))


async def _decided(query: Query, panel: Panel) -> Route:
    """The router's decision; without one (it may run elsewhere, and be gone) the experts as they are listed."""
    cards = [expert.card for expert in panel.experts.values()]
    loads = {name: load(expert) for name, expert in panel.experts.items()}
    if isfinite(rest := left()):  # of what the whole request may cost, a part may be spent
        query = replace(query, limits=replace(query.limits, max_cost_usd=max(0.0, rest)))
    try:
        route = await panel.router.route(query, cards, loads)
    except MixtureError as error:
        return Route(tuple(suited(panel, query)), f"the router did not decide ({reason(error)}); as listed")
    known = tuple(name for name in route.experts if name in panel.experts)
    return route if known == route.experts and known else replace(route, experts=known or tuple(panel.experts))


def _mapped(query: Query, panel: Panel, route: Route, specialists: Mapping[str, str]) -> tuple[str, str] | None:
    """The first kind of task in `specialists` that the query shows, and its expert. A key that is no kind the router
    knows is read as a word to look for.
    """
    task = str(route.signals.get("task", ""))
    able = {kind: name for kind, name in specialists.items() if name in panel.experts}
    for kind, name in able.items():
        if kind.lower() in named(task):
            return kind, name
    domain = route.signals.get("domain")
    for kind, name in able.items():
        if kind.lower() == domain:
            return kind, name
    words = query.text.lower().split() if able else ()
    for kind, name in able.items():
        if not named(kind.lower()) and kind.lower() in (word.strip(".,;:!?\"'()") for word in words):
            return kind, name
    return None


def _head(names: Sequence[str], panel: Panel) -> list[str]:
    """The router's best: exact and quoting experts, who decline at once what is not theirs, and one more."""
    for index, name in enumerate(names):
        if not narrow(panel.experts[name].card):
            return list(names[: index + 1])
    return list(names)


def _ordered(head: list[str], route: Route, query: Query, panel: Panel, fallback: Sequence[str] | None) -> list[str]:
    """`head`, the others as a cascade, and behind them those that the router left out; all of them as `fallback` says
    where it says an order.
    """
    barred = () if fallback else left_out(route)
    others = [name for name in route.experts if name not in head]
    behind = cascaded([name for name in others if name not in barred], query, panel, fallback)
    last = [name for name in others if name in barred]
    return working_first([*head, *(name for name in behind if name not in head), *last], panel, query)


def cascaded(names: Sequence[str], query: Query, panel: Panel, fallback: Sequence[str] | None) -> list[str]:
    """The order of a cascade: that of `fallback` and nobody else, where it says one; else `names`, cheapest first.
    Those who can't be reached at the moment come last.
    """
    listed = [name for name in fallback or () if name in panel.experts]
    return working_first(listed or cheapest_first(names, panel, query), panel, query)


def costs(names: Sequence[str], query: Query, panel: Panel) -> dict[str, float | None]:
    """The expected cost of each in US dollars; None where the price is unknown."""
    usage, cards = expected_usage(query), {name: panel.experts[name].card for name in names}
    return {name: None if card.price is None else cost_of(card, usage) for name, card in cards.items()}
