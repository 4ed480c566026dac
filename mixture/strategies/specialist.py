"""The operations of one request, each with the expert for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mixture.config import StrategyOptions
from mixture.dispatch.fallback import first_answer
from mixture.dispatch.gathering import complete_or_raise
from mixture.dispatch.operations import asked, ordered, routing_query
from mixture.dispatch.outcomes import Failure, no_answer, reason
from mixture.dispatch.plans import lacking, planned
from mixture.dispatch.routes import routed
from mixture.dispatch.sections import Joiner, Section, joined
from mixture.dispatch.shares import shares
from mixture.dispatch.single import by_task
from mixture.envelope import left, usd
from mixture.errors import MixtureError
from mixture.estimates import expected_cost
from mixture.types import Adjusted, Completion, Emit, Panel, Plan, Planned, Query, Route, Routed, Strategy, Subtask


def specialist(options: StrategyOptions) -> Strategy:
    """Takes a request with several operations apart and gives each to the expert for it, all at once."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        plan = await planned(query, panel, options)
        if not _several(plan):
            return lacking(await by_task(query, panel, emit, options), plan.degraded)
        routes = [await _route(query, panel, subtask, options) for subtask in plan.subtasks]
        each = zip(plan.subtasks, routes, strict=True)
        costs = [_expected(query, panel, subtask, route, len(routes)) for subtask, route in each]
        if sum(costs) > left():
            dear = f"answering {len(routes)} operations apart is expected to cost more than the {usd(left())} USD left"
            await emit(Adjusted("shrunk", dear))
            return lacking(await by_task(query, panel, emit, options), dear, plan.degraded)
        await _announce(plan, routes, emit)
        work = _Run(query, panel, plan, routes, options, shares(costs, left()))
        return lacking(await work.answer(emit), plan.degraded)

    return run


def _several(plan: Plan) -> bool:
    """Whether different experts could each give a part of the answer: not when all parts are of one kind."""
    skills = {subtask.skill for subtask in plan.subtasks}
    return len(plan.subtasks) > 1 and plan.final is None and (len(skills) > 1 or skills == {None}) and ordered(plan)


async def _route(query: Query, panel: Panel, subtask: Subtask, options: StrategyOptions) -> Route:
    return await routed(routing_query(query, subtask), panel, options.specialist_map, options.fallback_order)


def _expected(query: Query, panel: Panel, subtask: Subtask, route: Route, parts: int) -> float:
    """What the first expert for an operation is likely to cost, in US dollars."""
    return expected_cost(panel.experts[route.experts[0]].card, asked(query, subtask, parts, ()))


async def _announce(plan: Plan, routes: Sequence[Route], emit: Emit) -> None:
    firsts = tuple(dict.fromkeys(route.experts[0] for route in routes))
    why = f"{len(routes)} operations, each with the expert for it"
    await emit(Routed(Route(firsts, why, {"operations": len(routes)})))
    await emit(Planned(plan))
    for subtask, route in zip(plan.subtasks, routes, strict=True):
        await emit(Routed(route, subtask.id))


@dataclass(slots=True)
class _Run:
    """One request while its operations are answered."""

    query: Query
    panel: Panel
    plan: Plan
    routes: Sequence[Route]
    options: StrategyOptions
    shares: Sequence[float | None]
    answers: dict[str, Completion] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)

    async def answer(self, emit: Emit) -> Completion:
        """All operations at once, their answers in order. Raises what ended a section that was being sent."""
        sections = [Section() for _ in self.plan.subtasks]
        joiner, broken = Joiner(emit), None
        async with asyncio.TaskGroup() as group:
            tasks: dict[str, asyncio.Task[None]] = {}
            for subtask, route, section, share in zip(
                self.plan.subtasks, self.routes, sections, self.shares, strict=True
            ):
                before = [tasks[name] for name in subtask.depends_on]
                tasks[subtask.id] = group.create_task(self._write(subtask, route, section, before, share))
            for subtask, section in zip(self.plan.subtasks, sections, strict=True):
                joiner.next()
                await section.begin(joiner)
                await asyncio.wait([tasks[subtask.id]])
                if section.sent and subtask.id in self.failures:
                    broken = self.failures[subtask.id][1]
                    break
            _cancel(tasks)
        if broken is not None:
            raise broken
        return await self._whole(joiner)

    async def _write(
        self,
        subtask: Subtask,
        route: Route,
        section: Section,
        before: Sequence[asyncio.Task[None]],
        share: float | None,
    ) -> None:
        if before:
            await asyncio.wait(before)
        given = [self.answers[name] for name in subtask.depends_on if name in self.answers]
        query = asked(self.query, subtask, len(self.routes), given)
        query = replace(query, limits=replace(query.limits, max_cost_usd=share))
        try:
            self.answers[subtask.id] = await first_answer(
                route.experts, query, self.panel, section, section.recall, self.options.hedge
            )
        except MixtureError as error:
            self.failures[subtask.id] = (f"operation {subtask.id}", error)

    async def _whole(self, joiner: Joiner) -> Completion:
        written = [self.answers[subtask.id] for subtask in self.plan.subtasks if subtask.id in self.answers]
        if not written:
            raise no_answer(self.failures.values(), self.panel)
        complete_or_raise(self.failures.values(), len(self.routes), self.options)
        whole = joined(written)
        if self.query.stream:
            await joiner.end(whole)
        lacking = [f"{name} got no answer ({reason(error)})" for name, error in self.failures.values()]
        return replace(whole, degraded="; ".join(lacking) or None)


def _cancel(tasks: Mapping[str, asyncio.Task[None]]) -> None:
    for task in tasks.values():
        task.cancel()
