"""The decomposer in a process of its own: the deployment `decomposer`."""

from __future__ import annotations

import os

from mixture.logs import write_log
from mixture.planning import MOST, RuleDecomposer
from mixture.types import Plan, Query


class HostedDecomposer:
    """Hosts the rules, which make at most `most` subtasks; a plan crosses the boundary, never tokens."""

    def __init__(self, most: int = MOST) -> None:
        write_log("decomposer", os.environ)
        self._decomposer = RuleDecomposer(most)

    async def decompose(self, query: Query) -> Plan:
        """See `mixture.types.Decomposer`."""
        return await self._decomposer.decompose(query)
