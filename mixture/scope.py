"""What a key may use: model names, and the experts behind them.

A name of the key's list may be sent as `model`. The experts that may then be asked are those in the list and, for an
alias in the list, those that its configuration names: who may use an alias may use what it stands for, by that name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mixture.config import Config
from mixture.errors import Forbidden, InvalidQuery, UnknownModel
from mixture.models import Target, Wishes
from mixture.types import Ability


def bare(name: str) -> str:
    """A model's name without the prefix that it may be sent with."""
    return name.removeprefix("mixture/")


def visible(name: str, models: Collection[str] | None) -> bool:
    """Whether a key with these models (None: all) may know of a name."""
    return models is None or name in models or bare(name) in models


def within_scope(
    target: Target, asked: tuple[str, str], wishes: Wishes, models: Collection[str], config: Config
) -> Target:
    """`target` with the experts that a key with these models may use. Raises UnknownModel when the name is not one of
    them, so that nobody learns what there is beside; InvalidQuery for a wished expert; Forbidden when none is left.

    `asked` is the name that was sent and, in an experiment, the arm that it became (else the same): who may use an
    experiment may use its arms.
    """
    model, arm = asked
    if not visible(model, models):
        raise UnknownModel(
            f"the model {model[:128]!r} does not exist, or is not for this key; GET /v1/models lists those that are",
            param="model",
        )
    granted = {*models, bare(arm), *_named_by_alias(arm, config)}
    for name in wishes.experts or ():
        if name not in granted:
            known = ", ".join(sorted(granted & set(target.experts))) or "none"
            raise InvalidQuery(f"unknown expert {name[:128]!r}; known: {known}", param="mixture.experts")
    if target.experts.keys() <= granted:
        return target
    experts = {name: expert for name, expert in target.experts.items() if name in granted}
    if not experts:
        raise Forbidden(f"this key may use none of the experts that {model[:128]!r} asks", param="model", code="scope")
    every: frozenset[Ability] = frozenset.intersection(*(e.card.abilities for e in experts.values()))
    return replace(target, experts=experts, abilities=every)


def _named_by_alias(model: str, config: Config) -> set[str]:
    """The experts that the configuration of an alias names."""
    alias = config.aliases.get(model) or config.aliases.get(bare(model))
    if alias is None:
        return set()
    roles = (alias.expert, alias.judge, alias.aggregator_model)
    return {*(alias.experts or ()), *(alias.proposer_models or ()), *(name for name in roles if name)}
