"""Streamed answers, measured from a client: time to the first token, and chunks a second."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.processes import Running

DONE = b"data: [DONE]"
_TEXT = re.compile(rb'"content":\s?"[^"]')


@dataclass(slots=True)
class Streams:
    """What was measured over many streams: milliseconds to each one's first token, chunks, seconds for all."""

    ttft_ms: list[float] = field(default_factory=list)
    chunks: int = 0
    broken: int = 0
    seconds: float = 0.0

    @property
    def ttft_p50_ms(self) -> float:
        """The median time to the first token."""
        return float(np.median(self.ttft_ms))

    @property
    def chunks_per_s(self) -> float:
        """Chunks with text, of all streams together."""
        return self.chunks / self.seconds


class Client:
    """One connection that asks for one stream after the other. It reads bytes and parses no JSON, so that the client
    takes as little as may be of a machine that it shares with what it measures.
    """

    def __init__(self, server: Running, model: str, measured: Streams, more: Mapping[str, Any] | None = None) -> None:
        address = urlsplit(server.url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Count."}], **(more or {})}
        data = json.dumps(body).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {server.key}\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self._request = head.encode() + data
        self._measured = measured

    async def ask(self, times: int) -> None:
        """`times` streams, one after the other."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            for _ in range(times):
                writer.write(self._request)
                if not await self._read(reader):
                    self._measured.broken += 1
                    break
        finally:
            writer.close()  # also when it is cancelled: a client that leaves

    async def _read(self, reader: asyncio.StreamReader) -> bool:
        """Read one stream to its end. False when it broke off."""
        started, first, rest = time.perf_counter(), 0.0, b""
        while data := await reader.read(65536):
            if not first and _TEXT.search(rest + data):
                first = time.perf_counter()
                self._measured.ttft_ms.append((first - started) * 1e3)
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            self._measured.chunks += sum(_TEXT.search(line) is not None for line in lines)
            if rest.startswith(DONE) or any(line.startswith(DONE) for line in lines):
                return await _drained(reader, data)
        return False


async def _drained(reader: asyncio.StreamReader, last: bytes) -> bool:
    """Read the end of the chunked body, so that the connection can be used again."""
    while not last.endswith(b"0\r\n\r\n"):
        more = await reader.read(65536)
        if not more:
            return False
        last += more
    return True


async def measure(
    server: Running, model: str, clients: int, times: int, more: Mapping[str, Any] | None = None
) -> Streams:
    """`clients` connections at once, each asking for `times` streams, with `more` fields in the request."""
    measured = Streams()
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(Client(server, model, measured, more).ask(times))
    measured.seconds = time.perf_counter() - started
    return measured
