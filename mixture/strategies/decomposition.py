"""A request taken apart into a plan, and put together again by one writer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from mixture.config import Hedge, StrategyOptions
from mixture.dispatch.fallback import first_answer
from mixture.dispatch.gathering import complete_or_raise
from mixture.dispatch.nodes import Nodes
from mixture.dispatch.operations import asked, routing_query
from mixture.dispatch.outcomes import no_answer, reason
from mixture.dispatch.plans import lacking, planned
from mixture.dispatch.routes import routed
from mixture.dispatch.sections import joined
from mixture.dispatch.shares import shares
from mixture.dispatch.single import by_task
from mixture.dispatch.writing import writers, written
from mixture.envelope import current, left, usd
from mixture.errors import MixtureError, StreamBroken
from mixture.estimates import expected_cost
from mixture.streams import present
from mixture.types import Adjusted, Completion, Emit, Panel, Plan, Planned, Query, Route, Routed, Strategy

WRITERS = 2
"""Experts that are asked in turn to write the answer, before the parts are joined as they are."""


def decomposition(options: StrategyOptions) -> Strategy:
    """Takes a request apart, has each part answered by the expert for it, and lets one expert write the whole."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        plan = await planned(query, panel, options)
        if len(plan.subtasks) < 2:
            return lacking(await by_task(query, panel, emit, options), plan.degraded)
        routes, last = await _routes(query, panel, plan, options)
        costs = _expected(query, panel, plan, routes, last)
        if sum(costs.values()) > left():
            dear = f"taken apart, the request is expected to cost more than {_allowed()} USD, so it stayed whole"
            await emit(Adjusted("shrunk", dear))
            return lacking(await by_task(query, panel, emit, options), dear, plan.degraded)
        await _announce(plan, routes, last, emit)
        each = dict(zip(costs, shares(list(costs.values()), left()), strict=True))
        nodes = Nodes(query, panel, _without_final(plan), routes, each)
        await nodes.answer(emit)
        complete_or_raise([(f"subtask {n}", error) for n, error in nodes.failures.items()], len(routes), options)
        return lacking(await _whole(nodes, last, emit, options.hedge), plan.degraded, *_missing(nodes))

    return run


async def _routes(
    query: Query, panel: Panel, plan: Plan, options: StrategyOptions
) -> tuple[Mapping[str, Route], list[str]]:
    """Whom to ask for each subtask, by its id, and who may write the answer, best first."""
    queries = [routing_query(query, subtask) for subtask in plan.subtasks]
    found = await asyncio.gather(
        *(routed(asked, panel, options.specialist_map, options.fallback_order) for asked in (*queries, query))
    )
    routes = {subtask.id: route for subtask, route in zip(plan.subtasks, found[:-1], strict=True)}
    last = found[-1] if plan.final is None else routes[plan.final]
    return routes, writers(last.experts, panel)[:WRITERS]


async def _announce(plan: Plan, routes: Mapping[str, Route], last: list[str], emit: Emit) -> None:
    firsts = (*(route.experts[0] for route in routes.values()), *last[:1])
    writer = f"{last[0]} writes the answer" if last else "nobody here can write the answer, it is joined from theirs"
    why = f"{len(routes)} subtasks{plan.why and f' ({plan.why})'}, each with the expert for it; {writer}"
    await emit(Routed(Route(tuple(dict.fromkeys(firsts)), why, {"subtasks": len(routes)})))
    await emit(Planned(plan))
    for name, route in routes.items():
        await emit(Routed(route, name))


async def _whole(nodes: Nodes, last: list[str], emit: Emit, hedge: Hedge | None) -> Completion:
    """The answer of a writer, live; where none begins to write, the parts one after another."""
    if not nodes.answers:
        failures = [(f"subtask {name}", error) for name, error in nodes.failures.items()]
        raise no_answer(failures, nodes.panel)
    query, panel = written(nodes.query, nodes.plan.subtasks, nodes.answers), nodes.panel
    able = [name for name in last if expected_cost(panel.experts[name].card, query) <= left()]
    if not able:
        why = f"{_allowed()} USD leave nothing for a writer" if last else "there is no expert that can write"
        return await _joined(nodes, why, emit)
    try:
        return await first_answer(able, query, panel, emit, hedge=hedge)
    except StreamBroken:
        raise
    except MixtureError as error:
        return await _joined(nodes, reason(error), emit)


async def _joined(nodes: Nodes, why: str, emit: Emit) -> Completion:
    """The answers to the parts as they are, one after another, because of `why`."""
    answers = [nodes.answers[subtask.id] for subtask in nodes.plan.subtasks if subtask.id in nodes.answers]
    return lacking(await present(joined(answers), nodes.query, emit), f"the parts were not written into one: {why}")


def _expected(query: Query, panel: Panel, plan: Plan, routes: Mapping[str, Route], last: list[str]) -> dict[str, float]:
    """What the first expert of each subtask is likely to cost, by the subtask's id, and (under no id) what the writer
    is, in US dollars.
    """
    parts = len(plan.subtasks)
    costs = {
        subtask.id: expected_cost(panel.experts[routes[subtask.id].experts[0]].card, asked(query, subtask, parts, ()))
        for subtask in _without_final(plan).subtasks
    }
    return costs | ({"": expected_cost(panel.experts[last[0]].card, query)} if last else {})


def _without_final(plan: Plan) -> Plan:
    """What is to be done before the answer is written: whoever writes it does the final subtask."""
    return replace(plan, subtasks=tuple(subtask for subtask in plan.subtasks if subtask.id != plan.final))


def _allowed() -> str:
    envelope = current()
    return "unlimited" if envelope is None else usd(envelope.most)


def _missing(nodes: Nodes) -> list[str]:
    return [f"subtask {name} got no answer ({reason(error)})" for name, error in nodes.failures.items()]
