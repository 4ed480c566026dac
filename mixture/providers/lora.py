"""An adapter (LoRA) as an expert of its own, computed by the engine that holds the weights which it adapts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from mixture.config import ConfigError, ExpertConfig
from mixture.errors import ExpertUnavailable
from mixture.providers import Context, card
from mixture.types import Chunk, ExpertCard, Query


class UnhostedAdapter:
    """The adapter where its engine does not run. It only says so."""

    def __init__(self, card: ExpertCard) -> None:
        self.card = card

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """Raises ExpertUnavailable."""
        why = "engines run under Ray Serve: start a server with `mixture serve`"
        raise ExpertUnavailable(f"{self.card.name}: {why}", code="engine_not_running", expert=self.card.name)
        yield  # the protocol asks for a generator


def make(config: ExpertConfig, context: Context) -> UnhostedAdapter:
    """The card of the adapter that `config` describes, over an expert that exists already. Raises ConfigError."""
    base = context.experts.get(config.expert or "")
    if base is None:
        where = f"experts.{config.name}.expert"
        raise ConfigError(f"{where}: unknown expert {config.expert!r}", param=where)
    own = card(config, abilities=base.card.abilities, location=base.card.location)
    return UnhostedAdapter(
        replace(
            own,
            location=base.card.location,
            model=f"{base.card.model}+{(config.model or '').rstrip('/').rpartition('/')[2]}",
            price=own.price or base.card.price,
            context_window=own.context_window or base.card.context_window,
        )
    )
