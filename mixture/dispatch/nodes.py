"""The subtasks of a plan, each answered as soon as those it waits for are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mixture.dispatch.operations import asked
from mixture.dispatch.outcomes import Failure, healable, no_answer, reason, told
from mixture.errors import Declined, MixtureError
from mixture.planning import in_order
from mixture.streams import complete
from mixture.types import Completion, Emit, Panel, Plan, Proposed, Query, Route, Subtask


@dataclass(slots=True)
class Nodes:
    """A plan while its subtasks are answered: `routes` says whom to ask for each, by its id, and `shares`
    what it may cost in US dollars.
    """

    query: Query
    panel: Panel
    plan: Plan
    routes: Mapping[str, Route]
    shares: Mapping[str, float | None]
    answers: dict[str, Completion] = field(default_factory=dict)
    failures: dict[str, MixtureError] = field(default_factory=dict)

    async def answer(self, emit: Emit) -> None:
        """Have every subtask answered; what fails stands in `failures`. A subtask goes ahead without the answers that
        could not be had: it has the whole request before it.
        """
        async with asyncio.TaskGroup() as group:
            tasks: dict[str, asyncio.Task[None]] = {}
            for subtask in in_order(self.plan):
                before = [tasks[name] for name in subtask.depends_on]
                tasks[subtask.id] = group.create_task(self._node(subtask, before, emit))

    async def _node(self, subtask: Subtask, before: Sequence[asyncio.Task[None]], emit: Emit) -> None:
        """One subtask: the next expert is asked when one fails or says nothing."""
        if before:
            await asyncio.wait(before)
        query, failed = self._asked(subtask), list[Failure]()
        for name in self.routes[subtask.id].experts:
            try:
                self.answers[subtask.id] = completion = await self._from(name, query)
            except MixtureError as error:
                failed.append((name, error))
                if not isinstance(error, Declined):
                    await emit(Proposed(name, error=reason(error), subtask=subtask.id))
                if not healable(error):
                    break
            else:
                await emit(Proposed(name, completion, subtask=subtask.id))
                return
        self.failures[subtask.id] = no_answer(failed, self.panel)

    def _asked(self, subtask: Subtask) -> Query:
        given = [self.answers[name] for name in subtask.depends_on if name in self.answers]
        query = asked(self.query, subtask, len(self.plan.subtasks), given)
        limits = replace(query.limits, max_cost_usd=self.shares[subtask.id])
        return replace(query, stream=False, purpose=f"subtask {subtask.id}", limits=limits)

    async def _from(self, name: str, query: Query) -> Completion:
        expert = self.panel.experts[name]
        return told(await complete(expert, query))
