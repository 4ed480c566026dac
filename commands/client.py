"""Asking a running server, with nothing but the standard library: the command line starts fast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener, getproxies, proxy_bypass

from commands.running import Server


class ServerError(Exception):
    """The server did not answer, or answered with an error; the message is for the user."""


def get(server: Server, path: str) -> dict[str, Any]:
    """The JSON at `path`. Raises ServerError."""
    with _open(server, Request(server.url + path)) as response:  # noqa: S310  the user's own address
        found: dict[str, Any] = json.load(response)
        return found


def post(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The JSON that `path` answers to `body`. Raises ServerError."""
    request = Request(  # noqa: S310  the user's own address
        server.url + path, json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with _open(server, request) as response:
        found: dict[str, Any] = json.load(response)
        return found


def chat(server: Server, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The chunks of a streamed chat completion, as they come. Raises ServerError, also in the middle."""
    data = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}}).encode()
    request = Request(  # noqa: S310  the user's own address
        server.url + "/v1/chat/completions", data, headers={"Content-Type": "application/json"}
    )
    with _open(server, request) as response:
        try:
            yield from _events(response)
        except (HTTPException, OSError) as error:
            raise ServerError(f"the connection to {server.url} broke off: {error}") from None


def _events(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if not line.startswith(b"data:"):
            continue
        text = line[5:].strip()
        if text == b"[DONE]":
            return
        event = json.loads(text)
        if error := event.get("error"):
            raise ServerError(error.get("message", "the stream failed"))
        yield event
    raise ServerError("the stream ended too early")


def _open(server: Server, request: Request) -> Any:
    request.add_header("Authorization", f"Bearer {server.key}")
    try:
        return build_opener(ProxyHandler(_proxies(request))).open(request)
    except HTTPError as error:
        raise ServerError(_message(error)) from None
    except (OSError, HTTPException) as error:
        raise ServerError(f"{server.url} does not answer ({getattr(error, 'reason', error)})") from None


def _proxies(request: Request) -> dict[str, str]:
    """The system's proxies, but none for this machine."""
    host = request.host.rpartition(":")[0] or request.host
    local = host in ("localhost", "[::1]") or host.startswith("127.")
    return {} if local or proxy_bypass(host) else getproxies()


def _message(error: HTTPError) -> str:
    try:
        said = json.load(error)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = error.reason
    hint = " (set MIXTURE_API_KEY)" if error.code == 401 else ""
    return f"{error.code}: {said}{hint}"
