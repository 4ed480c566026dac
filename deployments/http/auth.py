"""Who may come in: keys in headers, and a cookie for people who look at `/docs` in a browser."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import urlsplit

COOKIE = "mixture_session"

Headers = Mapping[bytes, bytes]


class Keys:
    """The keys that open this server; only digests of them are held.

    Every comparison takes the same time, whichever key is sent and however many there are.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ValueError("a server needs at least one key, and none may be empty")
        self._digests = [sha256(key.encode()).digest() for key in keys]
        self._tokens = [hmac.new(key.encode(), b"mixture docs cookie", sha256).hexdigest() for key in keys]

    def opens(self, key: bytes) -> bool:
        """Whether `key` is one of the keys."""
        return self.cookie(key) is not None

    def cookie(self, key: bytes) -> str | None:
        """The cookie's value for `key`, which does not tell the key; None when `key` is none."""
        digest, found = sha256(key).digest(), None
        for known, token in zip(self._digests, self._tokens, strict=True):
            if hmac.compare_digest(digest, known):
                found = token
        return found

    def admits(self, headers: Headers, *, reads: bool) -> bool:
        """Whether a request with these headers may come in. `reads` says that it changes nothing: a cookie alone is
        enough for it; otherwise a browser must also say that the page comes from here.
        """
        key = sent_key(headers)
        if key is not None:
            return self.opens(key)
        token = _cookie(headers.get(b"cookie", b""))
        return token is not None and self._knows(token) and (reads or _same_origin(headers))

    def _knows(self, token: bytes) -> bool:
        found = False
        for known in self._tokens:
            found |= hmac.compare_digest(token, known.encode())
        return found


def sent_key(headers: Headers) -> bytes | None:
    """The key in `Authorization: Bearer` or `x-api-key`; None when there is neither."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            return key.strip()
    return headers.get(b"x-api-key")


def _cookie(header: bytes) -> bytes | None:
    for pair in header.split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name == COOKIE.encode():
            return value
    return None


def _same_origin(headers: Headers) -> bool:
    origin = headers.get(b"origin")
    return origin is not None and urlsplit(origin).netloc == headers.get(b"host")
