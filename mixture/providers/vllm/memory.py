"""Whether an engine fits: on the nodes that there are, and into the memory of their GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def unplaced(engine: EngineConfig, gpus: float, nodes: Sequence[Mapping[str, float]]) -> str | None:
    """Why the engine has no place on `nodes`, each a mapping of Ray's resources that are free; None when it has. On one
    node all of its replicas must fit, on several one of them.
    """
    if not nodes:
        return None
    kind = f"accelerator_type:{engine.accelerator_type}"
    fitting = [node for node in nodes if not (engine.accelerator_type and gpus) or kind in node]
    count = max(1, engine.least_replicas) if len(nodes) == 1 else 1
    total = gpus * engine.workers * count
    most, everywhere = _most(fitting, "GPU"), sum(node.get("GPU", 0.0) for node in fitting)
    named = f" of type {engine.accelerator_type}" if engine.accelerator_type else ""
    together = engine.placement == "STRICT_PACK"
    if total > (most if together else everywhere):
        where = "the largest node has" if together and len(nodes) > 1 else "there are" if everywhere > 0 else ""
        found = f"{where} {most if together else everywhere:g}" if where else "there is none"
        return f"it needs {total:g} GPUs{named} and {found}; with gpus: 0 it would run on the CPU"
    reserved, processors = engine.cpus * count, _most(nodes, "CPU")
    if reserved > processors + 1e-9:
        return f"it reserves {reserved:g} processors and {max(0.0, processors):g} are left; lower engine.cpus"
    return None


def remaining(engine: EngineConfig, gpus: float, node: Mapping[str, float]) -> dict[str, float]:
    """What is left of a machine's resources beside the replicas of an engine that are always there."""
    count = engine.least_replicas
    cpus, whole = count * engine.cpus, count * gpus * engine.workers
    return {**node, "CPU": node.get("CPU", 0.0) - cpus, "GPU": node.get("GPU", 0.0) - whole}


def _most(nodes: Sequence[Mapping[str, float]], resource: str) -> float:
    return max((node.get(resource, 0.0) for node in nodes), default=0.0)


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"


def _round(tokens: float) -> int:
    return int(tokens) // 256 * 256
