"""What turns passages and questions into vectors: a collection keeps the one that it began with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from mixture.types import Embedder

DIMENSIONS: Mapping[str, int] = {"minilm": 384, "static": 192}
"""Of the encoders' vectors, by name."""


class StaticVectors:
    """The static encoder that comes with Mixture: numpy alone, a fraction of a millisecond a passage."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One L2-normalised vector a text, in the same order; computed in a thread."""
        return await asyncio.to_thread(self._encoded, list(texts))

    def _encoded(self, texts: list[str]) -> list[list[float]]:
        from mixture.routing.static import packaged  # with numpy

        found: list[list[float]] = packaged().encode_all(texts).tolist()
        return found


def encoder(name: str) -> Embedder:
    """The encoder `name`, one of `DIMENSIONS`; its model is loaded by the first call."""
    if name == "static":
        return StaticVectors()
    from mixture.embedding import MiniLM

    return MiniLM()
