"""Which strategy a request is worth: one expert, several, or a plan. Decided from the route, the rules' plan and the
prices, without asking any expert.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mixture.aggregation.answers import asked_for
from mixture.config import StrategyOptions
from mixture.dispatch.operations import divisible, routing_query
from mixture.dispatch.order import cheapest_first, working_first
from mixture.dispatch.plans import DEEPEST, MOST
from mixture.dispatch.proposals import members
from mixture.dispatch.routes import routed
from mixture.dispatch.writing import writers
from mixture.envelope import left
from mixture.estimates import cost_of, expected_usage
from mixture.planning import faults, plan
from mixture.routing.classification import classify
from mixture.routing.keyword import fit, narrow
from mixture.routing.limits import left_out
from mixture.routing.opinions import Arrangement, Opinion, alone, best
from mixture.routing.priors import HARD, REFERENCE, UNSURE, USUAL, difficulty, prior_quality, stakes
from mixture.types import ExpertCard, Panel, Plan, Price, Query, Route

USD_PER_ANSWER = 0.01
"""What one good answer more is worth when the options say nothing."""
CALL_SECONDS = 10.0
"""What a call is taken to last whose latency nobody knows: rounds of asking have to fit into the request's time."""
FEW_WORDS = 3
"""Words of a message that needs no thought when it shows no kind of task and asks nothing."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """The strategy that runs, what it is told beside the request's own options, and why; the route that was found, the
    plan of a compound request, and what was weighed.
    """

    strategy: str
    why: str
    route: Route
    options: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan | None = None
    weighed: Arrangement | None = None
    decided: bool = False
    """Whether the route's order was decided here, and not by the router."""

    @property
    def signals(self) -> dict[str, Any]:
        """What was weighed, as plain data."""
        if self.weighed is None:
            return {}
        return {
            "expected_quality": round(self.weighed.right, 4),
            "expected_cost_usd": self.weighed.cost_usd,
            "expected_calls": round(self.weighed.calls, 3),
            "answer_changed": round(self.weighed.changed, 4),
        }


async def arranged(query: Query, panel: Panel, options: StrategyOptions, offered: Collection[str]) -> Arranged:
    """What `query` is worth, among the strategies that are `offered` beside `task_based`. Raises NoAnswer when there is
    no expert.
    """
    if options.n is not None or options.voting_threshold is not None:
        route = await routed(query, panel, options.specialist_map, options.fallback_order)
        return Arranged("voting", "several proposals were asked for", route)
    made = plan(query.text) if divisible(query) and len(panel.experts) > 1 else None
    route = await routed(query, panel, options.specialist_map, options.fallback_order)
    if made is None:
        return Arranged("task_based", "one expert: the answer can't be put together from several", route)
    if _trivial(query, route):
        cheap = _cheap(route, query, panel, options)
        return Arranged("task_based", "a short message: one cheap expert", cheap, decided=True)
    if len(made.subtasks) > 1:
        kinds = ", ".join(dict.fromkeys(subtask.skill or "general" for subtask in made.subtasks))
        parts, obstacle = f"{len(made.subtasks)} parts ({kinds})", await _obstacle(made, query, panel, options)
        if obstacle is None:
            return Arranged("decomposition", parts, route, plan=made)
        if not _writers(panel):
            return Arranged("task_based", f"{parts}, but {obstacle}", route, plan=made)
    return _weighed(query, panel, options, route, offered)


def _trivial(query: Query, route: Route) -> bool:
    """Whether the message needs no thought: conversation, or a few words that ask for nothing. In the middle of a
    conversation it stays with whoever has the conversation before it.
    """
    if any(message.role == "assistant" for message in query.messages):
        return False
    task = route.signals.get("domain") or route.signals.get("task")
    text = query.text
    if difficulty(route.signals) >= USUAL or len(text) > 200:
        return False
    return task == "chat" or (task in ("general", None) and len(text.split()) <= FEW_WORDS and "?" not in text)


def _cheap(route: Route, query: Query, panel: Panel, options: StrategyOptions) -> Route:
    """The route with its experts cheapest first, unless the router or the configuration has weighed them."""
    if route.ordered or options.fallback_order or options.specialist_map:
        return route
    barred = left_out(route)
    able = [name for name in writers(route.experts, panel) if name not in barred]
    order = working_first(cheapest_first(able, panel, query), panel, query)
    why = f"{order[0]} is the cheapest; {route.why}" if order else route.why
    return replace(route, experts=(*order, *(name for name in route.experts if name not in order)), why=why)


async def _obstacle(made: Plan, query: Query, panel: Panel, options: StrategyOptions) -> str | None:
    """Why the parts are not to be answered apart; None when they are: two experts can write, or exact ones know every
    part, and the parts are of different kinds or for different experts.
    """
    wrong = faults(made, options.max_subtasks or MOST, options.max_depth or DEEPEST)
    if wrong:
        return "; ".join(wrong)
    routes = await asyncio.gather(
        *(
            routed(routing_query(query, subtask), panel, options.specialist_map, options.fallback_order)
            for subtask in made.subtasks
        )
    )
    firsts = [panel.experts[route.experts[0]].card for route in routes]
    able = _writers(panel)
    if len(able) < 2 and not all(
        narrow(card) and not fit(card, classify(part.text)).useless
        for card, part in zip(firsts, made.subtasks, strict=True)
    ):
        return "there is one expert to ask" if able else "nobody here can write an answer"
    kinds = {subtask.skill for subtask in made.subtasks}
    if len({card.name for card in firsts}) < 2 and able and (len(kinds) < 2 or made.final is not None):
        return "they are of one kind and for one expert"
    usage, most = expected_usage(query), _left(query)
    cost = sum(cost_of(card, usage) for card in firsts)
    cost += min((cost_of(panel.experts[name].card, usage) for name in able), default=0.0)
    return None if most is None or cost <= most else "they cost more than is allowed"


