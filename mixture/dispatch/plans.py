"""The decomposer's plan for a request, and what it is not followed for."""

from __future__ import annotations

from dataclasses import replace

from mixture.config import StrategyOptions
from mixture.dispatch.operations import divisible
from mixture.dispatch.outcomes import reason
from mixture.errors import MixtureError
from mixture.planning import faults, plan
from mixture.types import Completion, Panel, Plan, Query, Subtask

MOST, DEEPEST = 16, 4
"""Subtasks of a plan, and how many may wait for each other in a row, when the options say nothing."""


async def planned(query: Query, panel: Panel, options: StrategyOptions) -> Plan:
    """A plan that can be followed; of one subtask when the request is to stay whole. `degraded` says why, where a plan
    was to be had and can't be followed.
    """
    if not divisible(query) or not panel.experts:
        return whole(query, "its answer can't be put together from parts")
    made = await _decomposed(query, panel)
    wrong = faults(made, options.max_subtasks or MOST, options.max_depth or DEEPEST)
    return whole(query, made.why, f"the plan was not followed ({'; '.join(wrong)})") if wrong else made


async def _decomposed(query: Query, panel: Panel) -> Plan:
    """The decomposer's plan; without one (it may run elsewhere, and be gone) that of the rules."""
    try:
        return await panel.decomposer.decompose(query)
    except MixtureError as error:
        lacking = f"the decomposer did not answer ({reason(error)}), rules took its place"
        return replace(plan(query.text), degraded=lacking)


def whole(query: Query, why: str = "", degraded: str | None = None) -> Plan:
    """The plan to leave the request as it is."""
    return Plan((Subtask("1", query.text),), why=why, degraded=degraded)


def lacking(completion: Completion, *reasons: str | None) -> Completion:
    """`completion`, marked as degraded by those of `reasons` that there are."""
    said = [reason for reason in (*reasons, completion.degraded) if reason]
    return replace(completion, degraded="; ".join(said) or None)
