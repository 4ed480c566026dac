"""Whether an engine fits into the memory of GPUs."""

from __future__ import annotations

from dataclasses import dataclass

from mixture.config import EngineConfig
from mixture.providers.vllm.weights import Weights

GPU_SHARE = 0.9
"""Of a GPU's memory that vLLM uses when it is not told."""
ACTIVATIONS = 1 << 30
"""Bytes set aside on each GPU for activations, CUDA's context and graphs. vLLM measures them at its start."""
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Need:
    """What one worker of an engine needs, in bytes: its share of the weights, the KV cache of one request at full
    length, and what is set aside for computing.

        weights / workers + max_model_len x 2 x layers x KV heads x head size x bytes of an element / workers + 1 GiB

    The first is the size of the weights' files; the second is exact for plain attention and too much where layers see
    a window only or keep a compressed form. vLLM itself starts when one request at full length fits.
    """

    weights: float
    cache: float
    length: int
    per_token: float

    @property
    def total(self) -> float:
        """Bytes in all."""
        return self.weights + self.cache + ACTIVATIONS


def need(weights: Weights, engine: EngineConfig) -> Need | None:
    """What a worker needs; None when the model's files do not tell."""
    per_token = weights.kv_bytes_per_token
    length = engine.max_model_len or weights.window
    if per_token is None or length is None:
        return None
    share = per_token / engine.workers
    return Need(weights.size / engine.workers, length * share, length, share)


def too_large(weights: Weights, engine: EngineConfig, memory: float, gpus: float = 1.0) -> str | None:
    """Why the engine does not fit into GPUs of `memory` bytes each, and what would; None when it fits."""
    wanted = need(weights, engine)
    share = engine.gpu_memory_utilization or GPU_SHARE * min(1.0, gpus)
    room = memory * share
    if wanted is None or wanted.total <= room:
        return None
    left = room - wanted.weights - ACTIVATIONS
    told = (
        f"a worker needs {_gib(wanted.total)} (weights {_gib(wanted.weights)}, KV cache of one request of "
        f"{wanted.length} tokens {_gib(wanted.cache)}, computing {_gib(ACTIVATIONS)}) and may use {_gib(room)} of "
        f"{_gib(memory)}"
    )
    if left >= wanted.per_token * 256:
        return f"{told}; with max_model_len: {_round(left / wanted.per_token)} it would fit"
    workers = engine.workers
    while (weights.size + wanted.cache * engine.workers) / workers + ACTIVATIONS > room and workers < 64:
        workers *= 2
    fits = (weights.size + wanted.cache * engine.workers) / workers + ACTIVATIONS <= room
    return f"{told}; with tensor_parallel_size: {workers} it would fit" if fits else told


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"


def _round(tokens: float) -> int:
    return int(tokens) // 256 * 256
