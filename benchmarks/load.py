"""A steady load on several addresses of one server, and what became of each request.

The clients are what stands before a cluster: when an address does not take a connection, or closes it before it has
said anything, the request goes to the next one. Whatever has begun is not asked again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PATIENCE = 20.0
"""Seconds of silence after which a request counts as hung: several times what an answer takes, and what a server takes
to notice that a part of it is gone. Comments in a stream, which say that it is still open, are silence, too."""
OUTCOMES = ("answered", "elsewhere", "broken", "refused", "cut", "malformed", "hung")
"""answered: whole. elsewhere: whole, at another address or from another expert than the first. broken: begun, and ended
with the error inside the stream. refused: an error in OpenAI's form before anything of the answer. cut: begun, and the
connection ended without a word, as when the machine it goes to dies. malformed: anything else that is neither an
answer nor an error. hung: nothing for twenty seconds."""


@dataclass(slots=True)
class Load:
    """Clients that ask one request after the other until they are told to end."""

    addresses: list[str]
    key: str
    models: Sequence[str]
    counts: Counter[str] = field(default_factory=Counter)
    gone: set[str] = field(default_factory=set)
    """Addresses of machines that were switched off, whose silence is theirs alone."""
    ended: bool = False
    said: Counter[str] = field(default_factory=Counter)
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _running: tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession] = field(init=False)

    async def run(self, clients: int) -> None:
        """Ask until `ended`."""
        limit = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE, sock_connect=2.0)
        headers = {"authorization": f"Bearer {self.key}"}
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as session,
            asyncio.TaskGroup() as group,
        ):
            self._running = asyncio.get_running_loop(), session
            for number in range(clients):
                group.create_task(self._client(session, number))

    def crowd(self, requests: int) -> Future[None]:
        """Send so many more requests at once, while `run` runs in another thread."""
        loop, session = self._running
        return asyncio.run_coroutine_threadsafe(self._crowd(session, requests), loop)

    async def _crowd(self, session: aiohttp.ClientSession, requests: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(requests):
                group.create_task(self._request(session, number))

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        while not self.ended:
            await self._request(session, number)

    async def _request(self, session: aiohttp.ClientSession, number: int) -> None:
        turn = next(self._turn)
        body = {
            "model": self.models[turn % len(self.models)],
            "stream": number % 4 != 0,
            "messages": [{"role": "user", "content": f"Count, for request {turn}."}],
        }
        # Each model is asked at each address first.
        outcome = await self.ask(session, body, turn // len(self.models))
        self.counts[outcome] += 1
        if outcome in ("refused", "malformed"):
            await asyncio.sleep(0.2)

    async def ask(self, session: aiohttp.ClientSession, body: Mapping[str, Any], turn: int = 0) -> str:
        """What becomes of one request, which is sent to the address with the number `turn` first."""
        for attempt in range(20):
            addresses = list(self.addresses)
            url = addresses[(turn + attempt) % len(addresses)]
            answer = _Answer()
            try:
                async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                    await answer.read(response)
                outcome = answer.outcome
            except TimeoutError as error:
                outcome = "nothing" if isinstance(error, aiohttp.ConnectionTimeoutError) else "hung"
                if outcome == "hung" and url in self.gone:
                    outcome = "cut" if answer.begun else "nothing"
            except aiohttp.ClientError:
                outcome = "cut" if answer.begun else "nothing"
            if outcome != "nothing":
                self.said[answer.said] += outcome in ("refused", "broken", "malformed")
                return "elsewhere" if outcome == "answered" and attempt else outcome
            await asyncio.sleep(0.1)
        return "hung"


@dataclass(slots=True)
class _Answer:
    """One answer as it comes. `begun`: something of it came. `said`: the code of the error in it."""

    begun: bool = False
    ended: bool = False
    text: bool = False
    replaced: bool = False
    said: str = ""
    status: int = 0

    async def read(self, response: aiohttp.ClientResponse) -> None:
        """Read it to its end, streamed or whole."""
        self.status = response.status
        if "event-stream" in response.headers.get("content-type", ""):
            async with asyncio.timeout(PATIENCE) as patience:
                async for line in response.content:
                    if line.startswith(b"data: "):
                        patience.reschedule(asyncio.get_running_loop().time() + PATIENCE)
                        self._line(line)
            return
        body = await response.read()
        self.begun = True
        try:
            self._fields(json.loads(body))
        except ValueError:
            self.said = f"{self.status}: {body[:80]!r}"
        self.ended = response.ok and self.text

    @property
    def outcome(self) -> str:
        """One of OUTCOMES, or "nothing" when it may be asked elsewhere."""
        if self.ended:
            return "elsewhere" if self.replaced else "answered"
        if self.said and ":" not in self.said:
            return "broken" if self.text else "refused"
        if self.status >= 500 and not self.text:
            return "nothing"  # the proxy speaks, for a gateway that is gone; official clients ask again, too
        return "cut" if self.begun and self.status == 200 else "malformed"

    def _line(self, line: bytes) -> None:
        self.begun = True
        if line.startswith(b"data: [DONE]"):
            self.ended = self.text
            return
        self._fields(json.loads(line[6:]))

    def _fields(self, fields: Mapping[str, Any]) -> None:
        if error := fields.get("error"):
            self.said = str(error.get("code") or error.get("type"))
        for choice in fields.get("choices") or ():
            message = choice.get("delta") or choice.get("message") or {}
            self.text = self.text or bool(message.get("content"))
        report = fields.get("mixture") or {}
        self.replaced = self.replaced or _replaced(report.get("adjustments") or ())


def _replaced(adjustments: Iterable[Mapping[str, Any]]) -> bool:
    return any(one.get("kind") in ("replaced", "woken") for one in adjustments)
