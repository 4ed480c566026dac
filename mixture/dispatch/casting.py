"""Who proposes and who puts the proposals together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mixture.config import StrategyOptions
from mixture.dispatch.proposals import members
from mixture.dispatch.routes import routed
from mixture.dispatch.writing import writers
from mixture.types import Expert, Panel, Query

PROPOSERS = 5
"""Experts that propose when none are named: what a synthesis gains from more is little, what it costs is not."""


@dataclass(frozen=True, slots=True)
class Casting:
    """`proposers` as named or found, `aggregators` the best first; `quality` holds what the router predicts of each
    expert, in 0..1, where it does; `lacking` says who was named and can't take part.
    """

    proposers: tuple[str, ...]
    aggregators: tuple[str, ...]
    quality: Mapping[str, float]
    lacking: tuple[str, ...] = ()


async def casting(query: Query, panel: Panel, options: StrategyOptions) -> Casting:
    """The parts of the experts in a mixture of agents. Raises NoAnswer when the panel is empty."""
    route = await routed(query, panel, options.specialist_map, options.fallback_order)
    quality = predicted(route.signals)
    ranked = _ranked([*route.experts, *(name for name in panel.experts if name not in route.experts)], quality)
    wanted = options.aggregator_model or ""
    first = [wanted] if wanted in panel.experts else []
    best = list(dict.fromkeys([*first, *writers(ranked, panel)]))
    listed = [name for name in options.proposer_models or options.experts or () if name in panel.experts]
    if listed:
        proposers = members(panel, query, listed)
    else:
        found = members(panel, query, None)
        proposers = [name for name in route.experts if name in found][:PROPOSERS] or found[:PROPOSERS]
        if options.aggregation_strategy == "selection":
            proposers = _without_judge(proposers, best, panel)
    named = [*(options.proposer_models or ()), *([wanted] if wanted else ())]
    gone = [name for name in dict.fromkeys(named) if name not in panel.experts and _allowed(name, options)]
    lacking = [f"{name} can't do what the request needs" for name in gone]
    return Casting(tuple(proposers), tuple(best), quality, tuple(lacking))


def _allowed(name: str, options: StrategyOptions) -> bool:
    """Whether the options let it be asked at all."""
    return options.experts is None or name in options.experts


def predicted(signals: Mapping[str, object]) -> dict[str, float]:
    """The quality that a router predicts of each expert, where it says so among its signals."""
    listed = signals.get("candidates")
    rows = listed if isinstance(listed, list | tuple) else ()
    return {str(row["expert"]): float(row["quality"]) for row in rows if row.get("quality") is not None}


def impartial(names: Iterable[str], judged: Iterable[str], panel: Panel) -> list[str]:
    """Those of `names` that would not judge what they or their like wrote: none of the `judged`, nor another persona or
    name of the same model.
    """
    own = {mark for name in judged for mark in _marks(panel.experts[name])}
    return [name for name in names if not own & _marks(panel.experts[name])]


def _marks(expert: Expert) -> set[tuple[str, str]]:
    """By what an expert can be told to be the same as another: the expert that it is, and the model."""
    base: Expert = getattr(expert, "base", None) or expert
    card = base.card
    return {("expert", card.name), *([(card.provider, card.model)] if card.model else ())}


def _without_judge(proposers: Sequence[str], best: Sequence[str], panel: Panel) -> list[str]:
    """`proposers` without whoever is to judge them, as long as two are left."""
    for judge in best:
        others = [name for name in proposers if impartial([judge], [name], panel)]
        if len(others) > 1:
            return others
    return list(proposers)


def _ranked(names: Sequence[str], quality: Mapping[str, float]) -> list[str]:
    """`names` with the highest predicted quality first; those of which nothing is predicted keep their order, last."""
    return sorted(names, key=lambda name: -quality.get(name, -1.0))
