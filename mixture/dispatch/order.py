"""In which order experts are asked when nobody says it: those that may answer, working ones first, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence

from mixture.estimates import cost_of, expected_usage
from mixture.routing.classification import topic
from mixture.routing.keyword import fit
from mixture.tokens import prompt_tokens
from mixture.types import Expert, Panel, Query
from mixture.wrappers import cooling


def cheapest_first(names: Sequence[str], panel: Panel, query: Query) -> list[str]:
    """`names` by expected cost; equal ones stay as they are listed."""
    if len(names) < 2:
        return list(names)
    usage = expected_usage(query)
    return sorted(names, key=lambda name: cost_of(panel.experts[name].card, usage))


def suited(panel: Panel, query: Query) -> list[str]:
    """The experts to ask about `query`, as listed: without those that only calculate or only quote documents when it
    shows nothing of the kind. All of them, when there are no others.
    """
    found = topic(query)
    names = [name for name, expert in panel.experts.items() if not fit(expert.card, found).useless]
    return names or list(panel.experts)


def working_first(names: Sequence[str], panel: Panel, query: Query) -> list[str]:
    """`names` with those last that are left alone because they failed, or whose context is too small for `query`."""
    if len(names) < 2:
        return list(names)
    tokens = prompt_tokens(query)
    late = {name for name in names if hindered(panel.experts[name], tokens)}
    return sorted(names, key=late.__contains__) if late else list(names)


def hindered(expert: Expert, tokens: int) -> bool:
    """Whether asking is likely to be in vain at the moment."""
    window = expert.card.context_window
    return (window is not None and tokens > window) or cooling(expert)
