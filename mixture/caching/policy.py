"""What may be answered from memory, and which answers are kept."""

from __future__ import annotations

from dataclasses import dataclass

from mixture.config import CacheConfig
from mixture.errors import InvalidQuery
from mixture.types import Choice, Completion, Report, Sampling


@dataclass(frozen=True, slots=True)
class CacheWish:
    """What a request says of the cache: whether it may be answered from it, whether its answer may be kept there, and
    how many seconds old an answer may be. `semantic` says whether it may be that of a question that means the same;
    None is as configured.
    """

    read: bool = True
    write: bool = True
    max_age: float | None = None
    semantic: bool | None = None


NEITHER = CacheWish(read=False, write=False)


def granted(wish: CacheWish | None, sampling: Sampling, config: CacheConfig) -> CacheWish:
    """What becomes of a request's `wish`; None is one that says nothing, for which the configuration decides.

    Raises InvalidQuery when it asks for a cache where there is none.
    """
    if wish is not None and wish.semantic and config.semantic.mode != "on":
        raise InvalidQuery(
            "mixture.cache.semantic: this server gives no answers to similar questions (`cache.semantic.mode`); leave "
            "it out or send false",
            param="mixture.cache.semantic",
            code="unsupported_parameter",
        )
    if config.exact == "off":
        if wish is not None and (wish.read or wish.write):
            raise InvalidQuery(
                "mixture.cache: this server keeps no answers (`cache.exact: off`); leave it out or send false",
                param="mixture.cache",
                code="unsupported_parameter",
            )
        return NEITHER
    if wish is not None:
        return wish
    return CacheWish() if config.exact == "all" or deterministic(sampling) else NEITHER


def deterministic(sampling: Sampling) -> bool:
    """Whether the same answer is wanted each time."""
    return sampling.temperature == 0 or sampling.seed is not None


def worth_keeping(completion: Completion, report: Report) -> bool:
    """Whether an answer is whole: nothing of it was cut, left out or had from fewer experts than its model's name says,
    and it calls no tool. Calls act on the world and carry ids that belong to one conversation. What rests on documents
    is not kept either: they may be others the next time.
    """
    if getattr(report, "passages", ()) or any(_quotes(choice) for choice in completion.choices):
        return False
    if completion.degraded is not None or any(one.kind == "shrunk" for one in report.adjustments):
        return False
    return all(c.finish_reason == "stop" and not c.tool_calls and c.text.strip() for c in completion.choices)


def _quotes(choice: Choice) -> bool:
    return any(note.get("type") == "url_citation" for note in choice.annotations)
