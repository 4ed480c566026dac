"""Whether an engine finds the memory that it is to have, told before it is started: its own error comes late and from
another process.
"""

from __future__ import annotations

from collections.abc import Mapping

from mixture.config import EngineConfig
from mixture.providers.vllm.memory import GIB, need
from mixture.providers.vllm.weights import Weights


def shortage(weights: Weights, engine: EngineConfig, free: float | None) -> str | None:
    """Why the engine has too little memory, and what would do; None when nothing speaks against it. `free` is the
    machine's free memory in bytes where the engine computes on the CPU.
    """
    wanted, cache = need(weights, engine), engine.kv_cache_bytes
    smaller = "kv_cache_dtype" in engine.arguments
    if wanted is not None and cache is not None and cache < wanted.cache and not smaller:
        fits = int(cache / wanted.per_token)
        return (
            f"kv_cache_bytes: {cache} bytes are too few for one request of {wanted.length} tokens, which takes "
            f"{wanted.cache:.0f}; with max_model_len: {fits} it would fit"
        )
    whole = weights.size + (cache or 0)
    if free is not None and whole > free:
        return f"it needs {whole / GIB:.1f} GiB for weights and KV cache, and {free / GIB:.1f} GiB of memory are free"
    return None


def free_memory(meminfo: str) -> float | None:
    """The bytes that a process may still take, from the text of `/proc/meminfo`; None where it does not say."""
    found: Mapping[str, str] = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    said = found.get("MemAvailable", "").split()
    return float(said[0]) * 1024 if said else None
