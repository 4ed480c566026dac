"""What our graph adds to a vLLM engine: the same tiny model behind vLLM's own server and behind `mixture serve`.

Both run at the same time in the same environment with the same engine arguments, on the CPU, and are asked in turn,
round after round, so that what else the machine does meets both. A round is streamed answers of one client, for the
time to the first token, and of sixteen at once, for tokens a second; every answer has the same number of tokens.

It needs vLLM: an environment that has it, or the one that `make test-engine` makes. Without either it says so and ends.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import Running, serving, settle, started
from benchmarks.reporting import finish, options, progress, skipped, table
from benchmarks.streams import Streams, measure
from commands.environment import free_port

ENVIRONMENT = Path(".venv-engine/bin/python")
MODEL = "tiny"
LENGTH, SEQUENCES, CACHE = 2048, 16, 64 << 20
CLIENTS = 16
UNCACHED = {"exact": "off"}
"""All clients ask the same, and with the cache those at the same time would share one answer of the engine."""
VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: rounds, streams of the one client and of each of the sixteen in a round, tokens of each."""

    rounds: int
    alone: int
    each: int
    tokens: int


FULL = Effort(rounds=12, alone=40, each=6, tokens=128)
QUICK = Effort(rounds=3, alone=15, each=2, tokens=64)


@dataclass(slots=True)
class Rounds:
    """One server's figures, a round each."""

    ttft_ms: list[float] = field(default_factory=list)
    tokens_per_s: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """Every time to a first token with one client."""
    broken: int = 0

    def add(self, alone: Streams, crowd: Streams, tokens: int) -> None:
        """Take in a round."""
        self.ttft_ms.append(alone.ttft_p50_ms)
        self.first += alone.ttft_ms
        self.tokens_per_s.append(len(crowd.ttft_ms) * tokens / crowd.seconds)
        self.broken += alone.broken + crowd.broken


@contextmanager
def vllm_server(model: Path) -> Iterator[Running]:
    """VLLM's own OpenAI server."""
    port, key = free_port("127.0.0.1", 21400), secrets.token_hex(8)
    words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    words += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", MODEL, "--api-key", key]
    words += ["--max-model-len", str(LENGTH), "--max-num-seqs", str(SEQUENCES), "--kv-cache-memory-bytes", str(CACHE)]
    words += ["--enforce-eager", "--distributed-executor-backend", "uni", "--disable-log-stats"]
    words += ["--disable-uvicorn-access-log"]
    with started(words, f"http://127.0.0.1:{port}/health", key, VARIABLES, patience=300) as running:
        yield running


def configuration(model: Path) -> dict[str, Any]:
    """Our server over the same engine."""
    engine = {
        "max_model_len": LENGTH,
        "max_num_seqs": SEQUENCES,
        "kv_cache_bytes": CACHE,
        "gpus": 0,
        "env": VARIABLES,
    }
    return {"experts": [{"name": MODEL, "provider": "vllm", "model": str(model), "engine": engine}], "cache": UNCACHED}


def answering(server: Running, patience: float = 120, model: str = MODEL) -> None:
    """Wait until a server gives an answer. Raises RuntimeError when it gives none for so many seconds."""
    deadline = time.monotonic() + patience
    while not asyncio.run(measure(server, model, 1, 1, {"max_tokens": 4, "ignore_eos": True})).ttft_ms:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.url} gives no answer")
        time.sleep(0.5)


def one_round(server: Running, effort: Effort, into: Rounds | None) -> None:
    """Ask a server; nothing is noted without a place for it."""
    body = {"max_tokens": effort.tokens, "ignore_eos": True, "temperature": 0}
    alone = asyncio.run(measure(server, MODEL, 1, effort.alone, {**body, "max_tokens": 8}))
    crowd = asyncio.run(measure(server, MODEL, CLIENTS, effort.each, body))
    if into is not None:
        into.add(alone, crowd, effort.tokens)


def interval(differences: list[float]) -> tuple[float, float]:
    """The 95% interval of the median over rounds, by 2,000 resamplings of the rounds."""
    random = np.random.default_rng(0)
    drawn = random.choice(np.array(differences), (2_000, len(differences)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return round(float(low), 3), round(float(high), 3)


def last_line(bare: Rounds, ours: Rounds) -> dict[str, Any]:
    """The keys of this benchmark: differences and ratios of each round's pair."""
    added = [mine - theirs for mine, theirs in zip(ours.ttft_ms, bare.ttft_ms, strict=True)]
    ratios = [mine / theirs for mine, theirs in zip(ours.tokens_per_s, bare.tokens_per_s, strict=True)]
    return {
        "added_ttft_ms_p50_1": round(float(np.median(added)), 3),
        "added_ttft_ms_interval": interval(added),
        "tokens_ratio_16": round(float(np.median(ratios)), 3),
        "tokens_ratio_interval": interval(ratios),
        "rounds": len(added),
        "vllm": facts(bare),
        "mixture": facts(ours),
    }


def facts(rounds: Rounds) -> dict[str, float]:
    """One server's figures as plain data."""
    return {
        "ttft_ms_p50_1": round(float(np.median(rounds.first)), 3),
        "tokens_per_s_16": round(float(np.median(rounds.tokens_per_s)), 1),
        "broken": rounds.broken,
    }


def show(result: Mapping[str, Any]) -> None:
    """Print the table."""
    rows = [(name, *result[name].values()) for name in ("vllm", "mixture")]
    table("one tiny model on the CPU, two servers", ("server", *result["vllm"]), rows)
    keys = [(key, value) for key, value in result.items() if not isinstance(value, dict)]
    table("what the graph adds, the median over rounds with its 95% interval", ("key", "value"), keys)


def main() -> None:
    """Start both, ask them in turn, print."""
    chosen = options(__doc__).parse_args()
    if find_spec("vllm") is None:
        if not ENVIRONMENT.exists():
            skipped("vLLM is not installed here; `make test-engine` makes an environment that has it")
        os.execv(ENVIRONMENT, [str(ENVIRONMENT), "-m", "benchmarks.engine", *sys.argv[1:]])
    from tests.engine.tiny_model import make

    effort = QUICK if chosen.quick else FULL
    bare, ours = Rounds(), Rounds()
    with tempfile.TemporaryDirectory() as folder:
        model = make(Path(folder) / "model")
        progress("starting vLLM's server")
        with vllm_server(model) as server:
            progress("starting this server")
            with serving(configuration(model)) as mixture:
                settle(mixture.pid, 20)
                for each in (server, mixture):
                    answering(each)
                    one_round(each, QUICK, None)
                for number in range(effort.rounds):
                    progress(f"round {number + 1} of {effort.rounds}")
                    pairs = [(server, bare), (mixture, ours)]
                    for running, rounds in pairs if number % 2 else reversed(pairs):
                        one_round(running, effort, rounds)
    result = last_line(bare, ours)
    show(result)
    finish("engine", result, save=chosen.save, vllm=version("vllm-cpu"))


if __name__ == "__main__":
    main()
