"""Which share of the requests was handled without the strong experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixture.evaluation.statistics.proportions import wilson
from mixture.evaluation.statistics.resampling import Interval


@dataclass(frozen=True, slots=True)
class Shares:
    """`strong` are the experts that count as strong; `small` is for each arm the share of its answered requests for
    which none of them was called; `writers` how often each expert wrote the answer, where one did.
    """

    strong: tuple[str, ...]
    small: Mapping[str, Interval]
    writers: Mapping[str, Mapping[str, int]]


def prices(rows: pa.Table) -> dict[str, float]:
    """What a call of each expert cost on average, from questions that one call answered and from proposals."""
    found: dict[str, list[float]] = {}
    single = rows.filter(pc.and_(pc.equal(rows["calls"], 1), pc.is_valid(rows["cost_usd"])))
    for asked, cost in zip(single["asked"].to_pylist(), single["cost_usd"].to_pylist(), strict=True):
        if asked:
            found.setdefault(asked[0], []).append(cost)
    proposals = pc.list_flatten(rows["proposals"].combine_chunks())
    experts, costs = proposals.field("expert").to_pylist(), proposals.field("cost_usd").to_pylist()
    for expert, cost in zip(experts, costs, strict=True):
        if cost is not None:
            found.setdefault(expert, []).append(cost)
    return {expert: float(np.mean(costs)) for expert, costs in found.items()}


def strongest(costs: Mapping[str, float]) -> tuple[str, ...]:
    """The dearest expert, which is taken to be the strong one where nobody says who is; nobody where all cost the same
    or nothing is known.
    """
    most = max(costs.values(), default=0.0)
    found = tuple(expert for expert, cost in costs.items() if cost == most)
    return found if most > 0 and len(found) < len(costs) else ()


def shares(rows: pa.Table, arms: Sequence[str], strong: Sequence[str] = ()) -> Shares:
    """The shares of each arm. `rows` has the columns arm, asked, by, error, calls, cost_usd and proposals."""
    chosen = tuple(strong) or strongest(prices(rows))
    small: dict[str, Interval] = {}
    writers: dict[str, dict[str, int]] = {}
    for arm in arms:
        mine = rows.filter(pc.and_(pc.equal(rows["arm"], arm), pc.is_null(rows["error"])))
        asked = mine["asked"].to_pylist()
        without = sum(not set(experts) & set(chosen) for experts in asked)
        small[arm] = wilson(without, len(asked))
        counts = pc.value_counts(pc.drop_null(mine["by"].combine_chunks())).to_pylist()
        writers[arm] = {one["values"]: one["counts"] for one in counts}
    return Shares(chosen, small, writers)
