"""The list of models, in a form that OpenAI's and Anthropic's clients both read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mixture.api.embeddings import MODELS as EMBEDDING_MODELS
from mixture.config import Config
from mixture.description import expert_facts
from mixture.errors import UnknownModel
from mixture.models import Models, Target
from mixture.scope import visible
from mixture.strategies import STRATEGIES
from mixture.types import LOCAL, Ability, Caller, Expert

_ALWAYS = (
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "stream",
)
_PARAMETERS: Mapping[Ability, tuple[str, ...]] = {
    "tools": ("tools", "tool_choice", "parallel_tool_calls"),
    "json": ("response_format", "structured_outputs"),
    "n": ("n",),
    "stop": ("stop",),
    "seed": ("seed",),
    "logprobs": ("logprobs", "top_logprobs"),
}


class ModelList:
    """Every model that clients may name. `created` is in seconds since the epoch: when the server started."""

    def __init__(self, config: Config, models: Models, created: int, *, embeds: bool) -> None:
        self._created = created
        self._entries = {name: self._entry(name, target, config) for name, target in models.names.items()}
        if embeds:
            for name in EMBEDDING_MODELS[:1]:
                self._entries.setdefault(name, self._embedding(name))

    def page(self, caller: Caller = LOCAL) -> dict[str, Any]:
        """What `caller` may use: OpenAI's `data`, and what tells Anthropic's clients that it is the last page."""
        names = [name for name in self._entries if visible(name, caller.models)]
        return {
            "object": "list",
            "data": [self._shown(name, caller) for name in names],
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }

    def one(self, name: str, caller: Caller = LOCAL) -> dict[str, Any]:
        """One entry, under the name that was asked for. Raises UnknownModel."""
        known = name.removeprefix("mixture/")
        if known in EMBEDDING_MODELS:
            known = EMBEDDING_MODELS[0]
        if known not in self._entries or not visible(known, caller.models):
            raise UnknownModel(f"the model {name[:128]!r} does not exist; GET /v1/models lists all", param="model")
        return {**self._shown(known, caller), "id": name}

    def _shown(self, name: str, caller: Caller) -> dict[str, Any]:
        """An entry without the experts that `caller` may not use."""
        entry = self._entries[name]
        if caller.models is None or entry["kind"] in ("alias", "embedding"):
            return entry
        return {**entry, "experts": [expert for expert in entry["experts"] if expert in caller.models]}

    def _entry(self, name: str, target: Target, config: Config) -> dict[str, Any]:
        experts = list(target.experts.values())
        # A query goes to those experts of a strategy that can do what it needs: one that can is enough.
        abilities: frozenset[Ability] = frozenset().union(*(expert.card.abilities for expert in experts))
        window = [e.card.context_window for e in experts if e.card.context_window is not None]
        facts = expert_facts(experts[0].card) if target.kind == "expert" else {}
        return {
            **self._base(name, facts.get("provider", "mixture")),
            "kind": "strategy" if name == "auto" else target.kind,
            "strategy": target.executed if target.kind != "expert" else None,
            "experts": [expert.card.name for expert in experts],
            "description": _description(name, target, experts, config),
            "abilities": sorted(abilities),
            "supported_parameters": supported_parameters(abilities),
            "context_length": max(window, default=None),
            "max_input_tokens": max(window, default=None),
            "price_usd_per_million_tokens": facts.get("price_usd_per_million_tokens"),
            "price_warning": facts.get("price_warning"),
            "location": facts.get("location"),
        }

    def _embedding(self, name: str) -> dict[str, Any]:
        return {
            **self._base(name, "mixture"),
            "kind": "embedding",
            "description": "Sentence vectors, for POST /v1/embeddings",
            "abilities": ["embeddings"],
            "supported_parameters": ["dimensions", "encoding_format"],
            "location": "embedded",
        }

    def _base(self, name: str, owner: str) -> dict[str, Any]:
        started = datetime.fromtimestamp(self._created, UTC)
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": owner,
            "type": "model",
            "display_name": name,
            "created_at": started.isoformat().replace("+00:00", "Z"),
            "lifecycle": "active",
        }


def supported_parameters(abilities: frozenset[Ability]) -> list[str]:
    """The request's fields that something with these abilities understands; clients hide models that list none."""
    return [*_ALWAYS, *(name for ability, names in _PARAMETERS.items() if ability in abilities for name in names)]


def _description(name: str, target: Target, experts: list[Expert], config: Config) -> str:
    if target.kind == "expert":
        return experts[0].card.description
    alias = config.aliases.get(name)
    if alias is not None and alias.description:
        return alias.description
    if target.executed not in STRATEGIES:
        return f"another name for {experts[0].card.name}"
    return (STRATEGIES[target.executed].__doc__ or "").strip().partition("\n")[0]
