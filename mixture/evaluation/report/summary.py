"""Everything that a report says, as values: the page and the pictures only show it, and it is the JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mixture.aggregation.marginal import Lift
from mixture.evaluation.report.confidence import Calibration, calibration
from mixture.evaluation.report.disagreements import Disagreement, disagreements
from mixture.evaluation.report.members import added
from mixture.evaluation.report.pairs import WinRate, win_rates
from mixture.evaluation.report.shares import Shares, shares
from mixture.evaluation.results import Results
from mixture.evaluation.statistics.comparing import Comparison, Standing, against, by_domain, standing
from mixture.evaluation.statistics.power import smallest_difference
from mixture.evaluation.statistics.resampling import Doubles
from mixture.evaluation.statistics.words import proven, statement

MOST_DOMAINS = 24
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
UNNAMED = "(no domain)"


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm, of so many items `asked`. Costs are US dollars an item, None where a price is unknown; `latency` holds
    the quantiles of `QUANTILES` in seconds. `efficient` says that no other arm is at least as good for less money.
    """

    name: str
    asked: int
    standing: Standing
    cost_usd: float | None
    total_usd: float | None
    calls: float
    latency: Mapping[float, float]
    failed: int
    ungraded: int
    efficient: bool = False


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain: its items, and how each arm did there."""

    name: str
    items: int
    arms: Mapping[str, Standing]


@dataclass(frozen=True, slots=True)
class Summary:
    """See the module."""

    title: str
    made: str
    facts: Mapping[str, Any]
    items: int
    baseline: str
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    statements: tuple[str, ...]
    domains: tuple[Domain, ...]
    domain_comparisons: tuple[Comparison, ...]
    shares: Shares
    lifts: Mapping[str, Sequence[Lift]]
    calibrations: Mapping[str, Calibration]
    disagreements: tuple[Disagreement, ...]
    win_rates: Mapping[str, WinRate] = field(default_factory=dict)
    """Of each arm, where a judge compared its answers with references."""
    detectable: float | None = None
    """The smallest difference of shares that so many items would show, where the arms disagree as often as they do."""
    notes: tuple[str, ...] = field(default=())

    @property
    def graded(self) -> bool:
        """Whether there is any score."""
        return any(arm.standing.items for arm in self.arms)

    @property
    def best(self) -> Arm:
        """The arm with the highest score; of equal ones the cheapest."""
        return max(self.arms, key=lambda arm: (_known(arm.standing.score.value), -(arm.cost_usd or 0.0)))

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it: what is not a number is null."""
        found: dict[str, Any] = _plain(asdict(self))
        return found


def summarise(
    results: Results, *, baseline: str | None = None, strong: Sequence[str] = (), title: str | None = None
) -> Summary:
    """The summary of results that are in a folder. Raises ResultsError."""
    baseline = baseline or results.arms[0]
    rows = results.rows().to_table(columns=["arm", "prompt", "asked", "by", "error", "calls", "cost_usd", "proposals"])
    arms = _efficient([_arm(results, name) for name in results.arms])
    graded = bool(np.isfinite(results.scores).any())
    comparisons = against(results, baseline) if graded else []
    best = max(arms, key=lambda arm: _known(arm.standing.score.value)).name
    named = graded and any(results.domains)
    other = best if best != baseline else max(comparisons, key=lambda c: c.mean).arm if comparisons else baseline
    calibrations = {name: found for name in results.arms if (found := calibration(results, name)) is not None}
    return Summary(
        title=title or str(results.facts.get("dataset", {}).get("name", "Evaluation")),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        facts=results.facts,
        items=len(results.positions),
        baseline=baseline,
        arms=tuple(arms),
        comparisons=tuple(comparisons),
        statements=(*(statement(comparison) for comparison in comparisons), *_traffic(results)),
        domains=tuple(_domains(results)) if named else (),
        domain_comparisons=tuple(by_domain(results, other, baseline)) if named and other != baseline else (),
        shares=shares(rows, results.arms, strong),
        lifts=added(rows, results.arms),
        calibrations=calibrations,
        disagreements=tuple(disagreements(results, best)) if graded else (),
        win_rates=win_rates(results),
        detectable=_detectable(comparisons),
        notes=tuple(_notes(results, arms)),
    )


def _arm(results: Results, name: str) -> Arm:
    column = results.column(name)
    asked = results.asked[:, column]
    costs, seconds = results.costs[asked, column], results.latencies[asked & ~results.failed[:, column], column]
    known = bool(len(costs)) and bool(np.isfinite(costs).all())
    return Arm(
        name=name,
        asked=int(asked.sum()),
        standing=standing(results, name),
        cost_usd=float(costs.mean()) if known else None,
        total_usd=float(costs.sum()) if known else None,
        calls=float(results.figures["calls"][asked, column].mean()),
        latency=dict(zip(QUANTILES, _quantiles(seconds), strict=True)),
        failed=int(results.failed[:, column].sum()),
        ungraded=int(results.ungraded[:, column].sum()),
    )


