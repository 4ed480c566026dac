"""What the gateway adds: the same load on an upstream, on this server before it, and on LiteLLM's proxy before it.

The upstream is the stand-in (`mixture simulate`), which answers at once. One run measures plain answers with `wrk`
(1 and 32 clients), streamed ones, and this server's memory before and after many requests. All three share this
machine's cores, as do the clients. Both gateways run as they come, with one process that answers, or `--workers`.
LiteLLM lives in an environment of its own, made in the cache folder once; `--litellm` names another.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.litellm import environment, proxying, version
from benchmarks.processes import Running, rss_mib, serving, settle, simulating
from benchmarks.reporting import finish, options, progress, table
from benchmarks.streams import Streams, measure
from benchmarks.wrk import Load, load, need_wrk, warm

UPSTREAMS: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "paced": ("--tokens", "8", "--rate", "400"),
    "burst": ("--tokens", "100"),
}
"""The upstreams: a short answer; one written word by word, as a model does, for the time to the first token; a longer
one as fast as it is taken, for chunks a second. Each gateway has all three as models of these names."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how much is measured."""

    seconds: int
    first_tokens: int
    streams: int
    requests: int
    patience: float
    """Seconds to wait at most until a server that has just started is at rest."""


FULL = Effort(seconds=10, first_tokens=300, streams=20, requests=50_000, patience=30)
QUICK = Effort(seconds=2, first_tokens=40, streams=1, requests=3_000, patience=4)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured on one server."""

    one: Load
    many: Load
    alone: Streams
    crowd: Streams


def measured(servers: Mapping[str, Running], effort: Effort) -> Figures:
    """Everything on one gateway, or (a server for each model) on the upstream itself."""
    plain, paced, burst = (servers[name] for name in UPSTREAMS)
    settle(plain.pid, effort.patience)
    progress("plain answers")
    warm(plain, "plain")
    one = load(plain, "plain", 1, effort.seconds)
    many = load(plain, "plain", 32, effort.seconds)
    progress("streamed answers")
    asyncio.run(measure(paced, "paced", 1, 5))  # warm
    alone = asyncio.run(measure(paced, "paced", 1, effort.first_tokens))
    asyncio.run(measure(burst, "burst", 4, 1))  # warm
    crowd = asyncio.run(measure(burst, "burst", 32, effort.streams))
    return Figures(one, many, alone, crowd)


def through(gateway: Running) -> dict[str, Running]:
    """One gateway as the server of every model."""
    return dict.fromkeys(UPSTREAMS, gateway)


def configuration(upstreams: Mapping[str, Running]) -> dict[str, Any]:
    """Our server as it comes, with an expert for each upstream."""
    experts = [
        {"name": name, "provider": "openai", "model": "stand-in", "base_url": f"{server.url}/v1", "api_key": "none"}
        for name, server in upstreams.items()
    ]
    return {"experts": experts}


def growth(server: Running, requests: int) -> tuple[float, float]:
    """Our processes' memory in MiB before and after so many requests."""
    before, done = rss_mib(server.pid), 0
    while done < requests:
        done += load(server, "plain", 32, 2).requests
    return before, rss_mib(server.pid)


def last_line(direct: Figures, ours: Figures, peer: Figures, memory: tuple[float, float]) -> dict[str, Any]:
    """The keys of this benchmark."""
    return {
        "rps_ratio_litellm_32": round(ours.many.rps / peer.many.rps, 2),
        "added_ms_p50_1": round(ours.one.p50_ms - direct.one.p50_ms, 3),
        "added_ms_p99_32": round(ours.many.p99_ms - direct.many.p99_ms, 3),
        "stream_added_ttft_ms_p50": round(ours.alone.ttft_p50_ms - direct.alone.ttft_p50_ms, 3),
        "stream_chunks_per_s_ratio_litellm": round(ours.crowd.chunks_per_s / peer.crowd.chunks_per_s, 2),
        "rss_growth": round(memory[1] / memory[0] - 1, 4),
        "rss_mib": [round(value, 1) for value in memory],
        "upstream": facts(direct),
        "mixture": facts(ours),
        "litellm": facts(peer),
    }


def facts(figures: Figures) -> dict[str, float]:
    """One server's figures as plain data."""
    return {
        "rps_1": figures.one.rps,
        "p50_ms_1": figures.one.p50_ms,
        "p99_ms_1": figures.one.p99_ms,
        "rps_32": figures.many.rps,
        "p50_ms_32": figures.many.p50_ms,
        "p99_ms_32": figures.many.p99_ms,
        "ttft_ms_p50": round(figures.alone.ttft_p50_ms, 3),
        "chunks_per_s": round(figures.crowd.chunks_per_s, 1),
        "errors": figures.one.errors + figures.many.errors + figures.alone.broken + figures.crowd.broken,
    }


def show(result: Mapping[str, Any], requests: int) -> None:
    """Print the tables."""
    names = ("upstream", "mixture", "litellm")
    rows = [(name, *(result[name][column] for column in result["upstream"])) for name in names]
    table("the same load directly and through each gateway", ("server", *result["upstream"]), rows)
    keys = [(key, value) for key, value in result.items() if not isinstance(value, dict)]
    table(f"ratios and differences; memory over {requests} requests", ("key", "value"), keys)


def main() -> None:
    """Start everything, measure one after the other, print."""
    parser = options(__doc__)
    given = os.environ.get("MIXTURE_LITELLM")
    parser.add_argument("--litellm", type=Path, default=given, help="an environment that has litellm[proxy]")
    parser.add_argument("--workers", type=int, default=1, help="processes that answer, of either gateway")
    chosen = parser.parse_args()
    need_wrk()
    effort = QUICK if chosen.quick else FULL
    peer = environment(Path(chosen.litellm) if chosen.litellm else None)
    with ExitStack() as stack:
        upstreams = {name: stack.enter_context(simulating(*words)) for name, words in UPSTREAMS.items()}
        progress("the upstream directly")
        direct = measured(upstreams, effort)
        progress("this server")
        with serving(configuration(upstreams), chosen.workers) as server:
            ours = measured(through(server), effort)
            progress(f"memory over {effort.requests} requests")
            memory = growth(server, effort.requests)
        progress("LiteLLM's proxy")
        with proxying(peer, upstreams, chosen.workers) as proxy:
            theirs = measured(through(proxy), effort)
    result = {"workers": chosen.workers} | last_line(direct, ours, theirs, memory)
    show(result, effort.requests)
    finish("overhead", result, save=chosen.save, litellm=version(peer))


if __name__ == "__main__":
    main()
