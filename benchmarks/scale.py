"""From 1 to 1,000 replicas and from 10 to 1,000,000 requests a second: what it takes and costs, what gives way first.

The router, its objective, the autoscaling policy and Serve's rules around it are the real code; the clock and the
engines are simulated, the engines with the service times that `benchmarks.service_times` keeps; where it has measured
none they are assumed, and the result says so. What the code itself takes for a request, by the number of replicas, is
measured here on one processor.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from ray.serve.config import AutoscalingConfig

from benchmarks import scale_costs
from benchmarks.reporting import RESULTS, finish, options, progress, table
from benchmarks.scale_requests import API_PRICE, EXPERTS, Workload, workload
from benchmarks.scale_world import Fleet, day, flash
from benchmarks.service_times import ServiceTimes, stored
from mixture.config import EngineConfig, Resilience
from mixture.providers.vllm.cost import derived
from mixture.types import Load, Usage

RATES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
"""Requests a second at the peak."""
MOST = 1_000
"""Replicas in one cluster, both engines together."""
HOUR_USD = 0.8
"""Of one GPU: assumed, about what a small one costs on demand."""
API_LIMIT = 2_000.0
"""Requests a second that the other provider takes: assumed."""
API_SECONDS, API_FIRST = 3.0, 0.6
"""Seconds of its answers, and to their first token: assumed."""
PROMPT_TOKENS = 200
KINDS, EVERY = 4, 10
"""Kinds of requests that are decided anew at a time, and seconds between two times: a gateway decides each request, by
loads that are a quarter of a second old; here a third of the kinds is decided every ten seconds of a day. While a crowd
comes, within half a minute, that would be too slow: all kinds are decided every second."""
FOLLOWING = 0.3
"""The share of a kind's requests that goes where the newest decision says, the rest where it went before: in the time
between two decisions loads change with each request, and real gateways look again and again."""
LOST = 0.001
"""The share of requests that may be lost."""
CONTROL_SECONDS = 0.1
"""Between two looks of Serve's controller, in which it must have been at every deployment."""


