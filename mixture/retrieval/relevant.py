"""Passages that have something to do with a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mixture.types import Caller, Passage, Retriever


class Relevant:
    """What a retriever finds with a score of at least `min_score`, in 0..1. `make` gives the retriever when it is first
    needed: most requests need none.
    """

    def __init__(self, make: Callable[[], Retriever], min_score: float) -> None:
        self._make = make
        self._min_score = min_score
        self._retriever: Retriever | None = None

    async def retrieve(self, text: str, k: int, caller: Caller) -> Sequence[Passage]:
        """At most `k` passages, best first, of those that `caller` may use. Raises what the retriever raises."""
        if self._retriever is None:
            self._retriever = self._make()
        found = await self._retriever.retrieve(text, k, caller)
        return [passage for passage in found if passage.score >= self._min_score]
