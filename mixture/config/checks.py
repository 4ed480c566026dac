"""What one field can't say alone: names that must exist, names taken twice, personas in a circle."""

from __future__ import annotations

from mixture.config.expert import ResilienceOverride
from mixture.config.schema import STRATEGY_NAMES, AliasConfig, Config, StrategyOptions

MOST_SPLIT = 0.95
"""The largest share of the sessions that a candidate may get in a split."""


def faults_of(config: Config) -> list[str]:
    """A line for each fault of a configuration whose fields are each valid."""
    names = [expert.name for expert in config.experts]
    faults = [f"experts: two experts are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    reserved = {"auto", "mixture", *STRATEGY_NAMES}
    faults += [f"experts: the name {name!r} is taken by a strategy" for name in names if name in reserved]
    faults += [
        f"strategies: unknown strategy {name!r}; known: {', '.join(STRATEGY_NAMES)}"
        for name in config.strategies
        if name not in STRATEGY_NAMES
    ]
    faults += [f"aliases: the name {name!r} is taken" for name in config.aliases if name in reserved or name in names]
    if not config.discovers:
        known = set(names)
        faults += [
            f"{where}: unknown expert {name!r}; known: {', '.join(sorted(known))}"
            for where, name in _mentions(config)
            if name not in known
        ]
    faults += _unprotected(config)
    faults += _unbased(config)
    faults += _circles(config)
    faults += _experiments(config)
    return faults


def _experiments(config: Config) -> list[str]:
    """Experiments between models that are not there, without a place for what comes of them, or that take options."""
    faults: list[str] = []
    experiments = {name: alias for name, alias in config.aliases.items() if alias.experiment is not None}
    known = {"auto", *STRATEGY_NAMES, *(expert.name for expert in config.experts), *config.aliases} - set(experiments)
    for name, alias in experiments.items():
        where, found = f"aliases.{name}.experiment", alias.experiment
        assert found is not None  # noqa: S101  it was chosen for it
        for field, model in (("control", found.control), ("candidate", found.candidate)):
            if model in experiments:
                faults.append(f"{where}.{field}: {model!r} is an experiment itself")
            elif model not in known and not config.discovers:
                faults.append(f"{where}.{field}: unknown model {model!r}; known: {', '.join(sorted(known))}")
        if found.control == found.candidate:
            faults.append(f"{where}: control and candidate are the same model")
        if found.mode == "split" and found.share > MOST_SPLIT:
            faults.append(f"{where}.share: at most {MOST_SPLIT} in a split, so that there is something to compare with")
        if config.feedback.folder is None:
            faults.append(f"{where}: set `feedback.folder`, where what comes of it is kept")
        options = [field for field in StrategyOptions.model_fields if getattr(alias, field) is not None]
        faults += [f"aliases.{name}.{field}: set it on the models that are compared" for field in options]
    return faults


def _unprotected(config: Config) -> list[str]:
    """Protection that is set on a persona, where it would do nothing."""
    return [
        f"experts.{expert.name}.{field}: a persona is protected as the expert that it is: set it on {expert.expert!r}"
        for expert in config.experts
        if expert.provider == "persona"
        for field in ResilienceOverride.model_fields
        if getattr(expert, field) is not None
    ]


def _unbased(config: Config) -> list[str]:
    """Adapters of what is no engine here."""
    providers = {expert.name: expert.provider for expert in config.experts}
    return [
        f"experts.{expert.name}.expert: {expert.expert!r} is no `provider: vllm` expert, and only those take adapters"
        for expert in config.experts
        if expert.provider == "lora" and expert.expert in providers and providers[expert.expert] != "vllm"
    ]


def _mentions(config: Config) -> list[tuple[str, str]]:
    """Every place where an expert is named: (field, name)."""
    found = [(f"experts.{e.name}.expert", e.expert) for e in config.experts if e.expert]
    found += [(f"specialist_map.{kind}", name) for kind, name in config.specialist_map.items()]
    found += [
        (f"router.{role}", name) for role in ("weak", "strong", "expert") if (name := getattr(config.router, role))
    ]
    found += [("decomposer.expert", config.decomposer.expert)] if config.decomposer.expert else []
    found += [("fallback_order", name) for name in config.fallback_order]
    named: list[tuple[str, StrategyOptions]] = [(f"strategies.{k}", o) for k, o in config.strategies.items()]
    named += [(f"aliases.{k}", o) for k, o in config.aliases.items()]
    for where, options in named:
        found += [(f"{where}.experts", name) for name in options.experts or ()]
        found += [(f"{where}.proposer_models", name) for name in options.proposer_models or ()]
        single = {"aggregator_model": options.aggregator_model, "judge": options.judge}
        found += [(f"{where}.{field}", name) for field, name in single.items() if name]
        found += [(f"{where}.fallback_order", name) for name in options.fallback_order or ()]
        found += [(f"{where}.specialist_map.{kind}", name) for kind, name in (options.specialist_map or {}).items()]
        found += [(f"{where}.weights", name) for name in options.weights or () if options.weights != "learned"]
        if isinstance(options, AliasConfig) and options.expert:
            found.append((f"{where}.expert", options.expert))
    return found


def _circles(config: Config) -> list[str]:
    base = {e.name: e.expert for e in config.experts if e.expert}
    faults = []
    for start in base:
        seen, name = {start}, base[start]
        while name in base and name not in seen:
            seen.add(name)
            name = base[name]
        if name == start:
            faults.append(f"experts.{start}.expert: the persona reaches itself")
    return faults
