"""Which way of answering a session gets: decided by a hash, so that it is the same at every gateway and every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from mixture.config import AliasConfig, ExperimentConfig
from mixture.types import Caller, Query

Arm = Literal["control", "candidate"]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an experiment does with a request. `model` is the name by which it is answered, `arm` which of the two that
    is; `unit` a digest of its session, whose requests all go the same way. `shadow` is the model to be asked afterwards
    in the background, where it is one of those requests.
    """

    experiment: str
    arm: Arm
    model: str
    unit: str
    shadow: str | None = None


class Experiments:
    """The experiments of a configuration, by the alias whose traffic they look at."""

    def __init__(self, aliases: Mapping[str, AliasConfig]) -> None:
        self._known = {name: alias.experiment for name, alias in aliases.items() if alias.experiment is not None}

    @property
    def configs(self) -> Mapping[str, ExperimentConfig]:
        """What is configured, by name."""
        return self._known

    def expose(self, model: str, query: Query, caller: Caller) -> Exposure | None:
        """What becomes of a request for `model`; None when that is no experiment's alias."""
        name = model if model in self._known else model.removeprefix("mixture/")
        found = self._known.get(name)
        if found is None:
            return None
        unit = unit_of(query, caller)
        chosen = fraction(name, unit) < found.share
        if found.mode == "shadow":
            return Exposure(name, "control", found.control, unit, found.candidate if chosen else None)
        if chosen:
            return Exposure(name, "candidate", found.candidate, unit)
        return Exposure(name, "control", found.control, unit)


def unit_of(query: Query, caller: Caller) -> str:
    """A digest of the session that a request belongs to: the one that it names, else the caller's conversation as it
    began, up to the first message of the user.
    """
    digest = blake2b(caller.id.encode(), digest_size=8)
    if query.session is not None:
        digest.update(b"\0session\0" + query.session.encode())
        return digest.hexdigest()
    for message in query.messages:
        digest.update(f"\0{message.role}\0{message.text}".encode("utf-8", "surrogatepass"))
        if message.role == "user":
            break
    return digest.hexdigest()


def fraction(experiment: str, unit: str) -> float:
    """A number in 0..1 for a session, evenly spread and independent from one experiment to another."""
    digest = blake2b(f"{experiment}\0{unit}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
