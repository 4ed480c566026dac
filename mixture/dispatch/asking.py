"""Routers and decomposers that ask an expert for their decision, and what decides in their place where none may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from mixture.types import Expert, Panel


@runtime_checkable
class Asking(Protocol):
    """A router or decomposer that asks the expert `asks`; `quiet` is what decides when it can't."""

    @property
    def asks(self) -> str:
        """The expert's name."""
        ...

    def asking(self, expert: Expert) -> Any:
        """The same part, asking `expert`, which goes by the same name."""
        ...

    @property
    def quiet(self) -> Any:
        """The part that asks nobody."""
        ...


def quiet(panel: Panel) -> tuple[Panel, tuple[str, ...]]:
    """`panel` with parts that ask nobody in the place of those that would, and a line for each of these."""
    said, router = [], getattr(panel.router, "inner", panel.router)  # around it, what keeps conversations together
    if isinstance(router, Asking):
        said.append(f"{router.asks} would be asked to route; it was done without")
        panel = replace(panel, router=router.quiet)
    if isinstance(panel.decomposer, Asking):
        said.append(f"{panel.decomposer.asks} would be asked for a plan; rules made it here")
        panel = replace(panel, decomposer=panel.decomposer.quiet)
    return panel, tuple(said)
