"""What a call is likely to take and to cost, before it is made."""

from __future__ import annotations

import math

from mixture.tokens import prompt_tokens
from mixture.types import ExpertCard, Query, Usage

ANSWER_TOKENS = 500
"""Tokens that an answer is taken to have when the query sets no maximum and no answer has been seen."""


def expected_usage(query: Query, typical: float | None = None, prompt: int | None = None) -> Usage:
    """The tokens that answering is likely to take; `typical` is what the expert usually writes, `prompt` the tokens of
    the prompt where they are counted already.
    """
    most = query.sampling.max_tokens
    usual = ANSWER_TOKENS if typical is None else round(typical)
    written = usual if most is None else min(most, usual)
    return Usage(prompt_tokens(query) if prompt is None else prompt, written * query.sampling.n)


def bound_usage(query: Query) -> Usage:
    """The tokens that answering may take: the maximum where the query sets one, else what is likely."""
    most = query.sampling.max_tokens
    return Usage(prompt_tokens(query), (ANSWER_TOKENS if most is None else most) * query.sampling.n)


def expected_cost(card: ExpertCard, query: Query) -> float:
    """What asking is likely to cost, in US dollars; see `cost_of`."""
    return cost_of(card, expected_usage(query))


def bound_cost(card: ExpertCard, query: Query) -> float:
    """What an envelope has to have left for the call to be made, in US dollars; see `cost_of`."""
    return cost_of(card, bound_usage(query))


def cost_of(card: ExpertCard, usage: Usage) -> float:
    """What `usage` costs of this expert, in US dollars. Infinite when the price is unknown, so that such experts come
    after all whose price is known.
    """
    return math.inf if card.price is None else card.price.cost(usage)
