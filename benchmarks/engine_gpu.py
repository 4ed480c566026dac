"""An engine on a GPU behind our graph, beside vLLM's own server over the same weights on the same GPU.

A model of about a billion parameters with random weights is made on the spot. Both servers hold two fifths of the GPU's
memory and are asked in turn, round after round: streams of one client for the time to the first token and for tokens a
second, streams of many clients for tokens a second. Then many clients leave after their first token, and it is timed
until the engine has nothing to do any more. `--device cpu` does the same on a CPU with a tiny model. Where there is no
GPU, or no vLLM for it, it says so and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

from benchmarks.engine import ENVIRONMENT, UNCACHED, VARIABLES, answering, interval
from benchmarks.processes import Running, serving, settle, started
from benchmarks.reporting import finish, options, progress, skipped, table
from benchmarks.streams import Streams, measure
from commands.environment import free_port
from tests.gpu import large_model

MODEL, SHARE, CACHE = "house", 0.4, 64 << 20
PATIENCE = 480
"""Seconds for a server to start: on a GPU the engine compiles, and records CUDA graphs."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds; streams of one client in a round; clients at once, and the streams of each; tokens of each stream."""

    rounds: int
    alone: int
    clients: int
    each: int
    tokens: int


FULL = Effort(rounds=8, alone=20, clients=64, each=2, tokens=256)
QUICK = Effort(rounds=2, alone=5, clients=16, each=1, tokens=64)
ON_CPU = Effort(rounds=2, alone=5, clients=8, each=1, tokens=32)


@dataclass(slots=True)
class Seen:
    """What one server did, a figure a round."""

    ttft_ms: list[float] = field(default_factory=list)
    alone_tokens_per_s: list[float] = field(default_factory=list)
    tokens_per_s: list[float] = field(default_factory=list)
    idle_after_s: list[float] = field(default_factory=list)
    broken: int = 0

    def add(self, one: Streams, many: Streams, tokens: int, idle: float) -> None:
        """Take in a round."""
        self.ttft_ms.append(one.ttft_p50_ms)
        self.alone_tokens_per_s.append(len(one.ttft_ms) * tokens / one.seconds)
        self.tokens_per_s.append(len(many.ttft_ms) * tokens / many.seconds)
        self.idle_after_s.append(idle)
        self.broken += one.broken + many.broken

    def facts(self) -> dict[str, float]:
        """The medians, and the streams that broke."""
        named = ("ttft_ms", "alone_tokens_per_s", "tokens_per_s", "idle_after_s")
        return {name: round(float(np.median(getattr(self, name))), 3) for name in named} | {"broken": self.broken}


