"""What a client may send as `model`, and what it stands for: experts, strategies, aliases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import ValidationError

from mixture.caching import CacheWish
from mixture.caching.keys import target_of
from mixture.config import (
    STRATEGY_NAMES,
    AggregationName,
    AliasConfig,
    Config,
    OnPartial,
    RetrievalOptions,
    StrategyOptions,
)
from mixture.dispatch.bounds import bounded
from mixture.errors import InvalidQuery, UnknownModel
from mixture.strategies import create, direct
from mixture.types import Ability, Expert, Panel, Query, Strategy

Kind = Literal["expert", "strategy", "alias"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one request asks for beside its model. None means: as configured."""

    strategy: str | None = None
    experts: tuple[str, ...] | None = None
    voting_threshold: float | None = None
    n: int | None = None
    max_latency_ms: float | None = None
    max_cost_usd: float | None = None
    quality: float | None = None
    on_partial: OnPartial | None = None
    aggregation_strategy: AggregationName | None = None
    layers: int | None = None
    enhance: bool | None = None
    expose_proposals: bool = False
    cache: CacheWish | None = None
    retrieval: RetrievalOptions | None = None

    @property
    def options(self) -> StrategyOptions:
        """The strategy options that this request sets. Raises InvalidQuery, naming the field."""
        try:
            return StrategyOptions(**{name: getattr(self, name) for name in _OPTIONS})
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(("mixture", *map(str, fault["loc"])))
            raise InvalidQuery(f"{where}: {fault['msg']}", param=where) from None

    @property
    def reshape(self) -> bool:
        """Whether the model's own strategy can't be used as it stands."""
        return self.strategy is not None or any(getattr(self, name) is not None for name in _OPTIONS)


_OPTIONS = ("experts", "voting_threshold", "n", "on_partial", "aggregation_strategy", "layers", "enhance")
"""The wishes that are options of a strategy, by the same names."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a model name stands for, ready to be run."""

    kind: Kind
    executed: str
    strategy: Strategy
    experts: Mapping[str, Expert]
    """The experts that it may ask."""
    abilities: frozenset[Ability]
    """What every one of them can do: a query that needs no more can be run with all."""
    options: StrategyOptions
    """What it is run with, the server's own limits included."""
    inner: Callable[[str, StrategyOptions], StrategyOptions]
    """What a strategy that `auto` chooses, by its name, is run with, and over it what `auto` tells it."""
    digest: bytes = b""
    """Of what it stands for: answers of one target are none of another."""


NO_WISHES = Wishes()
NO_OPTIONS = StrategyOptions()


