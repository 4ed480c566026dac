"""What the cache did, counted: for `/metrics`, and for each caller."""

from __future__ import annotations

from collections import Counter

from mixture.counters import count


class Counts:
    """Counts by kind (`exact`, `flight`, `shared`, `semantic`, `subtask`) and outcome (`hit`, `miss`, `bypass`,
    `stored`, `refused`, `error`).
    """

    def __init__(self) -> None:
        self._by_owner: dict[str, Counter[tuple[str, str]]] = {}

    def add(self, owner: str, kind: str, outcome: str) -> None:
        """Count one."""
        count("mixture_cache_total", kind=kind, outcome=outcome)
        own = self._by_owner.get(owner)
        if own is None:
            own = self._by_owner[owner] = Counter()
        own[kind, outcome] += 1

    def of(self, owner: str) -> dict[str, dict[str, int]]:
        """What one caller's requests came to: kind -> outcome -> how many."""
        found: dict[str, dict[str, int]] = {}
        for (kind, outcome), number in sorted(self._by_owner.get(owner, Counter()).items()):
            found.setdefault(kind, {})[outcome] = number
        return found
