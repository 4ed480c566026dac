"""The gateway's application under uvicorn, in this process, over scripted experts: what `server` is without Ray."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

from deployments.http.app import create_app
from mixture import Mixture
from mixture.aggregation import make_aggregator, make_scorer
from mixture.config import Config, parse
from mixture.feedback import Desk, FeedbackHost
from mixture.ledger import Recorder
from mixture.planning import RuleDecomposer
from mixture.providers.scripted import Counts, Scripted
from mixture.retrieval.grounded import grounded
from mixture.routing import make_router
from mixture.types import Expert, Panel
from mixture.wrappers import wrap

KEY, OTHER_KEY = "mx-test-key", "mx-other-key"


@dataclass
class Server:
    """A running server: where it is, its key, and what its experts were asked."""

    url: str
    key: str = KEY
    experts: dict[str, Scripted] = field(default_factory=dict)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/ws/chat"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def counts(self, expert: str) -> Counts:
        """How far the calls of `expert` came."""
        return self.experts[expert].counts

    async def reached(self, expert: str, **counts: int) -> None:
        """Wait until `expert` has at least these counts."""
        async with asyncio.timeout(20):
            await self.experts[expert].reached(**counts)


class Vectors:
    """An embedder that needs no weights: a text's length, and zeros."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text)), *([0.0] * 383)] for text in texts]


def mixture_of(experts: Sequence[Expert], config: Config, ledger: Recorder | None = None) -> Mixture:
    """The experts behind their wrappers, and the parts that decide."""
    panel = Panel(
        {expert.card.name: grounded(wrap(expert, config.defaults), config.documents.share) for expert in experts},
        make_router(config.router),
        RuleDecomposer(),
        make_aggregator(None),
        make_scorer(),
    )
    return Mixture(config, panel, ledger)


def config_of(experts: Sequence[Scripted], **fields: object) -> Config:
    """A configuration that names the experts."""
    named = [{"name": expert.card.name, "provider": "scripted"} for expert in experts]
    documents = {"encoder": "static", "uri": str(Path(os.environ.get("MIXTURE_HOME", gettempdir())) / uuid4().hex)}
    base = {"experts": named, "server": {"log": "off"}, "defaults": {"num_retries": 0}, "documents": documents}
    return parse({**base, **fields}, {})


def app_of(experts: Sequence[Scripted], config: Config | None = None, desk: FeedbackHost | None = None) -> FastAPI:
    """The application over these experts, with a feedback desk of its own unless it shares one."""
    config = config or config_of(experts)
    if desk is None and config.feedback.folder:
        desk = Desk(config.feedback, config.router)
    return create_app(mixture_of(experts, config), Vectors(), config.server, [KEY, OTHER_KEY], feedback=desk)


@asynccontextmanager
async def serving(experts: Sequence[Scripted], config: Config | None = None) -> AsyncGenerator[Server, None]:
    """The application over these experts on a free port, until the end."""
    async with listening(app_of(experts, config)) as url:
        yield Server(url, experts={expert.card.name: expert for expert in experts})


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncGenerator[str, None]:
    """`app` on a free port, until the end: its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    web = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=5))
    task = asyncio.create_task(web.serve([listener]))
    while not web.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        web.should_exit = True
        await task
