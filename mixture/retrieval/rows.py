"""What the index keeps of a passage: the table's columns, and documents turned into rows of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mixture.config import Scalar
from mixture.retrieval.host import Filter
from mixture.retrieval.splitting import Span

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FORMAT = "1"
"""Raised when documents would be split or kept in another way: then they are taken in anew."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that has been read and split. `digest` changes with everything that its rows are made of."""

    id: str
    digest: str
    spans: tuple[Span, ...]
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


def digest_of(data: bytes, name: str, metadata: Mapping[str, Scalar], encoder: str) -> str:
    """What tells whether a document has to be taken in again."""
    about = json.dumps([FORMAT, encoder, name, sorted(metadata.items())]).encode()
    return blake2b(blake2b(data, digest_size=16).digest() + about, digest_size=16).hexdigest()


def worded(span: Span) -> str:
    """A passage as it is embedded and searched: under its headings."""
    return worded_as(span.heading, span.text)


def worded_as(heading: str, text: str) -> str:
    """A text behind what it stands under."""
    return f"{heading}. {text}" if heading else text


def schema_of(dimensions: int, about: Mapping[str, str]) -> pa.Schema:
    """The table's columns; `about` says what holds for the collection."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "id": pa.string(),
        "document": pa.string(),
        "digest": pa.string(),
        "heading": pa.string(),
        "text": pa.string(),
        "offset": pa.int64(),
        "searched": pa.string(),
        "tags": pa.list_(pa.string()),
        "metadata": pa.string(),
        "vector": pa.list_(pa.float32(), dimensions),
    }
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()], metadata=dict(about))


def table_of(
    documents: Sequence[Prepared], vectors: NDArray[np.float32] | Sequence[Sequence[float]], schema: pa.Schema
) -> pa.Table:
    """The rows of `documents`; `vectors` holds one a passage, in order."""
    import numpy as np
    import pyarrow as pa

    rows = [_row(document, number, span) for document in documents for number, span in enumerate(document.spans)]
    flat = np.asarray(vectors, dtype=np.float32).reshape(-1)
    dimensions = schema.field("vector").type.list_size
    columns = {name: [row[name] for row in rows] for name in schema.names if name != "vector"}
    found = pa.FixedSizeListArray.from_arrays(pa.array(flat), dimensions)
    arrays = [found if field.name == "vector" else pa.array(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _row(document: Prepared, number: int, span: Span) -> dict[str, Any]:
    return {
        "id": blake2b(f"{document.id}\0{number}".encode(), digest_size=16).hexdigest(),
        "document": document.id,
        "digest": document.digest,
        "heading": span.heading,
        "text": span.text,
        "offset": span.offset,
        "searched": worded(span),
        "tags": [tag(name, value) for name, value in document.metadata.items()],
        "metadata": json.dumps(dict(document.metadata), sort_keys=True),
    }


def tag(name: str, value: Scalar) -> str:
    """One value of the metadata, as it is searched for. Whole numbers are the same with and without a point."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return f"{name}={json.dumps(whole)}"


def sql(wanted: Filter) -> str | None:
    """The condition that passages have the metadata `wanted`; None where nothing is wanted."""
    parts = []
    for name, value in wanted.items():
        tags = [tag(name, one) for one in (value if isinstance(value, tuple) else (value,))]
        parts.append(f"array_has_any(tags, [{', '.join(map(quoted, tags))}])")
    return " AND ".join(parts) or None


def among(column: str, values: Iterable[str]) -> str:
    """The condition that `column` has one of `values`."""
    return f"{column} IN ({', '.join(map(quoted, values))})"


def quoted(text: str) -> str:
    """`text` as a literal of SQL, which nothing in it can end."""
    return "'" + text.replace("'", "''") + "'"
