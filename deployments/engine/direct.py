"""Answers of an engine over connections of their own, which spare the first token two hops of Serve's.

Serve tells gateways where each replica listens (`record_replica_metadata`). A gateway chooses one as Serve would, sends
it the query, and reads batches; a connection carries one answer at a time and is kept for the next. Serve hears of each
answer too, by a call that lasts as long (`HostedEngine.attend`), so that requests count for autoscaling and a replica
is not stopped under them; but a moment later, so that the first token does not wait for it. Where there is no way to a
replica, or none has room, Serve carries the answer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from deployments.engine.wire import Wire, connected
from deployments.expert import Batch
from mixture.streams import stopped
from mixture.types import Query

logger = logging.getLogger("mixture.engine")

WITHIN = 0.5
"""Seconds for a connection to be made."""
AVOIDED = 60.0
"""Seconds for which an address is not tried again after that."""
UNTOLD = 1.0
"""Seconds after which Serve hears of an answer that has not ended. Shorter ones are many, and each would be one more
call; the autoscaler sees them in the engine's own load, and a replica that is stopped lets them end by itself."""
INTRODUCED = 5.0
"""Seconds that who connects has to show that it is one of us."""

OPEN: Counter[str] = Counter()
"""Answers of this process that are under way, by replica."""


@dataclass(frozen=True, slots=True)
class Place:
    """A replica, and where it listens."""

    replica: str
    host: str
    port: int
    secret: bytes

    @classmethod
    def of(cls, replica: str, metadata: Mapping[str, Any]) -> Place:
        """From what `Listener.address` said."""
        return cls(replica, metadata["host"], metadata["port"], bytes.fromhex(metadata["secret"]))


@dataclass(frozen=True, slots=True)
class Attendance:
    """What Serve is told of an answer: its number, and the replica that gives it."""

    number: str
    replica: str


class Chooser(Protocol):
    """What knows the replicas of a deployment: `deployments.engine.affinity.PrefixRouter`."""

    def pick(self, arguments: tuple[Any, ...]) -> Place | None:
        """Where a query goes; None leaves it to Serve."""
        ...


CHOOSERS: dict[str, Chooser] = {}
"""This process's, by deployment."""


class Listener:
    """The replica's side: `answer` gives the batches of a query, for its adapter."""

    def __init__(self, answer: Callable[[Query, str | None], AsyncGenerator[Batch, None]]) -> None:
        self._answer = answer
        self._secret = secrets.token_bytes(32)
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.address: dict[str, Any] = {}
        """Where it listens, and what one has to know, as JSON can tell it."""

    async def open(self, host: str) -> None:
        """Listen at `host`, on any port. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._wire, host, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = {"host": host, "port": port, "secret": self._secret.hex()}

    async def close(self) -> None:
        """Listen no longer, and return when every answer has ended."""
        if self._server is not None:
            self._server.close()
        while self._under_way:  # over a connection that is there a gateway may ask until Serve has told it
            await asyncio.wait(list(self._under_way.values()))

    async def attended(self, number: str) -> None:
        """Return when the answer of this number has ended; at once when there is none."""
        if (ended := self._under_way.get(number)) is not None:
            await asyncio.shield(ended)

    def _wire(self) -> Wire:
        wire = Wire(self._secret, listens=True)
        task = asyncio.get_running_loop().create_task(self._served(wire))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return wire

    async def _served(self, wire: Wire) -> None:
        """Answer one query after the other until the gateway leaves, which ends the answer that is under way."""
        try:
            async with asyncio.timeout(INTRODUCED):
                await wire.ready
            while True:
                number, query, adapter = await wire.receive()
                answering = asyncio.ensure_future(self._answered(wire, number, query, adapter))
                await asyncio.wait([answering, wire.lost], return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    await stopped(answering)
                    return
                await answering
        except ConnectionResetError:
            logger.debug("a gateway has left")
        except TimeoutError:
            logger.warning("somebody connected and did not say who")
        finally:
            wire.close()

    async def _answered(self, wire: Wire, number: str, query: Query, adapter: str | None) -> None:
        self._under_way[number] = ended = asyncio.get_running_loop().create_future()
        try:
            async with aclosing(self._answer(query, adapter)) as batches:
                async for batch in batches:
                    await wire.send(batch)
            await wire.send(None)
        finally:
            del self._under_way[number]
            ended.set_result(None)


class Lines:
    """The gateway's connections to the replicas of one engine."""

    def __init__(self) -> None:
        self._idle: dict[Place, list[Wire]] = {}
        self._avoided: dict[Place, float] = {}

    def usable(self, place: Place) -> bool:
        """Whether there was a way to it when it was last tried."""
        return time.monotonic() >= self._avoided.get(place, 0.0)

    async def take(self, place: Place) -> Wire:
        """A connection on which nothing is under way. Raises OSError."""
        idle = self._idle.get(place, [])
        while idle:
            wire = idle.pop()
            if not wire.lost.done():
                return wire
        try:
            wire = await connected(place.host, place.port, place.secret, WITHIN)
        except OSError:
            self._avoided = {known: until for known, until in self._avoided.items() if not self.usable(known)}
            self._avoided[place] = time.monotonic() + AVOIDED
            raise
        wire.lost.add_done_callback(lambda _: self._forget(place, wire))
        return wire

    def give(self, place: Place, wire: Wire) -> None:
        """Keep a connection whose answer has come to its end."""
        if not wire.lost.done():
            self._idle.setdefault(place, []).append(wire)

    def _forget(self, place: Place, wire: Wire) -> None:
        if wire in (idle := self._idle.get(place, [])):
            idle.remove(wire)
        if not idle:
            self._idle.pop(place, None)

    def close(self) -> None:
        """End those that are idle."""
        for wires in self._idle.values():
            for wire in wires:
                wire.close()
        self._idle = {}


