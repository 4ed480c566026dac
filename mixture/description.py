"""What a mixture is, as plain data: for `describe()`, `/v1/mixture/strategies`, `/v1/models` and the terminal."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from mixture.config import AliasConfig, Config, StrategyOptions
from mixture.pricing import price_warning
from mixture.strategies import STRATEGIES
from mixture.types import Expert, ExpertCard, Panel, Price
from mixture.wrappers import load, state

if TYPE_CHECKING:
    from mixture.models import Models


def describe(config: Config, models: Models, panel: Panel, names: Collection[str] | None = None) -> dict[str, Any]:
    """Experts, strategies and aliases, with what each is and whom it may ask; with `names` only those."""

    def shown(name: str) -> bool:
        return names is None or name in names

    return {
        "default": config.strategy,
        "experts": {name: {**expert_facts(e.card), **_state(e)} for name, e in panel.experts.items() if shown(name)},
        "strategies": {
            name: {
                "description": _first_line(make.__doc__),
                "options": _options(config.strategies.get(name)),
                "experts": sorted(filter(shown, models.names[name].experts)),
            }
            for name, make in STRATEGIES.items()
            if shown(name)
        },
        "aliases": {name: _alias(alias) for name, alias in config.aliases.items() if shown(name)},
    }


def expert_facts(card: ExpertCard) -> dict[str, Any]:
    """A card as plain data."""
    return {
        "provider": card.provider,
        "model": card.model,
        "description": card.description,
        "skills": list(card.skills),
        "abilities": sorted(card.abilities),
        "context_window": card.context_window,
        "location": card.location,
        "price_usd_per_million_tokens": price_facts(card.price),
        "price_warning": price_warning(card),
    }


def _state(expert: Expert) -> dict[str, Any]:
    """Of its breaker; and of its engine, where it has one that reported lately or that has to be started."""
    now = load(expert)
    engine = now.engine
    told = {"running": engine.running, "waiting": engine.waiting, "kv_use": engine.kv_use} if engine else None
    if told is not None and engine is not None:
        told |= {"prefix_queries": engine.prefix_queries, "prefix_hits": engine.prefix_hits}
    cold = {"starts_in_s": round(now.warmup.left_s, 1)} if now.warmup is not None else {}
    return {"state": state(expert), **({"engine": told} if told is not None else {}), **cold}


def price_facts(price: Price | None) -> dict[str, float | bool] | None:
    """A price as plain data; None stays None, since unknown is not nothing. One that was worked out is marked."""
    if price is None:
        return None
    pairs = {
        "input": price.input,
        "output": price.output,
        "cached_input": price.cached_input,
        "cache_write": price.cache_write,
    }
    known: dict[str, float | bool] = {kind: value for kind, value in pairs.items() if value is not None}
    return {**known, "derived": True} if price.derived else known


def _alias(alias: AliasConfig) -> dict[str, Any]:
    return {"description": alias.description, **_options(alias)}


def _options(options: StrategyOptions | None) -> dict[str, Any]:
    return options.model_dump(mode="json", exclude_none=True, exclude={"description"}) if options else {}


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]
