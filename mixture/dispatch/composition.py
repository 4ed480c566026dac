"""One answer written out of proposals, its tokens passed on as they come, its sentences traced back to them; JSON is
sent once it is whole and has been checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from mixture.aggregation.provenance import Support, support_notes
from mixture.dispatch.outcomes import Failure, healable, no_answer, reason, told
from mixture.dispatch.spare import Played, replaced
from mixture.dispatch.tracing import Held, in_time, supported
from mixture.dispatch.validation import checked
from mixture.dispatch.verdicts import written_by
from mixture.errors import MixtureError, StreamBroken
from mixture.streams import present
from mixture.types import (
    Aggregation,
    Completion,
    Emit,
    Expert,
    Panel,
    Query,
    Source,
    Verdict,
)

WRITERS = 3
"""Experts that are asked in turn to write, as long as nothing has been sent."""


async def composed(
    names: Sequence[str],
    proposals: Sequence[Completion],
    method: Literal["synthesis", "fusion"],
    query: Query,
    panel: Panel,
    emit: Emit,
) -> Played[Completion]:
    """The answer that the first of `names` that can writes out of `proposals`.

    Raises NoAnswer when nobody wrote, BudgetExceeded when all were too dear, StreamBroken when one failed after its
    first token, InvalidQuery when the request is at fault.
    """
    failures: list[Failure] = []
    for name in names[:WRITERS]:
        verdict = await written_by(name, query, proposals, panel, method)
        held = Held(emit)
        try:
            completion = await _written(panel.experts[name], verdict.query or query, held)
        except MixtureError as error:
            if held.sent:
                raise _broken(error, name) from None
            if not healable(error):
                raise
            failures.append((name, error))
            continue
        completion = await _traced(completion, proposals, verdict, method, panel)
        await held.close(completion.choices[0].annotations)
        if _formal(query):
            await present(completion, query, emit)
        return replaced("writer", Played(name, completion, tuple(failures)))
    raise no_answer(failures, panel)


def _formal(query: Query) -> bool:
    """Whether the answer must have a form, which only the whole of it shows: it is checked before it is sent."""
    return "json" in query.needs


async def _written(expert: Expert, query: Query, held: Held) -> Completion:
    """What `expert` writes. Raises ExpertUnavailable when it is empty, InvalidProposal when it lacks the form that was
    asked for.
    """
    if _formal(query):
        return checked(query, await in_time(expert, replace(query, stream=False), held))
    return told(await in_time(expert, query, held))


async def _traced(
    completion: Completion, proposals: Sequence[Completion], verdict: Verdict, method: str, panel: Panel
) -> Completion:
    """`completion` with which proposals support its sentences. JSON has none: it is left as it is."""
    shown = [proposals[index] for index in verdict.order]
    found: list[Support] = []
    if verdict.query is not None and not _formal(verdict.query):
        found = await supported(completion.text, [proposal.text for proposal in shown], panel.embedder)
    counts = [sum(number in one.proposals for one in found) for number in range(1, len(shown) + 1)]
    made = Aggregation(
        method,
        completion.expert,
        sources=tuple(Source(number, proposal.expert, counts[number - 1]) for number, proposal in enumerate(shown, 1)),
        supported=sum(bool(one.proposals) for one in found) / len(found) if found else None,
    )
    first = completion.choices[0]
    choice = replace(first, annotations=(*first.annotations, *support_notes(found)))
    return replace(completion, choices=(choice, *completion.choices[1:]), aggregation=made, degraded=verdict.degraded)


def _broken(error: MixtureError, name: str) -> StreamBroken:
    return error if isinstance(error, StreamBroken) else StreamBroken(reason(error), expert=name)