class Models:
    """Every model name of a server."""

    def __init__(self, config: Config, experts: Mapping[str, Expert]) -> None:
        self._config = config
        self._experts = experts
        self._targets: dict[str, Target] = {}
        for name in experts:
            self._targets[name] = self._expert(name, "expert")
        for name in STRATEGY_NAMES:
            self._targets[name] = self._strategy(name, StrategyOptions(), "strategy")
        self._targets["auto"] = self._targets[config.strategy]
        for name, alias in sorted(config.aliases.items(), key=lambda item: item[1].experiment is not None):
            self._targets[name] = self._alias(alias)

    @property
    def names(self) -> Mapping[str, Target]:
        """Every name, with what it stands for."""
        return self._targets

    def resolve(self, model: str, wishes: Wishes = NO_WISHES) -> Target:
        """What `model` means with these wishes.

        Raises UnknownModel, or InvalidQuery when the wishes can't be had of it.
        """
        name = model if model in self._targets else model.removeprefix("mixture/")
        target = self._targets.get(name)
        if target is None:
            raise UnknownModel(self._unknown(model), param="model")
        if wishes.quality is not None and target.executed == "expert":
            raise InvalidQuery(
                f"the model {name!r} is one expert: there is none to choose for a quality; ask `auto` or a strategy",
                param="mixture.quality",
            )
        return self._reshaped(name, target, wishes) if wishes.reshape else target

    def able(self, target: Target, query: Query) -> Mapping[str, Expert]:
        """The experts of `target` that can do what `query` needs. Raises InvalidQuery when none can."""
        needs = query.needs
        if needs <= target.abilities:
            return target.experts
        able = {name: e for name, e in target.experts.items() if needs <= e.card.abilities}
        if not able:
            raise self._unable(target, needs)
        return able

    def panel(self, target: Target, query: Query, panel: Panel) -> Panel:
        """`panel` with only the experts that may and can answer `query`."""
        experts = self.able(target, query)
        return panel if experts is panel.experts else replace(panel, experts=experts)

    def _unable(self, target: Target, needs: frozenset[Ability]) -> InvalidQuery:
        missing = sorted(n for n in needs if not any(n in e.card.abilities for e in target.experts.values()))
        lacking = missing or sorted(needs)
        elsewhere = sorted(name for name, e in self._experts.items() if needs <= e.card.abilities)
        hint = f"models that can: {', '.join(elsewhere)}" if elsewhere else "no configured expert can"
        one = len(target.experts) == 1
        asked = next(iter(target.experts)) if one else "no single expert of this model"
        verb = "does not support" if one else "supports"
        words = ", ".join("images" if need == "vision" else _FIELDS[need] for need in lacking)
        message = f"{asked} {verb} {words} ({hint})"
        return InvalidQuery(message, param=_FIELDS[lacking[0]], code="unsupported_parameter")

    def _reshaped(self, name: str, target: Target, wishes: Wishes) -> Target:
        if wishes.strategy is not None and wishes.strategy not in STRATEGY_NAMES:
            known = ", ".join(STRATEGY_NAMES)
            raise InvalidQuery(f"unknown strategy {wishes.strategy!r}; known: {known}", param="mixture.strategy")
        alias = self._config.aliases.get(name)
        if target.kind == "expert" or (alias is not None and alias.expert is not None):
            raise InvalidQuery(
                f"the model {name!r} is one expert: wishes about strategies need a strategy, an alias of one, or "
                "`auto` as the model",
                param="mixture",
            )
        own = alias or StrategyOptions()
        if wishes.experts is not None and not wishes.experts:
            raise InvalidQuery("name at least one expert, or leave the field out", param="mixture.experts")
        unknown = sorted(set(wishes.experts or ()) - set(self._experts))
        if unknown:
            known = ", ".join(self._experts)
            raise InvalidQuery(f"unknown expert {unknown[0]!r}; known: {known}", param="mixture.experts")
        asked = self._config.strategy if wishes.strategy == "auto" else wishes.strategy
        return self._strategy(asked or target.executed, merged(own, wishes.options), target.kind)

    def _alias(self, alias: AliasConfig) -> Target:
        if alias.experiment is not None:  # who it is answered by is chosen request by request, before it is resolved
            return replace(self._targets[alias.experiment.control], kind="alias")
        if alias.expert is not None:
            return self._expert(alias.expert, "alias", alias)
        return self._strategy(alias.strategy or self._config.strategy, alias, "alias")

    def _expert(self, name: str, kind: Kind, own: StrategyOptions = NO_OPTIONS) -> Target:
        expert, options = self._experts[name], merged(self._limits(), own)
        strategy = bounded(direct(name), options)
        inner, digest = self._inner(own), target_of("expert", (name,), _set(options))
        return Target(kind, "expert", strategy, {name: expert}, expert.card.abilities, options, inner, digest)

    def _limits(self) -> StrategyOptions:
        return StrategyOptions(**self._config.limits.model_dump(exclude_none=True))

    def _strategy(self, name: str, own: StrategyOptions, kind: Kind) -> Target:
        options = self._options(name, own)
        chosen = self._experts if options.experts is None else {n: self._experts[n] for n in options.experts}
        abilities = frozenset.intersection(*(e.card.abilities for e in chosen.values())) if chosen else frozenset()
        inner = self._inner(own)
        strategy = create(name, options, lambda chosen, over: create(chosen, inner(chosen, over)))
        digest = target_of(name, chosen, [_set(options), _set(own)])  # `auto` hands `own` on to what it chooses
        return Target(kind, name, strategy, chosen, abilities, options, inner, digest)

    def _options(self, name: str, own: StrategyOptions) -> StrategyOptions:
        """What the strategy `name` is told: the server's defaults, over them its own, over them `own`."""
        base = self._config.strategies.get(name, StrategyOptions())
        server = StrategyOptions(
            specialist_map=self._config.specialist_map or None,
            fallback_order=self._config.fallback_order or None,
            usd_per_answer=self._config.router.usd_per_answer or None,
        )
        return merged(merged(merged(self._limits(), server), base), own)

    def _inner(self, own: StrategyOptions) -> Callable[[str, StrategyOptions], StrategyOptions]:
        """See `Target.inner`: each strategy as it is configured, then `auto`, `own`, and what it is told."""
        auto = merged(self._config.strategies.get("auto", StrategyOptions()), own)
        return lambda name, over: self._options(name, merged(auto, over))

    def _unknown(self, model: str) -> str:
        shown = model[:128]
        near = get_close_matches(shown, self._targets, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"the model {shown!r} does not exist; {hint}GET /v1/models lists all"


_FIELDS: Mapping[str, str] = {
    "tools": "tools",
    "vision": "messages",
    "json": "response_format",
    "n": "n",
    "stop": "stop",
    "seed": "seed",
    "logprobs": "logprobs",
}


def merged(base: StrategyOptions, over: StrategyOptions) -> StrategyOptions:
    """`base` with every field that `over` sets."""
    fields = {**_set(base), **_set(over)}
    return StrategyOptions(**fields)


def _set(options: StrategyOptions) -> dict[str, Any]:
    return {name: value for name in StrategyOptions.model_fields if (value := getattr(options, name)) is not None}
