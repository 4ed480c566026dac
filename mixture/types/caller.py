"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is. `id` tells callers apart and is a digest, never the key itself: what one caller's requests
    left behind (cached answers, conversations, costs, feedback) is found under it and by no other caller. `models`
    and `collections` are the names that it may use, None meaning all of them; `owner` says that it is the
    server's own key, which sees everybody's costs.
    """

    id: str = "local"
    name: str = "local"
    models: frozenset[str] | None = None
    collections: frozenset[str] | None = None
    owner: bool = False


LOCAL = Caller(owner=True)
"""Whoever uses the library in their own process: there is no key to show."""

NOBODY = Caller("nobody", "nobody", collections=frozenset())
"""Whoever can't be told: what is not for everybody is not for them."""