@dataclass(slots=True)
class Run:
    """One curve of demand over one cluster, as it goes on."""

    work: Workload
    fleets: dict[str, Fleet]
    engine: EngineConfig
    loop: asyncio.AbstractEventLoop
    shares: list[dict[str, float]] = field(default_factory=list)
    """Where the requests of each kind go at the moment."""
    api_open: float = 0.0
    """Until when the other provider is left alone, because it has refused requests."""
    api_rate: float = 0.0
    asked: float = 0.0
    lost: float = 0.0
    to_api: float = 0.0
    usd: float = 0.0
    decisions: int = 0
    replicas: int = 0
    waits: list[tuple[float, float]] = field(default_factory=list)
    """Seconds to the first token, and how many requests had them."""

    def pass_(self, now: float, seconds: float, rate: float) -> None:
        """Let time go by with `rate` requests a second, an equal part of each kind."""
        self.asked += rate * seconds
        share = self.share()
        self._ask_api(now, seconds, rate * share["api"])
        for own, fleet in self.fleets.items():
            arriving = rate * share[own] * seconds
            if arriving:
                self.waits.append((fleet.first_token(), arriving))
            self.lost += fleet.pass_(seconds, arriving)
            others = sum(other.target for key, other in self.fleets.items() if key != own)
            fleet.scale(now, MOST - others)
            self.usd += (fleet.replicas + len(fleet.loading)) * HOUR_USD * seconds / 3600
        self.replicas = max(self.replicas, sum(fleet.replicas for fleet in self.fleets.values()))

    def share(self) -> dict[str, float]:
        """Of all requests, by where they go."""
        return {name: sum(kind.get(name, 0.0) for kind in self.shares) / len(self.shares) for name in EXPERTS}

    def _ask_api(self, now: float, seconds: float, rate: float) -> None:
        taken = min(rate, API_LIMIT) * seconds
        self.api_rate = rate
        if rate > API_LIMIT:
            self.api_open = now + Resilience().cooldown_time
        self.to_api += taken
        self.lost += rate * seconds - taken
        self.usd += taken * API_PRICE.cost(Usage(PROMPT_TOKENS, self.fleets["small"].times.tokens))
        if taken:
            self.waits.append((API_FIRST, taken))

    def decide(self, now: float, kinds: int) -> None:
        """Have the router decide anew about so many kinds of requests, by what is known of the loads now."""
        loads = {name: fleet.load for name, fleet in self.fleets.items()}
        loads["api"] = Load(self.api_rate / API_LIMIT, now >= self.api_open, API_SECONDS * 1e3, 64.0, 100)
        cards = [
            card if card.name == "api" else replace(card, price=derived(self.engine, self._speed(card.name)))
            for card in self.work.cards
        ]
        for _ in range(kinds):
            place = self.decisions % len(self.work.queries)
            route = self.loop.run_until_complete(self.work.router.route(self.work.queries[place], cards, loads))
            self.shares[place : place + 1] = [_followed(self.shares[place : place + 1], route.experts[0])]
            self.decisions += 1

    def _speed(self, name: str) -> float:
        fleet = self.fleets[name]
        return fleet.capacity / max(1, fleet.replicas) * fleet.times.tokens

    def wait(self, share: float) -> float:
        """The seconds to the first token within which `share` of the requests had it."""
        times, counts = np.array(sorted(self.waits)).T
        reached = np.searchsorted(np.cumsum(counts), share * counts.sum())
        return float(times[min(reached, len(times) - 1)])

    def facts(self, rate: float) -> dict[str, float]:
        """What came of it."""
        return {
            "peak_rps": rate,
            "replicas": self.replicas,
            "first_token_p50_s": round(self.wait(0.5), 3),
            "first_token_p99_s": round(self.wait(0.99), 3),
            "lost_share": round(self.lost / self.asked, 5),
            "api_share": round(self.to_api / self.asked, 4),
            "usd_per_million": round(self.usd / self.asked * 1e6, 2),
            "decisions": self.decisions,
        }


