"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is. `id` tells callers apart and is a digest, never the key itself: what one caller's requests
    left behind (cached answers, conversations, costs, feedback) is found under it and by no other caller. `models`
    and `collections` are the names that it may use, None meaning all of them.
    """

    id: str = "local"
    name: str = "local"
    models: frozenset[str] | None = None
    collections: frozenset[str] | None = None


LOCAL = Caller()
"""Whoever uses the library in their own process: there is no key to show."""
