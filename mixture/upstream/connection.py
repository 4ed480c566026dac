"""Connections to upstreams: one SDK client with its pool of connections for each event loop.

The official SDK is the client: it owns the address, the headers with the key, the timeouts and the aiohttp session.
The one call that is made for every request goes through that session directly, with the SDK's prepared headers: the
SDK's own way there, through httpx and pydantic, takes many times the CPU of the call itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import aiohttp
import httpx2
import orjson

from mixture.config import ConfigError, ExpertConfig
from mixture.errors import InvalidQuery, MixtureError
from mixture.upstream.failures import REFUSED, Reported, failure, garbled, unreachable

READ_TIMEOUT = 600.0
"""Seconds of silence after which an upstream is given up, where the configuration sets no `timeout`: the SDKs' own."""
CONNECT_TIMEOUT = 10.0

BROKEN = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""What a failing connection raises."""


class SDK(Protocol):
    """What is needed of an official client; OpenAI's and Anthropic's are alike in it."""

    @property
    def base_url(self) -> httpx2.URL: ...  # noqa: D102

    @property
    def auth_headers(self) -> dict[str, str]: ...  # noqa: D102

    @property
    def default_headers(self) -> Mapping[str, Any]: ...  # noqa: D102

    async def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Link:
    """A client in one event loop, ready to call."""

    sdk: SDK
    session: aiohttp.ClientSession
    url: str
    headers: Mapping[str, str]


class Connection:
    """The way to one path of an upstream. It opens when it is used, also again after `close`, in any event loop.

    `connect` makes the SDK's client on a given aiohttp session.
    """

    def __init__(
        self, config: ExpertConfig, path: str, connect: Callable[[aiohttp.ClientSession, httpx2.Timeout], SDK]
    ) -> None:
        if urlsplit(config.base_url or "").scheme not in ("http", "https"):
            where = f"experts.{config.name}.base_url"
            raise ConfigError(f"{where}: a URL that begins with http:// or https:// is expected", param=where)
        self.expert = config.name
        self.secret = config.api_key
        self._base_url = config.base_url or ""
        self._secure = urlsplit(self._base_url).scheme == "https"
        self._path = path
        self._connect = connect
        self._read = config.timeout or READ_TIMEOUT
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=self._read)
        self._links: WeakKeyDictionary[asyncio.AbstractEventLoop, Link] = WeakKeyDictionary()

    async def post(self, body: Mapping[str, Any]) -> aiohttp.ClientResponse:
        """The response to `body` as JSON; the caller closes it. Closing it early cuts the connection, which stops the
        upstream.

        Raises what `mixture.upstream.failures` says for a status other than 2xx and for a failing connection.
        """
        link = self._links.get(asyncio.get_running_loop()) or self._open()
        try:
            data = orjson.dumps(body)
        except orjson.JSONEncodeError as error:
            raise InvalidQuery(f"the request can't be sent as JSON: {error}", param="messages") from None
        try:
            response = await link.session.post(
                link.url, data=data, headers=link.headers, timeout=self._timeout, allow_redirects=False
            )
        except BROKEN as error:
            raise unreachable(error, self.expert) from None
        if response.status < 300:
            return response
        try:
            raise await self._refusal(response)
        finally:
            response.close()

    async def _refusal(self, response: aiohttp.ClientResponse) -> MixtureError:
        try:
            raw = await response.read()
        except BROKEN as error:
            return unreachable(error, self.expert)
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            body = raw[:1000].decode(errors="replace") if "text/plain" in response.content_type else ""
        if response.status < 400:
            return garbled(f"a redirect ({response.status}); check its base_url", self.expert, code=REFUSED)
        return failure(Reported.read(body, response.status, response.headers), self.expert, secret=self.secret)

    async def close(self) -> None:
        """Close this event loop's client. Those of loops that have ended are let go of."""
        for loop in [loop for loop in self._links if loop.is_closed()]:
            del self._links[loop]
        link = self._links.pop(asyncio.get_running_loop(), None)
        if link is not None:
            await link.sdk.close()

    def _open(self) -> Link:
        session = aiohttp.ClientSession(
            connector=self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy(),
        )
        sdk = self._connect(session, httpx2.Timeout(self._read, connect=CONNECT_TIMEOUT))
        given = {**sdk.default_headers, **sdk.auth_headers}
        # The SDKs mark a header that is not to be sent with an object; a key that is empty is none.
        headers = {name: text for name, text in given.items() if isinstance(text, str) and text != "Bearer "}
        link = Link(sdk, session, f"{str(sdk.base_url).rstrip('/')}/{self._path}", headers)
        self._links[asyncio.get_running_loop()] = link
        return link

    def _proxy(self) -> str | None:
        """The proxy that the environment sets for this upstream. Found once: aiohttp's `trust_env` looks it up for
        every call, in threads, which takes longer than the call.
        """
        url = urlsplit(self._base_url)
        return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)

    def _connector(self) -> aiohttp.TCPConnector:
        # How many calls may run at once is the wrappers' affair. Servers on one's own network commonly drop an idle
        # connection after 5 seconds, and a call sent at that moment is lost; opening one there costs next to nothing.
        if self._secure:
            return aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=certificates())
        return aiohttp.TCPConnector(limit=0, keepalive_timeout=4)


@cache
def certificates() -> SSLContext:
    """The trusted certificates, read once: that takes longer than many calls."""
    return httpx2.create_ssl_context()
