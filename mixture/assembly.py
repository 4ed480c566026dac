"""From a configuration to a panel: experts made, wrapped and named, with the parts that decide."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mixture.aggregation import make_aggregator, make_scorer
from mixture.caching import AnswerCache
from mixture.caching.keys import epoch_of
from mixture.caching.redis import RedisCache
from mixture.caching.semantic import Encode, SemanticCache
from mixture.config import Config, ConfigError, ExpertConfig, SemanticConfig
from mixture.ledger import Book, LedgerHost, Recorder, folder_of
from mixture.planning import LLMDecomposer, RuleDecomposer
from mixture.providers import Context, create
from mixture.retrieval.grounded import grounded
from mixture.retrieval.host import DocumentHost
from mixture.retrieval.relevant import Relevant
from mixture.routing import make_router
from mixture.routing.fallback import FallbackRouter
from mixture.routing.sessions import StickyRouter
from mixture.routing.signals import reading_of
from mixture.routing.static import Floats, packaged
from mixture.tokenizing import tokenizer
from mixture.types import Aggregator, Decomposer, Embedder, Expert, Panel, Retriever, Router
from mixture.wrappers import wrap

WARMING = "Why is the sky blue?"
"""Any question: reading it loads the encoder and the classifier of domains."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Parts that run elsewhere (another process, an actor) and are called through a twin; None means: here."""

    experts: Mapping[str, Expert] | None = None
    router: Router | None = None
    decomposer: Decomposer | None = None
    aggregator: Aggregator | None = None
    retriever: Retriever | None = None
    embedder: Embedder | None = None
    ledger: LedgerHost | None = None
    documents: DocumentHost | None = None


def documents(config: Config, environ: Mapping[str, str] | None = None) -> DocumentHost:
    """The documents' index in this process; nothing is opened, and no library loaded, before it is used."""
    from mixture.retrieval.library import library  # with numpy

    return library(config.documents, os.environ if environ is None else environ)


def assemble(
    config: Config, *, hosts: Hosts | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Config, Panel]:
    """The configuration with what discovery added, and the panel that it describes. Raises ConfigError."""
    hosts = hosts or Hosts()
    environ = os.environ if environ is None else environ
    config = discovered(config, environ)
    experts = make_experts(config, environ, hosts)
    panel = Panel(
        experts=experts,
        router=_router(config, experts, hosts),
        decomposer=_decomposer(config, experts, hosts),
        aggregator=hosts.aggregator or make_aggregator(hosts.embedder, config.aggregator),
        scorer=make_scorer(config.scorer),
        retriever=Relevant(lambda: _retriever(config, hosts), config.documents.min_score),
        embedder=hosts.embedder,
    )
    return config, panel


def recording(
    config: Config, *, hosts: Hosts | None = None, environ: Mapping[str, str] | None = None
) -> Recorder | None:
    """Who enters calls into the ledger; None when there is none, as in a library that was told of no database."""
    environ = os.environ if environ is None else environ
    host = hosts.ledger if hosts is not None else None
    if config.ledger.url == "off" or (host is None and config.ledger.url is None):
        return None
    return Recorder(host or Book(config.ledger.url), folder_of(config.ledger, environ), config.ledger)


def _retriever(config: Config, hosts: Hosts) -> Retriever:
    """What searches the documents, here or hosted."""
    if hosts.retriever is not None:
        return hosts.retriever
    from mixture.retrieval.quotes import quotes  # with numpy, and torch and LanceDB behind it

    return quotes(config.documents, os.environ)


def _router(config: Config, experts: Mapping[str, Expert], hosts: Hosts) -> Router:
    """The router, here or hosted. One that is hosted has a limited time, and the keyword router stands behind it. An
    expert that routes is asked from here, so that its calls are metered with the request's, and conversations are kept
    with their experts here, where their next request may come.
    """
    wanted = config.router
    router = make_router(wanted) if hosts.router is None else FallbackRouter(hosts.router, wanted.timeout_ms / 1e3)
    if wanted.expert is not None:
        from mixture.routing.llm import LLMRouter  # with numpy, which keyword routing does without

        router = LLMRouter(experts[wanted.expert], router, wanted.expert_timeout)
    return StickyRouter(router, wanted.sessions) if wanted.sessions else router