def _quantiles(seconds: Doubles) -> list[float]:
    return [float(value) for value in np.quantile(seconds, QUANTILES)] if len(seconds) else [math.nan] * len(QUANTILES)


def _efficient(arms: Sequence[Arm]) -> list[Arm]:
    """The arms, with those marked that form the Pareto front; nobody where nothing was graded."""
    if not any(arm.standing.items for arm in arms):
        return list(arms)
    found = []
    for arm in arms:
        beaten = arm.cost_usd is None or any(_beats(other, arm) for other in arms)
        values = {name: getattr(arm, name) for name in Arm.__slots__}
        found.append(Arm(**{**values, "efficient": not beaten}))
    return found


def _beats(other: Arm, arm: Arm) -> bool:
    if other.cost_usd is None or arm.cost_usd is None:
        return False
    mine, theirs = (_known(one.standing.score.value) for one in (arm, other))
    return theirs >= mine and other.cost_usd <= arm.cost_usd and (theirs > mine or other.cost_usd < arm.cost_usd)


def _known(value: float) -> float:
    return value if math.isfinite(value) else -1.0


def _domains(results: Results) -> list[Domain]:
    """The domains with the most items, in the order of their names."""
    places: dict[str, list[int]] = {}
    for row, name in enumerate(results.domains):
        places.setdefault(name or UNNAMED, []).append(row)
    largest = sorted(places, key=lambda name: -len(places[name]))[:MOST_DOMAINS]
    return [
        Domain(name, len(places[name]), {arm: standing(results, arm, places[name]) for arm in results.arms})
        for name in sorted(largest)
    ]


def _detectable(comparisons: Sequence[Comparison]) -> float | None:
    """For the comparison in which the arms disagree most."""
    shares_of = [c for c in comparisons if c.p_mcnemar is not None and c.items > 1]
    if not shares_of:
        return None
    widest = max(shares_of, key=lambda c: (c.better + c.worse) / c.items)
    return smallest_difference(widest.items, (widest.better + widest.worse) / widest.items)


def _traffic(results: Results) -> list[str]:
    """Live traffic in one sentence."""
    if (found := results.facts.get("traffic")) is None:
        return []
    days = found["day"]
    sums = {name: sum(day[name] for day in days) for name in ("requests", "calls", "cost_usd", "unpriced")}
    first, last = days[0]["day"], days[-1]["day"]
    when = f"On {first}" if first == last else f"From {first} to {last}"
    more = f" and what {sums['unpriced']} calls without a known price cost" if sums["unpriced"] else ""
    asked = f"{sums['requests']:,} requests of {len(found['key'])} keys made {sums['calls']:,} calls"
    said = f"{when} (UTC) {asked}, for {sums['cost_usd']:,.4f} US dollars{more}."
    if sums["calls"] > found["calls_read"]:
        said += f" Times, shares and the arms are those of the latest {found['calls_read']:,} calls."
    return [said]


def _notes(results: Results, arms: Sequence[Arm]) -> list[str]:
    """What a reader has to know of how the figures came about."""
    said = []
    graded = any(arm.standing.items for arm in arms)
    if failed := sum(arm.failed for arm in arms):
        said.append(f"{failed} questions got no answer" + ("; they count as wrong." if graded else "."))
    if not graded:
        said.append("Nothing was graded: costs, times and shares are known, and nothing of quality.")
    elif ungraded := sum(arm.ungraded for arm in arms):
        said.append(f"{ungraded} answers could not be graded; they count nowhere.")
    if lost := _rows_lost(results):
        said.append(f"{lost} rows of the dataset have no result: they can't be asked, or have not been asked yet.")
    if unpriced := [arm.name for arm in arms if arm.cost_usd is None]:
        said.append(f"Not every price is known of {', '.join(unpriced)}: no cost is shown for it.")
    missing = int((~results.asked).sum())
    if missing and results.facts.get("arms"):
        said.append(f"{missing} questions have not been asked: the evaluation is not finished.")
    return said


def _rows_lost(results: Results) -> int:
    """Rows that were to be asked about and are in no arm, where that is known."""
    rows, limit = results.facts.get("dataset", {}).get("rows"), results.facts.get("limit")
    if not rows or not results.facts.get("arms"):
        return 0
    return int(min(rows, limit or rows)) - len(results.positions)


def claimed(summary: Summary) -> list[Comparison]:
    """The comparisons in which a difference may be claimed."""
    return [comparison for comparison in summary.comparisons if proven(comparison)]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