def simulated(
    work: Workload, times: ServiceTimes, peak: float, curve: str, scaling: dict[str, float], *, quick: bool
) -> dict[str, Any]:
    """A day with its evening's `peak` (requests a second), of which `quick` looks at three hours of the rise, or twenty
    minutes with a flash crowd that reaches it. `scaling`: fields of `autoscaling_config` that are not as usual.
    """
    flashing = curve == "flash crowd"
    span, step = ((0, 1_200), 1) if flashing else ((8 * 3600, 11 * 3600) if quick else (0, 86_400), 5)
    demand = partial(flash, peak / 10) if flashing else lambda second: day(peak, second / 3600)
    engine = EngineConfig(
        gpus=1,
        usd_per_gpu_hour=HOUR_USD,
        max_num_seqs=times.places,
        autoscaling_config={"min_replicas": 1, "max_replicas": MOST, **scaling},
    )
    fleets = {"small": Fleet.of(engine, times, 1.0), "large": Fleet.of(engine, times, 0.25)}
    with asyncio.Runner() as runner:
        run = Run(work, fleets, engine, runner.get_loop())
        run.decide(float(span[0]), len(work.queries))
        for name, fleet in fleets.items():
            fleet.begin(run.share()[name] * demand(span[0]), MOST // 2)
        for now in range(*span, step):
            if flashing or now % EVERY == 0:
                run.decide(float(now), len(work.queries) if flashing else KINDS)
            run.pass_(float(now), float(step), demand(now))
    return {"curve": curve, **run.facts(peak)}


def _followed(before: list[dict[str, float]], chosen: str) -> dict[str, float]:
    """A kind's shares after a decision; all of it follows the first."""
    if not before:
        return {chosen: 1.0}
    kept = {name: share * (1 - FOLLOWING) for name, share in before[0].items()}
    return kept | {chosen: kept.get(chosen, 0.0) + FOLLOWING}


def installation(rate: float, work: dict[str, float], times: ServiceTimes) -> dict[str, float]:
    """What a rate takes with everything at seven tenths of what it can do: processors of gateways, of routers,
    replicas, and clusters of `MOST` replicas.
    """
    gateway = json.loads((RESULTS / "overhead.json").read_text(encoding="utf-8"))["result"]["mixture"]["rps_32"]
    engines = rate / 0.7 / Fleet(times, AutoscalingConfig()).capacity
    return {
        "rps": rate,
        "gateway_processors": float(np.ceil(rate / 0.7 / gateway)),
        "router_processors": float(np.ceil(rate / 0.7 / work["learned"])),
        "replicas": float(np.ceil(engines)),
        "clusters": float(np.ceil(engines / MOST)),
    }


def within_reach(costs: list[dict[str, float]], deciding: float) -> int:
    """The most replicas of one engine at which what grows with their number, reading loads and finding a home, takes
    less of a processor than the decision itself, and the policy a tenth of its time at most.
    """
    fits = [
        one["replicas"]
        for one in costs
        if one["read_loads_us"] + one["find_home_us"] < 1e6 / deciding and one["policy_us"] < CONTROL_SECONDS * 1e5
    ]
    return int(max(fits, default=1))


def first_to_give_way(runs: list[dict[str, Any]]) -> str:
    """What was at its end in the run with the least demand that lost requests."""
    losing = [run for run in runs if run["lost_share"] > LOST]
    if not losing:
        return "nothing"
    first = min(losing, key=lambda run: run["peak_rps"])
    at = f"{first['curve']} of {first['peak_rps']:g} requests/s"
    if first["replicas"] < 0.95 * MOST:
        return f"replicas that load too slowly ({at})"
    return f"replicas in one cluster ({at})"


def main() -> None:
    """Measure, simulate, print."""
    parser = options(__doc__)
    parser.add_argument("--downscaling-factor", type=float, help="in place of the usual one; Ray Serve's own is 1")
    chosen = parser.parse_args()
    factor = chosen.downscaling_factor
    scaling = {} if factor is None else {"downscaling_factor": factor}
    times = stored()
    progress("fitting a router")
    work = workload(400)
    progress("what the code takes")
    speeds = scale_costs.decisions_per_s(work, 400 if chosen.quick else 4_000)
    costs = scale_costs.microseconds()
    runs = []
    for curve in ("day", "flash crowd"):
        for rate in RATES:
            progress(f"{curve}, {rate:,} requests/s")
            runs.append(simulated(work, times, rate, curve, scaling, quick=chosen.quick))
    sizes = [installation(rate, speeds, times) for rate in RATES]
    served = [run["peak_rps"] for run in runs if run["curve"] == "day" and run["lost_share"] <= LOST]
    result = {
        "decisions_per_s": speeds["learned"],
        "max_replicas": within_reach(costs, speeds["learned"]),
        "max_rps": max(served, default=0),
        "first_to_give_way": first_to_give_way(runs),
        "decisions": speeds,
        "by_replicas": costs,
        "runs": runs,
        "installations": sizes,
        "service_times": times.source,
    }
    show(result)
    finish("scale", result, save=chosen.save)


def _shown(value: object) -> object:
    return f"{value:,}" if isinstance(value, int | float) else value


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    for title, rows in (
        (f"simulated, at most {MOST:,} replicas; {result['service_times']}", result["runs"]),
        ("the code's own processor time by the number of replicas, microseconds", result["by_replicas"]),
        ("what a rate takes at seven tenths of what everything can do", result["installations"]),
    ):
        table(title, tuple(rows[0]), [tuple(map(_shown, row.values())) for row in rows])
    rows = [(key, value) for key, value in result.items() if not isinstance(value, list | dict)]
    table("in short", ("key", "value"), rows)


if __name__ == "__main__":
    main()
