"""Plans as graphs: what is wrong with one, in which order its subtasks can be answered, and how deep it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from mixture.types import Plan, Subtask


def faults(plan: Plan, most: int, deepest: int | None = None) -> list[str]:
    """A line for each fault of `plan`; none when it can be followed: at least one subtask and at most `most`, each with
    an id of its own and a text, each waiting only for others that exist and never, around some corner, for itself, and
    no chain of more than `deepest`.
    """
    found = _counted(plan.subtasks, most) + _named(plan.subtasks)
    if plan.final is not None and plan.final not in (subtask.id for subtask in plan.subtasks):
        found.append(f"the final subtask {plan.final!r} does not exist")
    if any(plan.final in subtask.depends_on for subtask in plan.subtasks):
        found.append(f"a subtask depends on the final one, {plan.final!r}")
    if found:
        return found
    try:
        chain = depth(plan)
    except CycleError as error:
        return [f"depends_on goes in a circle: {' -> '.join(reversed(error.args[1]))}"]
    if deepest is not None and chain > deepest:
        return [f"a chain of {chain} subtasks, at most {deepest} may wait for each other"]
    return []


def in_order(plan: Plan) -> list[Subtask]:
    """The subtasks so that each comes after those that it waits for; where that leaves a choice, as they are listed.

    Raises graphlib.CycleError.
    """
    waiting, done, ordered = list(plan.subtasks), set[str](), list[Subtask]()
    TopologicalSorter(_graph(plan)).prepare()
    while waiting:
        ready = next(subtask for subtask in waiting if done.issuperset(subtask.depends_on))
        waiting.remove(ready)
        ordered.append(ready)
        done.add(ready.id)
    return ordered


def depth(plan: Plan) -> int:
    """How many subtasks the longest chain has of which each waits for the one before. Raises graphlib.CycleError."""
    depths: dict[str, int] = {}
    for subtask in in_order(plan):
        depths[subtask.id] = 1 + max((depths[name] for name in subtask.depends_on), default=0)
    return max(depths.values(), default=0)


def _graph(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {subtask.id: subtask.depends_on for subtask in plan.subtasks}


def _counted(subtasks: Sequence[Subtask], most: int) -> list[str]:
    if not subtasks:
        return ["there is no subtask"]
    return [f"{len(subtasks)} subtasks, at most {most} are allowed"] if len(subtasks) > most else []


def _named(subtasks: Sequence[Subtask]) -> list[str]:
    count = Counter(subtask.id for subtask in subtasks)
    found = [f"the id {name!r} stands {times} times" for name, times in count.items() if times > 1]
    for subtask in subtasks:
        if not subtask.text.strip():
            found.append(f"subtask {subtask.id!r} has no text")
        found += [
            f"subtask {subtask.id!r} depends on {name!r}, which does not exist"
            for name in subtask.depends_on
            if name not in count
        ]
    return found
