"""The two ends of a connection: reading a body that may not end, and noticing that the client has left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any

from mixture.api.parsing import check_size
from mixture.errors import InvalidQuery

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SOON = 0.05
"""Seconds after which it is watched whether the client leaves: most short requests are over by then and pay nothing."""


class ClientGone(ConnectionError):  # it is no fault of anybody
    """The client has left: there is nobody to answer."""


async def read_body(receive: Receive, declared: bytes | None, limit: int) -> bytes:
    """The whole body. Raises QueryTooLarge as soon as it is known to be over `limit` bytes, or ClientGone."""
    if declared is not None:
        if not declared.isdigit():
            raise InvalidQuery("Content-Length: should be a number", param="Content-Length")
        check_size(int(declared[:20]), limit)
    message = await receive()
    body = message.get("body", b"")
    if message.get("more_body", False):
        pieces, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            check_size(size, limit)
        body = b"".join(pieces)
    if message["type"] == "http.disconnect":
        raise ClientGone
    check_size(len(body), limit)
    return bytes(body)


class Watch:
    """Inside it, a client that leaves cancels the task that works for it, which ends with ClientGone.

    uvicorn does not say that a client has left, one has to ask; Ray Serve cancels by itself, which passes through here.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = False

    def __enter__(self) -> Watch:
        self._owner = asyncio.current_task()
        self._asking: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(SOON, self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
        if self._left and kind is asyncio.CancelledError:
            if self._owner is not None:
                self._owner.uncancel()
            raise ClientGone from None

    def _begin(self) -> None:
        self._asking = asyncio.ensure_future(self._ask())

    async def _ask(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        if self._owner is not None:
            self._owner.cancel()
