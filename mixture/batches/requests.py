"""The lines of a batch's file: one request each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

ENDPOINTS = ("/v1/chat/completions", "/v1/embeddings")
"""What a batch may ask."""
MOST_FAULTS = 20
"""Faults of a file that are listed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the client's own name for it, and the body."""

    custom_id: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line (counted from 1; None means the file)."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


def check(path: Path, endpoint: str, most: int) -> tuple[int, list[Fault]]:
    """How many requests a file holds, and what is wrong with it. Reads it line by line."""
    count, faults, seen = 0, list[Fault](), set[str]()
    for number, line in _lines(path):
        count += 1
        if count > most:
            return count, [*faults, Fault("too_many_requests", f"a batch may have {most} requests at most")]
        found = read(line, number, endpoint)
        if isinstance(found, Request):
            if found.custom_id in seen:
                found = Fault("duplicate_custom_id", f"{found.custom_id!r} stands there twice", number, "custom_id")
            else:
                seen.add(found.custom_id)
        if isinstance(found, Fault) and len(faults) < MOST_FAULTS:
            faults.append(found)
    return count, faults if count else [Fault("empty_file", "the file has no requests")]


def requests(path: Path, endpoint: str) -> Iterator[Request]:
    """The requests of a file that was checked."""
    for number, line in _lines(path):
        found = read(line, number, endpoint)
        if isinstance(found, Request):
            yield found


def read(line: bytes, number: int, endpoint: str) -> Request | Fault:
    """One line."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Fault("invalid_json_line", f"not valid JSON: {error.msg}", number)
    if not isinstance(data, dict):
        return Fault("invalid_json_line", "a JSON object is expected", number)
    custom_id, body = data.get("custom_id"), data.get("body")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= 512:
        return Fault("invalid_custom_id", "a text of 1 to 512 characters is expected", number, "custom_id")
    if data.get("method") != "POST":
        return Fault("invalid_method", "`method` should be POST", number, "method")
    if data.get("url") != endpoint:
        return Fault("invalid_url", f"`url` should be the batch's endpoint, {endpoint}", number, "url")
    if not isinstance(body, dict):
        return Fault("invalid_body", "`body` should be a JSON object", number, "body")
    if body.get("stream"):
        return Fault("invalid_body", "requests of a batch can't be streamed", number, "body.stream")
    return Request(custom_id, body)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line