def _decomposer(config: Config, experts: Mapping[str, Expert], hosts: Hosts) -> Decomposer:
    """The rules, here or hosted. An expert that writes plans is asked from here in either case, so that its calls are
    metered with the request's; the rules stand behind it.
    """
    wanted = config.decomposer
    rules = hosts.decomposer or RuleDecomposer(wanted.max_subtasks)
    return LLMDecomposer(experts[wanted.expert], rules, wanted.max_subtasks) if wanted.expert else rules


def discovered(config: Config, environ: Mapping[str, str]) -> Config:
    """`config` with the experts that were found on this machine, where it asks for them."""
    if not config.discovers:
        return config
    from mixture.discovery import discover  # it probes ports; only those who ask for it pay for it

    taken = {expert.name for expert in config.experts}
    found = tuple(expert for expert in discover(environ) if expert.name not in taken)
    data = config.model_dump(exclude_unset=True)
    data["experts"] = [*config.experts, *found]
    data["discover"] = False
    return Config.model_validate(data)


def make_experts(config: Config, environ: Mapping[str, str], hosts: Hosts) -> dict[str, Expert]:
    """Every configured expert by its name, wrapped; a persona after the expert that it is."""
    made: dict[str, Expert] = {}
    context = Context(environ, made, hosts.retriever, config.documents)
    remote = hosts.experts or {}
    for expert in in_order(config.experts):
        protected = wrap(remote.get(expert.name) or create(expert, context), config.resilience(expert))
        made[expert.name] = grounded(protected, config.documents.share)
    return {expert.name: made[expert.name] for expert in config.experts}


def in_order(experts: Sequence[ExpertConfig]) -> list[ExpertConfig]:
    """The experts so that each persona comes after its base. Raises ConfigError when a base does not exist."""
    waiting, done, ordered = list(experts), set[str](), list[ExpertConfig]()
    while waiting:
        ready = [e for e in waiting if e.expert is None or e.expert in done]
        if not ready:
            lost = waiting[0]
            raise ConfigError(f"experts.{lost.name}.expert: unknown expert {lost.expert!r}")
        ordered += ready
        done |= {e.name for e in ready}
        waiting = [e for e in waiting if e.name not in done]
    return ordered


def make_cache(config: Config, panel: Panel, version: str) -> AnswerCache:
    """The cache of answers."""
    made = AnswerCache(config.cache, epoch(config, panel, version))
    if config.cache.semantic.mode != "off":
        encode = _encoder(config.cache.semantic, panel)
        made.semantic = SemanticCache(config.cache.semantic, made.store, encode, domain_of)
    if "://" in config.cache.shared:
        made.share(RedisCache(config.cache.shared, config.cache.ttl))
    return made


def epoch(config: Config, panel: Panel, version: str) -> bytes:
    """A digest of all that answers. What does not change an answer is not in it."""
    data = config.model_dump(mode="json", exclude={"server", "cache", "feedback", "limits", "ledger", "batches"})
    return epoch_of(data, (expert.card for expert in panel.experts.values()), version)


def domain_of(text: str) -> str:
    """The domain in which an answer to `text` is judged."""
    return reading_of(text).domain or "other"


def _encoder(config: SemanticConfig, panel: Panel) -> Encode:
    if config.encoder == "minilm":
        from mixture.embedding import MiniLM  # torch stands behind it

        embedder = panel.embedder or MiniLM()

        async def minilm(text: str) -> Sequence[float]:
            return (await embedder.embed([text]))[0]

        return minilm

    async def static(text: str) -> Floats:
        return packaged().encode(text)

    return static


async def warm(panel: Panel) -> None:
    """Let every expert start what its first answer would wait for, and load what requests are read with."""
    warmers: list[Any] = [warm for e in panel.experts.values() if (warm := getattr(e, "warm", None)) is not None]
    await asyncio.gather(
        asyncio.to_thread(reading_of, WARMING), asyncio.to_thread(tokenizer, None), *(warm() for warm in warmers)
    )


async def close(panel: Panel) -> None:
    """Let every expert and the aggregator close what they hold."""
    holders = [*panel.experts.values(), panel.aggregator]
    closers: list[Any] = [close for one in holders if (close := getattr(one, "close", None)) is not None]
    await asyncio.gather(*(close() for close in closers))