@contextmanager
def vllm_server(model: Path, window: int, cpu: bool) -> Iterator[Running]:
    """VLLM's own OpenAI server."""
    port, key = free_port("127.0.0.1", 21400), secrets.token_hex(8)
    words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--host", "127.0.0.1"]
    words += ["--port", str(port), "--served-model-name", MODEL, "--api-key", key, "--max-model-len", str(window)]
    words += ["--max-num-seqs", "64", "--disable-uvicorn-access-log"]
    if cpu:
        words += ["--enforce-eager", "--kv-cache-memory-bytes", str(CACHE), "--distributed-executor-backend", "uni"]
    else:
        words += ["--gpu-memory-utilization", str(SHARE)]
    variables = VARIABLES if cpu else {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with started(words, f"http://127.0.0.1:{port}/health", key, variables, PATIENCE) as running:
        yield running


def configuration(model: Path, window: int, cpu: bool) -> dict[str, Any]:
    """Our server over the same weights."""
    engine: dict[str, Any] = {"max_model_len": window, "max_num_seqs": 64}
    if cpu:
        engine |= {"gpus": 0, "kv_cache_bytes": CACHE, "env": VARIABLES}
    else:
        engine |= {"gpus": 1, "gpu_memory_utilization": SHARE, "env": {"HF_HUB_OFFLINE": "1"}}
    return {"experts": [{"name": MODEL, "provider": "vllm", "model": str(model), "engine": engine}], "cache": UNCACHED}


def _get(server: Running, path: str) -> str:
    request = Request(server.url.removesuffix("/health") + path, headers={"Authorization": f"Bearer {server.key}"})
    with urlopen(request, timeout=10) as response:
        return str(response.read().decode())


def vllm_running(server: Running) -> float:
    """Requests at work in vLLM's own server, by its metrics."""
    lines = [line for line in _get(server, "/metrics").splitlines() if line.startswith("vllm:num_requests_running")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def our_running(server: Running) -> float:
    """Requests at work in our engine, as its last report says: an answer brings a new one."""
    asyncio.run(measure(server, MODEL, 1, 1, {"max_tokens": 1}))
    engine = json.loads(_get(server, "/v1/mixture/strategies"))["experts"][MODEL].get("engine") or {}
    return max(0.0, float(engine.get("running", 99)) - 1)  # the one that asked


async def leave(server: Running, clients: int) -> None:
    """Have `clients` begin long answers and leave at their first token."""
    body = {"max_tokens": 1500, "ignore_eos": True, "temperature": 0}
    asking = [asyncio.create_task(measure(server, MODEL, 1, 1, body)) for _ in range(clients)]
    await asyncio.sleep(1.0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


def idle_after(server: Running, running: Callable[[Running], float], clients: int) -> float:
    """Seconds from the moment at which all clients have left until the engine has nothing to do."""
    asyncio.run(leave(server, clients))
    began = time.perf_counter()
    while running(server) > 0:
        if time.perf_counter() - began > 60:
            return 60.0
        time.sleep(0.02)
    return time.perf_counter() - began


def one_round(server: Running, running: Callable[[Running], float], effort: Effort, into: Seen | None) -> None:
    """Ask a server; nothing is noted without a place for it."""
    body = {"max_tokens": effort.tokens, "ignore_eos": True, "temperature": 0}
    one = asyncio.run(measure(server, MODEL, 1, effort.alone, body))
    many = asyncio.run(measure(server, MODEL, effort.clients, effort.each, body))
    idle = idle_after(server, running, effort.clients)
    if into is not None and one.ttft_ms:
        into.add(one, many, effort.tokens, idle)


def compared(bare: Seen, ours: Seen, clients: int) -> dict[str, Any]:
    """The keys of this benchmark."""
    added = [mine - theirs for mine, theirs in zip(ours.ttft_ms, bare.ttft_ms, strict=True)]
    ratios = [mine / theirs for mine, theirs in zip(ours.tokens_per_s, bare.tokens_per_s, strict=True)]
    return {
        "added_ttft_ms_p50_1": round(float(np.median(added)), 3),
        "added_ttft_ms_interval": interval(added),
        f"tokens_ratio_{clients}": round(float(np.median(ratios)), 3),
        "tokens_ratio_interval": interval(ratios),
        "vllm": bare.facts(),
        "mixture": ours.facts(),
    }


def main() -> None:
    """Start both, ask them in turn, print."""
    parser = options(__doc__)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: a tiny model, to try this out")
    chosen = parser.parse_args()
    cpu = chosen.device == "cpu"
    if cpu and find_spec("vllm") is None and ENVIRONMENT.exists():
        os.execv(ENVIRONMENT, [str(ENVIRONMENT), "-m", "benchmarks.engine_gpu", *sys.argv[1:]])
    if why := large_model.missing(cpu):
        skipped(why if cpu else f"{why}; --device cpu tries the same with a tiny model")
    shape = large_model.SMALL if cpu else large_model.BILLION
    effort = ON_CPU if cpu else QUICK if chosen.quick else FULL
    bare, ours = Seen(), Seen()
    with tempfile.TemporaryDirectory() as folder:
        progress(f"making a model of {shape.parameters / 1e6:,.1f} million parameters")
        model = large_model.make(Path(folder) / "model", shape)
        progress("starting vLLM's server")
        with vllm_server(model, shape.window, cpu) as theirs:
            progress("starting this server")
            with serving(configuration(model, shape.window, cpu), patience=PATIENCE) as mixture:
                settle(mixture.pid, 20)
                _rounds(((theirs, vllm_running, bare), (mixture, our_running, ours)), effort)
    result = compared(bare, ours, effort.clients) | {"parameters": shape.parameters, "device": chosen.device}
    table(
        f"{shape.parameters / 1e6:,.1f} million parameters on the {chosen.device}, two servers",
        ("server", *result["vllm"]),
        [(name, *result[name].values()) for name in ("vllm", "mixture")],
    )
    finish("engine_gpu", result, save=chosen.save)


def _rounds(pairs: tuple[tuple[Running, Callable[[Running], float], Seen], ...], effort: Effort) -> None:
    for server, running, _ in pairs:
        answering(server, model=MODEL)
        one_round(server, running, QUICK if effort is FULL else effort, None)
    for number in range(effort.rounds):
        progress(f"round {number + 1} of {effort.rounds}")
        for server, running, seen in pairs if number % 2 else reversed(pairs):
            one_round(server, running, effort, seen)


if __name__ == "__main__":
    main()
