"""What is asked of the documents' index, and what it answers: values that cross processes, and the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from mixture.config import DocumentsConfig, Scalar
from mixture.errors import InvalidQuery, MixtureError
from mixture.keys import home
from mixture.types import Caller, Passage

Filter = Mapping[str, Scalar | tuple[Scalar, ...]]
"""Metadata that passages must have: a value, or one of several."""
Outcome = Literal["added", "updated", "unchanged", "deleted", "empty", "failed"]


class UnknownCollection(InvalidQuery):
    """No collection of this name is there for this caller, whoever else may have one."""

    status = 404
    default_code = "collection_not_found"


class UnknownDocument(InvalidQuery):
    """No document of this id is there for this caller."""

    status = 404
    default_code = "document_not_found"


class IndexUnavailable(MixtureError):
    """The index can't be read or written now."""

    status = 503
    default_code = "index_unavailable"


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: at most `k` passages for `text`, in `collections` (None: all that `caller` may use)."""

    text: str
    caller: Caller
    k: int = 6
    collections: tuple[str, ...] | None = None
    filter: Filter = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Submission:
    """A document to be kept. `data` is the file as it is; its `name` says what kind of file."""

    id: str
    name: str
    data: bytes
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one document: `passages` are those it has now; `error` says why it could not be read."""

    id: str
    outcome: Outcome
    passages: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A document in the index. `shared` says that it is in a configured collection or was ingested on the server."""

    id: str
    collection: str
    passages: int
    shared: bool
    private: bool
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


def kept_at(config: DocumentsConfig, environ: Mapping[str, str]) -> DocumentsConfig:
    """`config` with the place of the index written out, so that it means the same in every process."""
    uri = config.uri or str(home(environ) / "documents")
    return config.model_copy(update={"uri": uri if "://" in uri else str(Path(uri).expanduser().absolute())})


class DocumentHost(Protocol):
    """The documents' index, wherever it runs. Each method does what the caller in its arguments may do, and for all
    else raises what it raises for what does not exist. Raises IndexUnavailable when the index fails.
    """

    async def search(self, search: Search) -> Sequence[Passage]:
        """At most `search.k` passages, best first. Raises UnknownCollection."""
        ...

    async def holds(self, caller: Caller) -> bool:
        """Whether there is any document that `caller` may use."""
        ...

    async def add(
        self, caller: Caller, collection: str, documents: Sequence[Submission], private: bool | None = None
    ) -> Sequence[Entry]:
        """Keep `documents` in the place of those with the same ids. `private` None: as configured.

        Raises Forbidden for a shared collection that `caller` may not write.
        """
        ...

    async def kept(self, caller: Caller, collection: str | None = None) -> Sequence[Kept]:
        """The documents of `collection`, or of all that `caller` may use. Raises UnknownCollection."""
        ...

    async def delete(self, caller: Caller, collection: str, document: str) -> Entry:
        """Delete a document. Raises UnknownCollection, UnknownDocument, and Forbidden as `add`."""
        ...

    async def follow(self) -> None:
        """Keep the index in order on its disk, until cancelled; returns where another process does that."""
        ...
