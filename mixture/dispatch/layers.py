"""Rounds of proposals, each of which reads the one before (Wang et al. 2024, arXiv 2406.04692)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from mixture.aggregation.composing import appended
from mixture.dispatch.proposals import Proposals, Terms, propose
from mixture.dispatch.verdicts import written_by
from mixture.prompts import WAY, WAYS
from mixture.types import Emit, Panel, Query


@dataclass(slots=True)
class Layered:
    """The proposals of the last layer that brought enough, how many layers there were, and what was lacking."""

    proposals: Proposals
    layers: int = 1
    lacking: list[str] = field(default_factory=list)


async def layered(
    names: Sequence[str], terms: Sequence[Terms], query: Query, panel: Panel, emit: Emit, *, ways: bool = False
) -> Layered:
    """A round of proposals by `names` on each of `terms`. A round that brings fewer than the first one needs is the
    last: the one before it counts, where there is one. With `ways` each proposer goes about the request in a way of its
    own.

    Raises NoAnswer when too few come in the first round and its terms say that this is an error.
    """
    asks, least = _asks(names, [query] * len(names), ways), terms[0].least
    came = Layered(await propose(names, query, panel, emit, asks, terms[0]))
    came.lacking += came.proposals.degraded(least)
    for on in terms[1:]:
        if len(came.proposals.completions) < least or came.proposals.late:
            break
        asks, cut = await _reading(names, came.proposals, query, panel)
        more = await propose(names, query, panel, emit, _asks(names, asks, ways), on)
        came.lacking += [note for note in (*cut, *more.degraded(1)) if note not in came.lacking]
        if len(more.completions) < least:
            came.lacking.append(
                f"layer {came.layers + 1} brought {len(more.completions)} proposals, so the layer before counts"
            )
            break
        came = Layered(more, came.layers + 1, came.lacking)
    return came


async def _reading(
    names: Sequence[str], before: Proposals, query: Query, panel: Panel
) -> tuple[list[Query], list[str]]:
    """What each of `names` is asked that reads the proposals of the layer before, and what was cut for it."""
    verdicts = {
        name: await written_by(name, query, before.completions, panel, purpose="proposer")
        for name in dict.fromkeys(names)
    }
    cut = [verdict.degraded for verdict in verdicts.values() if verdict.degraded]
    return [verdicts[name].query or query for name in names], cut


def _asks(names: Sequence[str], asks: Sequence[Query], ways: bool) -> list[Query]:
    if not ways:
        return list(asks)
    return [
        replace(query, messages=appended(query.messages, WAY.format(way=WAYS[number % len(WAYS)])))
        for number, query in zip(count(), asks)
    ]