class Direct:
    """An answer over such a connection, as Serve's response generators are: to be read, and to be cancelled.

    `tell` lets Serve know of it. Where the replica can't be asked, `carried` is: an answer that Serve carries.
    """

    def __init__(
        self,
        lines: Lines,
        place: Place,
        asked: tuple[Query, str | None],
        tell: Callable[[Attendance], None],
        carried: Callable[[], Any],
    ) -> None:
        self._lines = lines
        self._place = place
        self._asked = asked
        self._tell = tell
        self._carried = carried
        self._number = secrets.token_hex(8)
        self._wire: Wire | None = None
        self._instead: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        OPEN[place.replica] += 1

    def __aiter__(self) -> Direct:
        return self

    async def __anext__(self) -> Batch:
        """The next batch. Raises ConnectionResetError when the replica ends in the middle."""
        if self._ended:
            raise StopAsyncIteration
        wire = self._wire or await self._begun()
        if wire is None:
            return await anext(self._instead)
        batch: Batch | None = await wire.receive()
        if batch is None:
            self._wire = None
            self._lines.give(self._place, wire)
            self._end()
            raise StopAsyncIteration
        return batch

    def cancel(self) -> None:
        """Have no more of it computed."""
        if self._wire is not None:
            self._wire.close()
        if self._instead is not None:
            self._instead.cancel()
        self._end()

    async def _begun(self) -> Wire | None:
        """Ask. None where Serve carries the answer."""
        if self._instead is not None:
            return None
        try:
            self._wire = wire = await self._lines.take(self._place)
        except OSError as error:
            logger.warning("no connection to replica %s, Serve carries its answers: %s", self._place.replica, error)
            self._instead = self._carried()
            return None
        wire.put((self._number, *self._asked))
        self._timer = asyncio.get_running_loop().call_later(
            UNTOLD, self._tell, Attendance(self._number, self._place.replica)
        )
        return wire

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        OPEN[self._place.replica] -= 1
        if not OPEN[self._place.replica]:
            del OPEN[self._place.replica]
        if self._timer is not None:
            self._timer.cancel()


async def until_told(call: Any) -> None:
    """Wait for Serve's call of an answer; what becomes of it changes nothing for the answer."""
    with suppress(Exception):
        await call
