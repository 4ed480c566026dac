"""Experts under new cards, while requests are being answered.

Nothing that is in use is changed. A new panel is made of shallow copies of the wrappers, which share breakers, limits,
averages and connections with the old ones; requests that have begun go on with the panel that they began with, and so
with its prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from mixture.assembly import in_order
from mixture.config import Config, ExpertConfig
from mixture.dispatch.asking import Asking
from mixture.providers.vllm.cost import derived
from mixture.routing.sessions import StickyRouter
from mixture.types import Expert, ExpertCard, Panel, Price
from mixture.wrappers import Wrapper, load

STEP = 0.05
"""By how much a derived price has to have changed to be taken on."""


def renewed(panel: Panel, config: Config, cards: Mapping[str, ExpertCard]) -> Panel:
    """`panel` with its experts as `config` describes them now. `cards` are those with which they were made."""
    experts: dict[str, Expert] = {}
    for expert in in_order(config.experts):
        experts[expert.name] = _renewed(panel.experts[expert.name], expert, cards, experts)
    return replace(
        panel,
        experts={name: experts[name] for name in panel.experts},
        router=_asking(panel.router, experts),
        decomposer=_asking(panel.decomposer, experts),
    )


def repriced(panel: Panel, config: Config, cards: Mapping[str, ExpertCard]) -> dict[str, ExpertCard]:
    """The cards of those engines whose price, by what they have computed lately, is another than it is taken to be, by
    a twentieth at least.
    """
    found: dict[str, ExpertCard] = {}
    for expert in config.experts:
        if expert.provider != "vllm" or expert.price is not None or expert.engine is None:
            continue
        engine = load(panel.experts[expert.name]).engine
        price = derived(expert.engine, engine.tokens_per_s) if engine and engine.tokens_per_s else None
        known = cards[expert.name].price
        if price is not None and (known is None or abs(price.output / known.output - 1) >= STEP):
            found[expert.name] = replace(cards[expert.name], price=price)
    return found


def _renewed(
    expert: Expert, config: ExpertConfig, cards: Mapping[str, ExpertCard], experts: Mapping[str, Expert]
) -> Expert:
    base = None if config.expert is None else experts[config.expert].card
    card = _card(cards[config.name], config, base)
    if not hasattr(expert, "base"):
        return _recarded(expert, card)
    persona: Any = copy(expert)
    persona.card, persona.base = card, experts[config.expert or ""]
    found: Expert = persona
    return found


def _card(made: ExpertCard, config: ExpertConfig, base: ExpertCard | None) -> ExpertCard:
    """`made` with what is configured now. A persona or an adapter without a price of its own has that of its base, a
    persona its skills and description, too.
    """
    price = made.price
    if config.price is not None:
        price = Price(**config.price.model_dump())
    elif base is not None:
        price = base.price
    described, skills = config.description, config.skills
    if base is not None and config.provider == "persona":
        described, skills = described or base.description, base.skills if skills is None else skills
    return replace(
        made,
        price=price,
        description=made.description if described is None else described,
        skills=made.skills if skills is None else skills,
    )


def _recarded(expert: Expert, card: ExpertCard) -> Expert:
    """The wrappers of `expert` anew, with what they know, and what they wrap as it is."""
    if not isinstance(expert, Wrapper) or expert.card == card:
        return expert
    made = copy(expert)
    made.card, made.inner = card, _recarded(expert.inner, card)
    return made


def _asking(part: Any, experts: Mapping[str, Expert]) -> Any:
    """A router or decomposer that asks an expert, with the new one."""
    if isinstance(part, StickyRouter):
        return part.around(_asking(part.inner, experts))
    if isinstance(part, Asking) and part.asks in experts:
        return part.asking(experts[part.asks])
    return part