def _writers(panel: Panel) -> list[str]:
    """Those who can write an answer to whatever is asked."""
    return [name for name in writers(panel.experts, panel) if not narrow(panel.experts[name].card)]


def _weighed(query: Query, panel: Panel, options: StrategyOptions, route: Route, offered: Collection[str]) -> Arranged:
    """One expert or several: what their answers are expected to be worth, against what they cost."""
    first = panel.experts[route.experts[0]].card
    if narrow(first):
        return Arranged("task_based", f"{first.name} answers exactly what it answers", route)
    hard, more = difficulty(route.signals), stakes(route.signals, options.high_stakes)
    single, *others = _opinions(query, panel, route, hard)
    counted = asked_for(query.text) in ("number", "choice") and hard >= USUAL
    learned = any(fact.get("quality") is not None for fact in route.signals.get("candidates") or ())
    demanding = hard >= HARD or more > 1 or (learned and single.quality < UNSURE)
    usd = (options.usd_per_answer or USD_PER_ANSWER) * more
    found = alone(single)
    several = _several(offered) if demanding and not counted else None
    if counted or several:
        found = best(single, others, usd, _left(query), open_=not counted, guessed=not learned)
    if len(found.names) > 1 and not _in_time(query, route, 2):
        found = alone(single)
    if found.names == (single.name,):
        said = _why_alone(single, usd, asked=counted or several is not None)
        return Arranged("task_based", said, route, weighed=found)
    if len(found.names) == 1:
        said = f"one expert: {_why_better(found, single, usd)}"
        return Arranged("task_based", said, _led(route, found.names[0]), weighed=found, decided=True)
    why = _why_several(found, single, usd)
    if counted:
        # Two are to be compared: the first to come is one vote ahead of nobody, and must not end it.
        told = {"fallback_order": found.names, "n": 2, "lead": 1, "early_stop": False}
        return Arranged("cascade", why, route, told, weighed=found)
    return Arranged(several or "best_of_n", why, route, {"experts": found.names}, weighed=found)


def _several(offered: Collection[str]) -> str | None:
    """The strategy for several open answers."""
    return next((name for name in ("mixture_of_agents", "best_of_n") if name in offered), None)


def _opinions(query: Query, panel: Panel, route: Route, hard: float) -> list[Opinion]:
    """The expert who would be asked alone, and the others that suit, with what is expected of each."""
    known = {str(fact["expert"]): fact for fact in route.signals.get("candidates") or () if "expert" in fact}
    able = [name for name in members(panel, query, None) if not narrow(panel.experts[name].card)]
    cards = {name: panel.experts[name].card for name in (route.experts[0], *able)}
    usage = expected_usage(query)
    dearest = max((cost for card in cards.values() if (cost := cost_of(card, usage)) != float("inf")), default=0.0)
    unknown = max(dearest, Price(REFERENCE, REFERENCE).cost(usage))

    def opinion(name: str, card: ExpertCard) -> Opinion:
        fact = known.get(name) or {}
        quality, cost = fact.get("quality"), cost_of(card, usage)
        predicted = prior_quality(card, hard) if quality is None else float(quality)
        return Opinion(name, round(predicted, 3), unknown if cost == float("inf") else cost)

    barred = left_out(route).keys() | {name for name, fact in known.items() if fact.get("available") is False}
    kept = {name: card for name, card in cards.items() if name == route.experts[0] or name not in barred}
    return [opinion(name, card) for name, card in kept.items()]


def _left(query: Query) -> float | None:
    """US dollars that may still be spent on the request."""
    most = query.limits.max_cost_usd
    return None if most is None else min(most, left())


def _in_time(query: Query, route: Route, rounds: int) -> bool:
    """Whether so many calls one after another end before the request's deadline."""
    if query.limits.deadline is None:
        return True
    facts = route.signals.get("candidates") or ()
    known = [float(fact["latency_ms"]) / 1e3 for fact in facts if fact.get("latency_ms") is not None]
    return rounds * max(known, default=CALL_SECONDS) <= query.limits.deadline - time.time()


def _why_alone(single: Opinion, usd: float, *, asked: bool) -> str:
    if not asked:
        return f"one expert: an ordinary request, expected right with {single.quality:.0%}"
    return f"one expert: a second opinion is not worth its price when a good answer is worth {usd:g} USD"


def _why_better(found: Arrangement, single: Opinion, usd: float) -> str:
    gain, cost = found.right - single.quality, found.cost_usd - single.cost_usd
    return (
        f"{found.names[0]} is expected right {gain:+.1%} more often than {single.name}: worth {gain * usd:.6f} USD for "
        f"{cost:+.6f} USD"
    )


def _led(route: Route, name: str) -> Route:
    """The route with `name` before all others."""
    return replace(route, experts=(name, *(other for other in route.experts if other != name)))


def _why_several(found: Arrangement, single: Opinion, usd: float) -> str:
    gain, cost = found.right - single.quality, found.cost_usd - single.cost_usd
    return (
        f"a second opinion changes {found.changed:.0%} of such answers and makes {gain:+.1%} right: worth "
        f"{gain * usd:.6f} USD for {cost:+.6f} USD"
    )
