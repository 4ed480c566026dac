"""What each expert of an ensemble adds: the majority of its logged proposals, with and without each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mixture.aggregation.answers import asked_for, final_answer
from mixture.aggregation.learning import Poll
from mixture.aggregation.marginal import Lift, lifts, majority_of

MOST_ITEMS = 5_000
"""Items that are looked at, the first ones: reading answers takes time."""
WHOLE = 0.8
"""The share of items on which all members must have answered: who is asked only now and then can't be left out."""
FEWEST = 3
"""Experts of an ensemble: of two none can be outvoted."""


def added(rows: pa.Table, arms: Sequence[str]) -> dict[str, list[Lift]]:
    """For each arm that asked several experts, what each of them adds to a majority of all. `rows` has the columns arm,
    prompt and proposals, the latter with scores.
    """
    found = {}
    for arm in arms:
        polls = _polls(rows.filter(pc.equal(rows["arm"], arm)).slice(0, MOST_ITEMS))
        members = sorted({expert for poll in polls for expert in poll.votes})
        whole = [poll for poll in polls if len(poll.votes) == len(members)]
        if len(members) >= FEWEST and len(whole) >= WHOLE * len(polls):
            found[arm] = sorted(lifts(members, majority_of(whole)), key=lambda lift: -lift.mean)
    return found


def _polls(rows: pa.Table) -> list[Poll]:
    pairs = zip(rows["prompt"].to_pylist(), rows["proposals"].to_pylist(), strict=True)
    return [_poll(prompt, proposals) for prompt, proposals in pairs if proposals]


def _poll(prompt: str, proposals: Sequence[Mapping[str, str]]) -> Poll:
    kind = asked_for(prompt)
    votes: dict[str, str | None] = {}
    scores: dict[str, float] = {}
    for proposal in proposals:
        if proposal["expert"] not in votes and proposal["response"] is not None and proposal["score"] is not None:
            votes[proposal["expert"]] = final_answer(proposal["response"], kind)
            scores[proposal["expert"]] = float(proposal["score"])
    return Poll(votes, "", scores)
