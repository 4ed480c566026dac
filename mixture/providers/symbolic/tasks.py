"""What is to be computed, as plain data for the worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mixture.providers.symbolic.sizing import check
from mixture.providers.symbolic.syntax import Node, encode


@dataclass(frozen=True, slots=True)
class Task:
    """One computation: its `kind` (see `worker.py`), its expressions, further settings, and how the question was
    read, which is what the answer begins with.
    """

    kind: str
    reading: str
    nodes: tuple[Node, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.nodes:
            check(node)

    def wire(self) -> dict[str, Any]:
        """The task for the worker, ready for JSON."""
        nodes = [encode(node) for node in self.nodes]
        return {"kind": self.kind, "reading": self.reading, "nodes": nodes, **self.settings}
