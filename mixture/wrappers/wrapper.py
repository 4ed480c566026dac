"""What every wrapper has in common: the card of what it wraps, warming and closing it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mixture.types import Chunk, Expert, ExpertCard, Query


class Wrapper:
    """An expert around `inner`."""

    __slots__ = ("card", "inner")

    def __init__(self, inner: Expert) -> None:
        self.inner = inner
        self.card: ExpertCard = inner.card

    def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`, with what this wrapper adds."""
        raise NotImplementedError

    async def warm(self) -> None:
        """Let `inner` start what its first answer would wait for, where it has such."""
        warm = getattr(self.inner, "warm", None)
        if warm is not None:
            await warm()

    async def close(self) -> None:
        """Close `inner`, where it can be closed."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            await close()
