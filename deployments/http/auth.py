"""Who may come in: keys in headers, and a cookie for people who look at `/docs` in a browser."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from mixture.ledger import Key
from mixture.types import Caller

COOKIE = "mixture_session"

Headers = Mapping[bytes, bytes]


class Keys:
    """The keys that open this server; only digests of them are held: those of the configuration, which are its owner's,
    and those that were made with `mixture keys`.

    Every comparison with the former takes the same time, whichever key is sent and however many there are. The latter
    are looked up by their digest: how long that takes tells nothing of a key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ValueError("a server needs at least one key, and none may be empty")
        self._digests = [sha256(key.encode()).digest() for key in keys]
        self._tokens = [hmac.new(key.encode(), b"mixture docs cookie", sha256).hexdigest() for key in keys]
        self._callers = [Caller(digest.hex()[:16], digest.hex()[:8], owner=True) for digest in self._digests]
        self._made: dict[str, Caller] = {}
        self._made_digests: dict[str, str] = {}
        self._secret = hmac.new(keys[0].encode(), b"mixture docs cookies of made keys", sha256).digest()
        """All gateways have it, and it is another one once the owner's key is."""

    def issue(self, keys: Sequence[Key]) -> None:
        """Open the server to these keys that were made, as far as they hold, and to no others that were made before."""
        self._made = {key.digest: _caller(key) for key in keys if key.revoked is None}
        self._made_digests = {caller.id: digest for digest, caller in self._made.items()}

    def opens(self, key: bytes) -> Caller | None:
        """Whose key `key` is; None when it is none of the keys."""
        digest = sha256(key)
        place = _place(digest.digest(), self._digests)
        return self._made.get(digest.hexdigest()) if place is None else self._callers[place]

    def cookie(self, key: bytes) -> str | None:
        """The cookie's value for `key`, which does not tell the key; None when `key` is none. That for a key that was
        made names it, and opens nothing once it is revoked.
        """
        digest = sha256(key)
        place = _place(digest.digest(), self._digests)
        if place is not None:
            return self._tokens[place]
        caller = self._made.get(digest.hexdigest())
        return None if caller is None else self._session(caller.id, digest.hexdigest())

    def _session(self, name: str, digest: str) -> str:
        return f"{name}.{hmac.new(self._secret, digest.encode(), sha256).hexdigest()}"

    def admits(self, headers: Headers, *, reads: bool) -> Caller | None:
        """Who sends a request with these headers; None when it may not come in. `reads` says that it changes nothing: a
        cookie alone is enough for it; otherwise a browser must also say that the page comes from here.
        """
        key = sent_key(headers)
        if key is not None:
            return self.opens(key)
        token = _cookie(headers.get(b"cookie", b""))
        if token is None or not (reads or _same_origin(headers)):
            return None
        place = _place(token, [known.encode() for known in self._tokens])
        return self._made_by_cookie(token) if place is None else self._callers[place]

    def _made_by_cookie(self, token: bytes) -> Caller | None:
        name = token.partition(b".")[0].decode("latin-1")
        digest = self._made_digests.get(name)
        if digest is None or not hmac.compare_digest(self._session(name, digest).encode(), token):
            return None
        return self._made[digest]


def _caller(key: Key) -> Caller:
    models = None if key.models is None else frozenset(key.models)
    collections = None if key.collections is None else frozenset(key.collections)
    return Caller(key.id, key.name, models, collections)


def _place(sent: bytes, known: Sequence[bytes]) -> int | None:
    """Where `sent` is among `known`, in a time that does not tell."""
    found = None
    for place, each in enumerate(known):
        if hmac.compare_digest(sent, each):
            found = place
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
