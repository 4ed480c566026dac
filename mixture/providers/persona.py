"""An expert that is another expert with its own system prompt, sampling and skills."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from mixture.config import ConfigError, ExpertConfig, SamplingConfig
from mixture.providers import Context, card
from mixture.streams import chunks
from mixture.types import Chunk, Expert, ExpertCard, Message, Query, Sampling, TextPart


class Persona:
    """`base` in a role. `base` is wrapped already: retries, limits and the breaker are those of the one upstream that
    all its personas share.
    """

    def __init__(self, card: ExpertCard, base: Expert, system_prompt: str, sampling: SamplingConfig) -> None:
        self.card = card
        self.base = base
        self._prompt = system_prompt
        self._sampling = sampling.model_dump(exclude_none=True)

    def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `base` in this role; raises what `base` raises."""
        messages = prompted(query.messages, self._prompt)
        role = replace(
            query, messages=messages, sampling=self._sampled(query.sampling), persona=query.persona or self.card
        )
        return chunks(self.base, role)

    def _sampled(self, wish: Sampling) -> Sampling:
        unset = {name: value for name, value in self._sampling.items() if getattr(wish, name) is None}
        return replace(wish, **unset) if unset else wish


def prompted(messages: tuple[Message, ...], prompt: str) -> tuple[Message, ...]:
    """`messages` under the system prompt `prompt`. A system message that begins them follows it in the same message,
    since many models read only one.
    """
    if not prompt:
        return messages
    if not messages or messages[0].role != "system":
        return (Message("system", prompt), *messages)
    first = messages[0]
    content = f"{prompt}\n\n{first.content}" if isinstance(first.content, str) else (TextPart(prompt), *first.content)
    return (replace(first, content=content), *messages[1:])


def make(config: ExpertConfig, context: Context) -> Persona:
    """The persona that `config` describes, over an expert that exists already. Raises ConfigError."""
    base = context.experts.get(config.expert or "")
    if base is None:
        where = f"experts.{config.name}.expert"
        raise ConfigError(f"{where}: unknown expert {config.expert!r}", param=where)
    sampling = config.sampling or SamplingConfig()
    if sampling.seed is not None and "seed" not in base.card.abilities:
        where = f"experts.{config.name}.sampling.seed"
        raise ConfigError(f"{where}: {config.expert!r} takes no seed; remove it", param=where)
    return Persona(_card(config, base.card), base, config.system_prompt or "", sampling)


def _card(config: ExpertConfig, base: ExpertCard) -> ExpertCard:
    own = card(config, abilities=base.abilities, location=base.location)
    return replace(
        own,
        provider=base.provider,
        location=base.location,  # a role takes what it reads where the expert is that plays it
        model=base.model,
        description=own.description or base.description,
        skills=base.skills if config.skills is None else own.skills,
        price=own.price or base.price,
        context_window=own.context_window or base.context_window,
    )
