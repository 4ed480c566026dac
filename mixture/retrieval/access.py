"""Whose collections are whose, and which experts may read what: every rule about it stands here.

A configured collection, or one that was ingested on the server, is shared. Any other belongs to the key that added
documents to it: nobody else can find out that it exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from mixture.config import DocumentsConfig
from mixture.errors import Forbidden
from mixture.types import LOCAL, Caller, ExpertCard, Passage

SHARED = "shared"
DEFAULT = "default"
"""The collection where documents go that name none."""
_TABLE = re.compile(r"(shared|[0-9a-f]{16})__([a-z0-9][a-z0-9_-]{0,62})")


@dataclass(frozen=True, slots=True)
class Place:
    """A collection: whose it is, and its name there."""

    owner: str
    name: str

    @property
    def table(self) -> str:
        """The name of its table."""
        return f"{self.owner}__{self.name}"

    @property
    def shared(self) -> bool:
        """Whether it is nobody's own."""
        return self.owner == SHARED


def place_of(table: str) -> Place | None:
    """The collection in `table`; None for a table that is none of ours."""
    found = _TABLE.fullmatch(table)
    return Place(*found.groups()) if found else None


def owner_of(caller: Caller) -> str:
    """Under what `caller`'s own collections are kept. Whoever runs the server keeps theirs for all."""
    return SHARED if caller.id == LOCAL.id else blake2b(caller.id.encode(), digest_size=8).hexdigest()


def usable(place: Place, caller: Caller, config: DocumentsConfig) -> bool:
    """Whether `caller` may search and list the collection."""
    if caller.collections is not None and place.name not in caller.collections:
        return False
    if not place.shared:
        return place.owner == owner_of(caller)
    known = config.collections.get(place.name)
    if known is None or known.keys is None or caller.id == LOCAL.id:
        return True
    return caller.id in known.keys or caller.name in known.keys


def written(name: str, caller: Caller, config: DocumentsConfig, there: Iterable[Place]) -> Place:
    """The collection that `caller` writes as `name`: a shared one when it may use one of that name, else its own.

    Raises Forbidden when it may not write the shared one, or may use no collection of that name.
    """
    if caller.collections is not None and name not in caller.collections:
        raise Forbidden(f"this key may not use a collection named {name!r}", param="collection")
    shared, own = Place(SHARED, name), Place(owner_of(caller), name)
    known = config.collections.get(name)
    taken = known is not None or shared in set(there)
    if own == shared or not taken or not usable(shared, caller, config):
        return own
    if known is None or not known.writable:
        raise Forbidden(
            f"the collection {name!r} is shared and not writable for keys; name another one, or have "
            f"`documents.collections.{name}.writable` set",
            param="collection",
        )
    return shared


def may_read(card: ExpertCard, passage: Passage) -> bool:
    """Whether the expert may be shown the passage."""
    if passage.private and card.location == "external":
        return False
    return passage.readers is None or card.name in passage.readers
