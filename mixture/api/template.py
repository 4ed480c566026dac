"""A whole answer as bytes that can be sent again: only its id, its time and its age are new each time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mixture.api.ids import new_id

_BEGINNING = 120
"""Bytes within which an answer says when it was created, if it does."""


@dataclass(frozen=True, slots=True)
class Template:
    """The pieces between what changes. `created` says whether the protocol has a time."""

    prefix: str
    after_id: bytes
    after_created: bytes
    after_age: bytes
    after_latency: bytes
    created: bool

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return len(self.after_id) + len(self.after_created) + len(self.after_age) + len(self.after_latency)

    def render(self, age_s: float, latency_ms: float) -> bytes:
        """The answer, given anew."""
        created = b"%d" % time.time() if self.created else b""
        return b"".join(
            (
                b'{"id":"',
                new_id(self.prefix).encode(),
                self.after_id,
                created,
                self.after_created,
                b"%.3f" % age_s,
                self.after_age,
                b"%.3f" % latency_ms,
                self.after_latency,
            )
        )


def template_of(body: bytes) -> Template:
    """The template of an answer that came from the cache, as `encode_chat` or `encode_message` wrote it.

    Inside a text of JSON every quotation mark is escaped, so that what is searched for is found as a key only; the
    report is the last part of an answer, and its age and latency the last keys of these names.
    """
    start = len(b'{"id":"')
    end = body.index(b'"', start)
    prefix = body[start : end - 24].decode()
    created = body.find(b'"created":', 0, _BEGINNING)
    first, second = (end, end) if created < 0 else _number(body, created)
    age, after_age = _number(body, body.rindex(b'"age_s":'))
    latency, after_latency = _number(body, body.rindex(b'"latency_ms":'))
    return Template(
        prefix,
        body[end:first],
        body[second:age],
        body[after_age:latency],
        body[after_latency:],
        created >= 0,
    )


def _number(body: bytes, key: int) -> tuple[int, int]:
    """Where the number behind the key at this place begins and ends."""
    start = body.index(b":", key) + 1
    end = start
    while body[end : end + 1] in b"0123456789.-+eE":
        end += 1
    return start, end
