"""What an engine has to do, as it crosses processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """Requests being computed and waiting, the used share of the KV cache, and tokens that were looked up in the
    prefix cache and found there since the engine began.
    """

    running: int = 0
    waiting: int = 0
    kv_use: float = 0.0
    prefix_queries: int = 0
    prefix_hits: int = 0
