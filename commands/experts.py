"""The experts of a configuration as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from mixture.catalogue import resolve
from mixture.config import Config, ExpertConfig, PriceConfig

EMBEDDED = ("symbolic", "extractive")
UNPAID = ("scripted", "recorded")
"""Nobody sends a bill for what these say: that their price is not known is no news. Their cost stays unknown."""
MOST = 8
"""Experts that one line names."""


def experts_table(config: Config, whys: Mapping[str, str], environ: Mapping[str, str]) -> Table:
    """Expert, provider, model, price and why it is there. Raises ConfigError when an expert can't be resolved."""
    table = Table(
        "Expert", "Provider", "Model", "Price", "Why it is there", box=None, pad_edge=False, header_style="bold"
    )
    by_name = {expert.name: expert for expert in config.experts}
    for expert in config.experts:
        base = _base(expert, by_name)
        whole = resolve(base, environ)
        model = "" if base.provider in EMBEDDED else whole.model or base.name
        row = (expert.name, expert.provider, model, price_text(whole, base), whys.get(expert.name, ""))
        table.add_row(*map(escape, row))
    return table


def _base(expert: ExpertConfig, by_name: Mapping[str, ExpertConfig]) -> ExpertConfig:
    while expert.provider == "persona" and expert.expert is not None and expert.expert in by_name:
        expert = by_name[expert.expert]
    return expert


def price_warnings(config: Config, environ: Mapping[str, str]) -> list[str]:
    """A line for each thing that is wrong with prices, with the experts that it concerns. Raises ConfigError."""
    from mixture.pricing import price_warning
    from mixture.providers import card

    by_name = {expert.name: expert for expert in config.experts}
    found: dict[str, list[str]] = {}
    for expert in config.experts:
        base = _base(expert, by_name)
        if expert.price is None and (_told_elsewhere(base) or expert is not base):
            continue
        warning = price_warning(card(resolve(base if expert.price is None else expert, environ)))
        if warning:
            found.setdefault(warning, []).append(expert.name)
    return [f"{_listed(names)}: {warning}" for warning, names in found.items()]


def _told_elsewhere(expert: ExpertConfig) -> bool:
    """Whether a price that is left out is no news: nothing is paid, or it follows from what GPUs cost, or from the
    expert that this one builds on.
    """
    worked_out = expert.engine is not None and expert.engine.usd_per_gpu_hour is not None
    return worked_out or expert.provider in (*EMBEDDED, *UNPAID, "lora")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def price_text(whole: ExpertConfig, expert: ExpertConfig) -> str:
    """`input / output` in US dollars per million tokens; free and unknown are told apart."""
    if expert.provider in EMBEDDED:
        return "free"
    if whole.price is None:
        return "unknown"
    return _price(whole.price)


def _price(price: PriceConfig) -> str:
    return "free" if not (price.input or price.output) else f"${price.input:g} / ${price.output:g} per M"


def what_to_add(config: Config) -> str | None:
    """What the user can add, when nothing but the embedded experts is there; else None."""
    if any(expert.provider not in EMBEDDED for expert in config.experts):
        return None
    return (
        "[yellow]No language model was found.[/] Until one is, only arithmetic, algebra and units, and questions\n"
        "about the documents are answered. Add one of these and start again:\n"
        "  a key in the environment or in .env:  [bold]OPENAI_API_KEY=...[/]  or  [bold]ANTHROPIC_API_KEY=...[/]\n"
        "  a local server:  [bold]ollama serve[/]  (then  ollama pull llama3.2),  vLLM, llama.cpp or LM Studio\n"
        "  an expert in [bold]serve_config.yaml[/] with a base_url of your own"
    )
