"""A part that one expert plays (a judge's, say), and who steps in when it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mixture.dispatch.outcomes import Failure, healable, no_answer, reason
from mixture.errors import MixtureError
from mixture.metering import adjusted
from mixture.types import Adjusted, Panel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Played(Generic[T]):
    """Who played the part, what came of it, and who had failed at it before."""

    name: str
    result: T
    failures: tuple[Failure, ...] = ()

    @property
    def lacking(self) -> str | None:
        """What is to be said of it, in words; None when the first one did it."""
        if not self.failures:
            return None
        before = ", ".join(f"{name} ({reason(error)})" for name, error in self.failures)
        return f"{self.name} stepped in for {before}"


async def first_to_play(
    names: Iterable[str], part: str, play: Callable[[str], Awaitable[T]], panel: Panel
) -> Played[T]:
    """The first of `names` with which `play` works; `part` says which part it is ("judge"). `play` raises
    ExpertUnavailable also for a result that can't be used.

    Raises NoAnswer when all failed, BudgetExceeded when all were too dear, and what no other expert heals.
    """
    failures: list[Failure] = []
    for name in names:
        try:
            played = Played(name, await play(name), tuple(failures))
        except MixtureError as error:
            if not healable(error):
                raise
            failures.append((name, error))
            continue
        return replaced(part, played)
    raise no_answer(failures, panel)


def replaced(part: str, played: Played[T]) -> Played[T]:
    """`played`, noted for the report when somebody stepped in."""
    if played.lacking is not None:
        adjusted(Adjusted("replaced", f"{part}: {played.lacking}", (played.name,)))
    return played
