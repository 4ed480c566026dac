"""The bodies of `/v1/mixture/documents` and `/v1/mixture/search`, and their answers."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import Field

from mixture.api.parsing import Body, parse
from mixture.api.report import passage_fields
from mixture.api.wishes import FilterFields, Value, filter_of
from mixture.config import CollectionName
from mixture.errors import InvalidQuery
from mixture.retrieval.access import DEFAULT
from mixture.retrieval.host import Entry, Kept, Search, Submission
from mixture.types import Caller, Passage

Name = Annotated[str, Field(min_length=1, max_length=128)]
LONGEST = 100_000
"""Characters of a question that are taken; its beginning is what is looked for."""


class DocumentFields(Body):
    """A document: `text`, or a file in `data`."""

    id: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f]+$")]
    """What it is called: it replaces the document of this id, and citations name it."""
    text: str | None = None
    """Its text: Markdown's headings, lists, tables and code are understood."""
    data: str | None = None
    """The file, in base64."""
    filename: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """The file's name, whose ending says what it is; the `id` when left out."""
    metadata: Annotated[dict[Name, Value], Field(max_length=32)] = Field(default_factory=dict)
    """What searches can filter by."""


class DocumentsRequest(Body):
    """Documents to be kept."""

    documents: Annotated[list[DocumentFields], Field(min_length=1, max_length=1_000)]
    collection: CollectionName = DEFAULT
    """Where: one of your own, or a shared one that you may write."""
    private: bool | None = None
    """For a collection that does not exist yet: whether its passages are kept from experts outside."""


class SearchRequest(Body):
    """What is looked for."""

    query: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    collection: CollectionName | Annotated[list[CollectionName], Field(min_length=1, max_length=64)] | None = None
    """Where; every collection that the key may use when left out."""
    k: Annotated[int, Field(ge=1, le=50)] = 6
    """Passages, at most."""
    filter: FilterFields = None
    """Only passages whose document has these values in its metadata, or one of them."""


def parse_documents(body: bytes) -> tuple[str, list[Submission], bool | None]:
    """The collection, the documents, and whether they are private. Raises InvalidQuery, naming the field."""
    request = parse(body, DocumentsRequest)
    names = [document.id for document in request.documents]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InvalidQuery(f"two documents have the id {name!r}", param=f"documents[{index}].id")
    made = [_submission(document, f"documents[{index}]") for index, document in enumerate(request.documents)]
    return request.collection, made, request.private


def _submission(document: DocumentFields, where: str) -> Submission:
    if (document.text is None) == (document.data is None):
        raise InvalidQuery(f"{where}: send exactly one of `text` and `data`", param=where)
    if document.text is not None:
        data, name = document.text.encode("utf-8", "replace"), document.filename or f"{document.id}.md"
    else:
        data, name = _decoded(document.data or "", f"{where}.data"), document.filename or document.id
    return Submission(document.id, name, data, document.metadata)


def _decoded(text: str, where: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidQuery(f"{where}: this is not base64", param=where) from None


def parse_search(body: bytes, caller: Caller) -> Search:
    """The search. Raises InvalidQuery, naming the field."""
    request = parse(body, SearchRequest)
    names = request.collection
    collections = tuple(names) if isinstance(names, list) else None if names is None else (names,)
    return Search(request.query, caller, request.k, collections, filter_of(request.filter))


def encode_entries(collection: str, entries: Sequence[Entry]) -> bytes:
    """What became of documents, as JSON."""
    return orjson.dumps({"object": "list", "collection": collection, "data": [entry_fields(one) for one in entries]})


def entry_fields(entry: Entry) -> dict[str, Any]:
    """What became of a document, as plain data."""
    return {"id": entry.id, "outcome": entry.outcome, "passages": entry.passages, "error": entry.error}


def encode_kept(kept: Sequence[Kept]) -> bytes:
    """Documents that are kept, as JSON."""
    fields = ("id", "collection", "passages", "shared", "private", "metadata")
    return orjson.dumps({"object": "list", "data": [{name: getattr(one, name) for name in fields} for one in kept]})


def encode_passages(passages: Sequence[Passage]) -> bytes:
    """Passages that were found, as JSON."""
    return orjson.dumps({"object": "list", "data": [passage_fields(n, one) for n, one in enumerate(passages, 1)]})
