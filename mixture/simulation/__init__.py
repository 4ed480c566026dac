"""A stand-in for a model server: OpenAI's chat endpoint, following a script, for load tests and for tests.

    with StandIn(text="hello there", rate=50) as upstream:
        client = OpenAI(base_url=upstream.base_url, api_key="none")
        ...
        assert upstream.stats.completion_tokens == 2

Tokens are words here, in the answers and in the counts.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

import uvloop

from mixture.providers.scripted import Script
from mixture.simulation.connection import Connection
from mixture.simulation.service import Service, Stats

__all__ = ["Service", "StandIn", "Stats", "listen"]


async def listen(service: Service, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """A server that answers with `service`; port 0 means any free one. Raises OSError when the port is taken."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(service.serve, service.opened), host, port)


class StandIn:
    """The stand-in in a thread of its own, from `start` to `stop`; `options` are those of `Script`."""

    def __init__(
        self, *, models: tuple[str, ...] = ("stand-in",), api_key: str | None = None, port: int = 0, **options: Any
    ) -> None:
        self.port = port
        self._service = Service(Script(**options), models, api_key)
        self._loop = uvloop.new_event_loop()
        self._started = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="stand-in", daemon=True)

    @property
    def stats(self) -> Stats:
        """What was seen and sent so far."""
        return self._service.stats

    @property
    def base_url(self) -> str:
        """What a client takes as `base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Drop every connection and free the port."""
        if self._stopped is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        try:
            server = await listen(self._service, port=self.port)
            self.port = server.sockets[0].getsockname()[1]
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        await self._stopped.wait()
        server.close()
        self._service.drop()
        await server.wait_closed()
