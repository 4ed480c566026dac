"""Objects over a connection between two processes of a cluster that know the same secret.

Before anything is unpickled each side shows the other that it knows the secret, without sending it: whoever else
listens on a port, or connects to one, is told nothing and believed nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import pickle
import secrets
import struct
from collections import deque
from typing import Any, cast

_LENGTH = struct.Struct(">I")
_NONCE, _PROOF = 16, 32
_HELD = 64
"""Objects that wait for their reader before the other side is held up."""


class Wire(asyncio.Protocol):
    """One end of a connection. The end that listens speaks first: its nonce; the other answers with a nonce of its own
    and its proof; then the first gives its proof, and from then on pickled objects go both ways, each after its length.
    """

    def __init__(self, secret: bytes, *, listens: bool) -> None:
        self._secret = secret
        self._listens = listens
        self._own = secrets.token_bytes(_NONCE)
        self._theirs = b""
        self._proven = False
        self._data = bytearray()
        self._inbox: deque[Any] = deque()
        self._came = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the other end has shown that it knows the secret; fails when it ends before."""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        if self._listens:
            self._write(self._own)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("the connection ended before it was agreed on"))
            self.ready.exception()  # nobody may be waiting for it
        if not self.lost.done():
            self.lost.set_result(None)
        self._came.set()
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._data += data
        if not self._proven and not self._agreed():
            return
        while (thing := self._whole()) is not None:
            self._inbox.append(pickle.loads(thing))  # noqa: S301
            self._came.set()
        if len(self._inbox) > _HELD and self._transport is not None:
            self._transport.pause_reading()

    def _whole(self) -> bytes | None:
        """The next object's bytes, once all are there."""
        if len(self._data) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._data)
        if len(self._data) < _LENGTH.size + length:
            return None
        self._taken(_LENGTH.size)
        return self._taken(length)

    def _agreed(self) -> bool:
        """Go on with the introduction; whether it is over."""
        if not self._listens and not self._theirs and len(self._data) >= _NONCE:
            self._theirs = self._taken(_NONCE)
            self._write(self._own + self._proof(b"asks", self._theirs, self._own))
        elif self._listens and not self._theirs and len(self._data) >= _NONCE + _PROOF:
            self._theirs = self._taken(_NONCE)
            if self._checked(b"asks", self._own, self._theirs):
                self._write(self._proof(b"answers", self._theirs, self._own))
        if not self._listens and self._theirs and not self._proven and len(self._data) >= _PROOF:
            self._checked(b"answers", self._own, self._theirs)
        return self._proven

    def _checked(self, role: bytes, first: bytes, second: bytes) -> bool:
        """Whether the other end's proof is right; the connection ends where it is not."""
        self._proven = hmac.compare_digest(self._taken(_PROOF), self._proof(role, first, second))
        if self._proven:
            self.ready.set_result(None)
        else:
            self.close()
        return self._proven

    def _proof(self, role: bytes, first: bytes, second: bytes) -> bytes:
        return hmac.digest(self._secret, role + first + second, hashlib.sha256)

    def _taken(self, many: int) -> bytes:
        taken = bytes(self._data[:many])
        del self._data[:many]
        return taken

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._writable.set()

    def put(self, thing: Any) -> None:
        """Send something; nothing happens when the connection has ended."""
        data = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
        self._write(_LENGTH.pack(len(data)) + data)

    async def send(self, thing: Any) -> None:
        """Send something, and wait while the other end does not keep up. Raises ConnectionResetError."""
        self.put(thing)
        await self._writable.wait()
        if self.lost.done():
            raise ConnectionResetError("the connection has ended")

    async def receive(self) -> Any:
        """What the other end sent next. Raises ConnectionResetError when there will be nothing more."""
        while not self._inbox:
            if self.lost.done():
                raise ConnectionResetError("the connection has ended")
            self._came.clear()
            await self._came.wait()
        thing = self._inbox.popleft()
        if not self._inbox and self._transport is not None:
            self._transport.resume_reading()
        return thing

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


async def connected(host: str, port: int, secret: bytes, within: float) -> Wire:
    """A connection that both sides agreed on. Raises OSError when there is none after `within` seconds."""
    wire = Wire(secret, listens=False)
    try:
        async with asyncio.timeout(within):
            await asyncio.get_running_loop().create_connection(lambda: wire, host, port)
            await wire.ready
    except TimeoutError:
        wire.close()
        raise ConnectionResetError(f"nobody answers on port {port} of {host}") from None
    except BaseException:
        wire.close()
        raise
    return wire
