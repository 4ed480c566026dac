"""A model whose weights are run here, by vLLM. What stands here is the card and the checks; the engine itself is hosted
by `deployments.engine`, and only there vLLM is imported.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace

from mixture.config import ConfigError, EngineConfig, ExpertConfig
from mixture.errors import ExpertUnavailable
from mixture.providers import Context, card
from mixture.providers.vllm.arguments import faults_of
from mixture.providers.vllm.cost import derived
from mixture.providers.vllm.weights import Weights, is_path
from mixture.types import Ability, Chunk, ExpertCard, Query

__all__ = ["UnhostedEngine", "make"]

ABILITIES: frozenset[Ability] = frozenset({"json", "n", "stop", "seed", "logprobs"})


class UnhostedEngine:
    """The engine where it does not run: in the library, and where it can't be placed. It only says so."""

    def __init__(self, card: ExpertCard, why: str = "") -> None:
        self.card = card
        self._why = why or "engines run under Ray Serve: start a server with `mixture serve`"

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """Raises ExpertUnavailable."""
        raise ExpertUnavailable(f"{self.card.name}: {self._why}", code="engine_not_running", expert=self.card.name)
        yield  # the protocol asks for a generator


def make(config: ExpertConfig, context: Context) -> UnhostedEngine:
    """The card of the engine that `config` describes. Raises ConfigError for engine arguments that vLLM does not know;
    whether the weights are there is seen where the engine runs, which may be another machine.
    """
    engine = config.engine or EngineConfig()
    where = f"experts.{config.name}"
    if faults := [f"{where}.engine.{field}: {what}" for field, what in faults_of(engine)]:
        raise ConfigError("\n".join(faults), param=faults[0].partition(":")[0])
    weights = None
    with suppress(ConfigError):
        weights = Weights.read(config.model or "")
    return UnhostedEngine(_card(config, engine, weights))


def _card(config: ExpertConfig, engine: EngineConfig, weights: Weights | None) -> ExpertCard:
    abilities = set(ABILITIES)
    if engine.tool_parser is not None:
        abilities.add("tools")
    if weights is not None and weights.sees:
        abilities.add("vision")
    made = card(config, abilities=frozenset(abilities), location="local")
    window = config.context_window or engine.max_model_len or (weights.window if weights is not None else None)
    model = made.model.rstrip("/").rpartition("/")[2] if is_path(made.model) else made.model
    return replace(made, context_window=window, model=model, price=made.price or derived(engine))
