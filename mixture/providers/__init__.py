"""Providers: one file each, imported when first used.

A provider is a factory `make(config, context) -> Expert`. A new one is a file and a line in `PROVIDERS`. Beside
`card` and `stream`, an expert may have `async def close(self) -> None`, which lets go of clients and subprocesses;
after it the expert can be used again, also from another event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TypeVar

from pydantic import ValidationError

from mixture.config import ConfigError, DocumentsConfig, ExpertConfig, Section
from mixture.tokenizing import known
from mixture.types import Ability, Expert, ExpertCard, Location, Price, Retriever

S = TypeVar("S", bound=Section)

PROVIDERS: Mapping[str, str] = {
    "openai": "mixture.providers.openai:make",
    "anthropic": "mixture.providers.anthropic:make",
    "vllm": "mixture.providers.vllm:make",
    "lora": "mixture.providers.lora:make",
    "symbolic": "mixture.providers.symbolic:make",
    "extractive": "mixture.providers.extractive:make",
    "recorded": "mixture.providers.recorded:make",
    "persona": "mixture.providers.persona:make",
    "scripted": "mixture.providers.scripted:make",
}


@dataclass(frozen=True, slots=True)
class Context:
    """What a provider may draw on when it makes an expert."""

    environ: Mapping[str, str] = field(default_factory=dict)
    experts: Mapping[str, Expert] = field(default_factory=dict)
    """The experts made so far: a persona finds its base here."""
    retriever: Retriever | None = None
    """What the extractive expert quotes from; None means an index in this process."""
    documents: DocumentsConfig = field(default_factory=DocumentsConfig)


def create(config: ExpertConfig, context: Context) -> Expert:
    """The expert that `config` describes, without the wrappers. Raises ConfigError, naming the field."""
    from mixture.catalogue import presets, resolve  # the catalogue file is read when an expert is made, not at import

    config = resolve(config, context.environ)
    path = PROVIDERS.get(config.provider)
    if path is None:
        known = ", ".join(sorted({*PROVIDERS, *presets()}))
        raise ConfigError(f"experts.{config.name}.provider: unknown provider {config.provider!r}; known: {known}")
    module, _, factory = path.partition(":")
    expert: Expert = getattr(import_module(module), factory)(config, context)
    return expert


def card(
    config: ExpertConfig, *, abilities: frozenset[Ability] = frozenset(), location: Location = "external"
) -> ExpertCard:
    """The card that `config` describes; `abilities` and `location` are the provider's own, for what it leaves open."""
    return ExpertCard(
        name=config.name,
        provider=config.provider,
        model=config.model or config.name,
        description=config.description or "",
        skills=config.skills or (),
        price=Price(**config.price.model_dump()) if config.price else None,
        context_window=config.context_window,
        abilities=abilities if config.abilities is None else frozenset(config.abilities),
        location=config.location or location,
        examples=config.examples,
        tokenizer=_tokenizer(config),
    )


def _tokenizer(config: ExpertConfig) -> str | None:
    if config.tokenizer is not None and not known(config.tokenizer):
        where = f"experts.{config.name}.tokenizer"
        raise ConfigError(f"{where}: `words`, `characters` or a tokenizer.json that exists is expected", param=where)
    return config.tokenizer


def checked(config: ExpertConfig, options: type[S]) -> S:
    """The expert's `options`, as its provider understands them. Raises ConfigError, naming the field."""
    try:
        return options.model_validate(config.options)
    except ValidationError as error:
        faults = [
            (".".join(["experts", config.name, "options", *map(str, fault["loc"])]), fault["msg"])
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigError("\n".join(f"{where}: {what}" for where, what in faults), param=faults[0][0]) from None
