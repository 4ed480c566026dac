"""At which share of its cost a cascade is as often right as the best single expert, by more than one price list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ceilings import cascades, votes
from benchmarks.ensembles import Played, interval, mean_cost, polls, single
from benchmarks.ladders import MARGIN, MOST, parity, parity_interval, share_at_parity
from benchmarks.recordings import completed
from benchmarks.reporting import table
from mixture.routing.outcomes import Outcomes

COLUMNS = ("prices", "cost at equal accuracy", "95%", "in hindsight", f"margin {MARGIN:.0%}: over it", "cost")


def shares(lists: Mapping[str, tuple[Outcomes, Mapping[float, Played]]], names: Sequence[str]) -> dict[str, Any]:
    """At which share of the cost of the best single expert, `names[0]`, a cascade is as often right: for each price
    list, by the end of its keys, its log and the cascades that were chosen by it on other folds.
    """
    result: dict[str, Any] = {}
    rows = []
    for end, (recording, climbs) in lists.items():
        best, cascade = single(recording, names[0]), climbs[MARGIN]
        share, hindsight = share_at_parity(climbs.values(), best), hindsight_share(recording, names, best)
        low, high = parity_interval(list(climbs.values()), best)
        over, cost = interval(cascade.right - best.right), mean_cost(cascade) / mean_cost(best)
        result |= {
            f"mathl5_cascade_cost_share{end}": None if share is None else round(share, 4),
            f"mathl5_cascade_cost_share{end}_interval": (low, high),
            f"mathl5_cascade_chosen{end}": {
                "accuracy": round(cascade.accuracy, 4),
                "over_best_single": over,
                "cost_share": round(cost, 4),
            },
            f"mathl5_hindsight_cost_share{end}": None if hindsight is None else round(hindsight, 4),
        }
        rows.append(
            (
                "by size" if end else "by model",
                *(f"{share or 1.0:.0%}", f"{low:.0%} .. {high:.0%}", f"{hindsight or 1.0:.0%}"),
                *("{:+.1%} .. {:+.1%}".format(*over), f"{cost:.0%}"),
            )
        )
    table("Cascades beside the best single, by the price list of open weights", COLUMNS, rows)
    return result


def hindsight_share(recording: Outcomes, names: Sequence[str], best: Played) -> float | None:
    """The same share for the best cascade in hindsight."""
    priced = {name: mean_cost(single(recording, name)) for name in names}
    cheap = [name for name in names if priced[name] <= mean_cost(best)][: MOST + 2]
    costs = completed(recording.among(cheap).costs)
    return parity(cascades(votes(polls(recording, cheap), cheap, costs), mean_cost(best)), best.accuracy)
