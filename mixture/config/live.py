"""What can be changed while a server runs: prices, routes, strategies, limits. Everything else takes new replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mixture.config.expert import Name, PriceConfig
from mixture.config.loading import ConfigError, checked, expand, fault_lines
from mixture.config.schema import AliasConfig, Config, LimitsConfig, StrategyName, StrategyOptions
from mixture.config.section import Section


class LiveExpert(Section):
    """Of one expert, what is known of it; a field left out stays as it was configured at the start."""

    price: PriceConfig | None = None
    """Overrides the price."""
    description: str | None = None
    """For people and for routers."""
    skills: tuple[str, ...] | None = None
    """Domains and topics that the router may send there."""


class LiveConfig(Section):
    """What a running gateway is told anew, as `user_config` of the deployment `gateway`. A field that is set takes the
    place of the whole field of the same name under `args`; one left out stays as it is there.
    """

    experts: dict[Name, LiveExpert] | None = None
    """Prices, descriptions and skills, by expert."""
    strategy: StrategyName | None = None
    """See the whole configuration; so with the next five."""
    strategies: dict[str, StrategyOptions] | None = None
    """Defaults for each strategy."""
    specialist_map: dict[str, Name] | None = None
    """Kind of task -> expert."""
    fallback_order: tuple[Name, ...] | None = None
    """The order of a cascade."""
    limits: LimitsConfig | None = None
    """What every request may cost and how long it may take."""
    aliases: dict[Name, AliasConfig] | None = None
    """Model names of the user's own."""


WHOLE = tuple(name for name in LiveConfig.model_fields if name != "experts")
"""Fields that stand in both configurations."""


def parse_live(data: Mapping[str, Any] | None, environ: Mapping[str, str]) -> LiveConfig:
    """A `user_config` from a plain mapping. Raises ConfigError with a line for each fault."""
    expanded = expand(dict(data or {}), environ)
    try:
        return LiveConfig.model_validate(expanded)
    except ValidationError as error:
        lines = fault_lines(error)
        raise ConfigError("\n".join(lines), param=lines[0].partition(":")[0]) from None


def overlaid(config: Config, live: LiveConfig) -> Config:
    """`config` with what `live` sets. Raises ConfigError with a line for each fault, names that do not exist among
    them.
    """
    changes = live.experts or {}
    known = [expert.name for expert in config.experts]
    if unknown := sorted(set(changes) - set(known)):
        lines = [f"experts.{name}: unknown expert; known: {', '.join(known)}" for name in unknown]
        raise ConfigError("\n".join(lines), param=f"experts.{unknown[0]}")
    data = config.model_dump(exclude_unset=True, exclude={"experts"})
    data |= {name: value for name in WHOLE if (value := getattr(live, name)) is not None}
    data["experts"] = [
        expert.model_copy(update=_set(changes[expert.name])) if expert.name in changes else expert
        for expert in config.experts
    ]
    return checked(data)


def _set(change: LiveExpert) -> dict[str, Any]:
    return {name: value for name in LiveExpert.model_fields if (value := getattr(change, name)) is not None}
