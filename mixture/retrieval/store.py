"""Collections in a LanceDB database, in a folder or a bucket: passages with vectors and full text.

A document's passages are replaced in one commit: a process that dies leaves the old ones or the new ones, never both
and never half. What another process commits is seen by the next read.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixture.retrieval.access import Place, place_of
from mixture.retrieval.host import Filter, IndexUnavailable
from mixture.retrieval.locking import locked
from mixture.retrieval.rows import Prepared, among, schema_of, sql, table_of

if TYPE_CHECKING:
    import lancedb
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger("mixture.retrieval")

COLUMNS = ("id", "document", "heading", "text", "offset", "vector")
"""What a search reads of a passage."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage as it was found, with its vector and what full text search gives it (0 where that did not find it)."""

    id: str
    document: str
    heading: str
    text: str
    offset: int
    vector: NDArray[np.float32]
    score: float = 0.0


class Store:
    """The database at `uri`, opened by the first use."""

    def __init__(self, uri: str, storage: Mapping[str, str] | None = None) -> None:
        self._uri = uri
        self._storage = dict(storage or {})
        self._folder = None if "://" in uri else Path(uri).expanduser()
        self._database: lancedb.AsyncConnection | None = None
        self._tables: dict[Place, Any] = {}

    async def places(self) -> list[Place]:
        """Every collection that is there. Raises IndexUnavailable."""
        if self._folder is not None and not self._folder.is_dir():
            return []
        async with told():
            names = (await (await self._opened()).list_tables()).tables
        return [place for name in names if (place := place_of(name)) is not None]

    async def about(self, place: Place) -> dict[str, str]:
        """What was said of the collection when it was made. Raises IndexUnavailable."""
        async with told():
            schema = await (await self.table(place)).schema()
        return {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}

    async def make(self, place: Place, dimensions: int, about: Mapping[str, str]) -> None:
        """Make the collection where there is none of this name."""
        async with self.writing(place), told():
            database = await self._opened()
            if place not in await self.places():
                await database.create_table(place.table, schema=schema_of(dimensions, about))

    async def put(self, place: Place, documents: Sequence[Prepared], vectors: Any) -> None:
        """Replace the passages of `documents`; `vectors` holds one a passage, in order. In one commit."""
        async with self.writing(place), told():
            table = await self.table(place)
            rows = table_of(documents, vectors, await table.schema())
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            own = among("document", (document.id for document in documents))
            await merge.when_not_matched_by_source_delete(own).execute(rows)
            if not any(index.columns == ["searched"] for index in await table.list_indices()):
                from lancedb.index import FTS

                await table.create_index("searched", config=FTS())

    async def delete(self, place: Place, documents: Iterable[str]) -> None:
        """Delete the passages of `documents`, given by their ids."""
        async with self.writing(place), told():
            await (await self.table(place)).delete(among("document", documents))

    async def digests(self, place: Place, documents: Iterable[str] | None = None) -> dict[str, str]:
        """The digest of each document (None: of all), by its id."""
        async with told():
            query = (await self.table(place)).query().select(["document", "digest"])
            if documents is not None:
                query = query.where(among("document", documents))
            found = await query.to_arrow()
        return dict(zip(found["document"].to_pylist(), found["digest"].to_pylist(), strict=True))

    async def documents(self, place: Place) -> list[tuple[str, int, dict[str, Any]]]:
        """Each document's id, how many passages it has, and its metadata; in the order of their ids."""
        async with told():
            found = await (await self.table(place)).query().select(["document", "metadata"]).to_arrow()
        names = found["document"].to_pylist()
        metadata = dict(zip(names, found["metadata"].to_pylist(), strict=True))
        return [(name, count, json.loads(metadata[name])) for name, count in sorted(Counter(names).items())]

    async def count(self, place: Place) -> int:
        """How many passages there are."""
        async with told():
            return int(await (await self.table(place)).count_rows())

    async def nearest(self, place: Place, vector: Sequence[float], k: int, wanted: Filter) -> list[Hit]:
        """The `k` passages whose vectors are nearest to `vector`, of those with the metadata `wanted`."""
        async with told():
            query = (await self.table(place)).query().nearest_to(vector).distance_type("cosine")
            return await _hits(query.nprobes(40).refine_factor(4), k, wanted)

    async def matching(self, place: Place, text: str, k: int, wanted: Filter) -> list[Hit]:
        """The `k` passages that match `text` best by their words (BM25), of those with the metadata `wanted`."""
        async with told():
            table = await self.table(place)
            if not any(index.columns == ["searched"] for index in await table.list_indices()):
                return []
            return await _hits(table.query().nearest_to_text(text, columns="searched"), k, wanted)

    @property
    def shared(self) -> bool:
        """Whether it is in a bucket, which has no locks: others may write while this process does."""
        return self._folder is None

    @asynccontextmanager
    async def writing(self, place: Place, kind: str = "lock") -> AsyncGenerator[Path | None, None]:
        """Nobody else is inside this for the same collection and `kind` (`lock`: whoever writes it); the file that says
        so, None in a bucket, where nothing does. Raises IndexUnavailable.
        """
        lock = None if self._folder is None else self._folder / f".{place.table}.{kind}"
        try:
            async with locked(lock):
                yield lock
        except OSError as error:
            raise IndexUnavailable(f"documents.uri: {error.strerror or error}") from None

    async def _opened(self) -> lancedb.AsyncConnection:
        if self._database is None:
            import lancedb  # a second and a hundred megabytes: only for those who search

            self._database = await lancedb.connect_async(
                str(self._folder or self._uri),
                storage_options=self._storage or None,
                read_consistency_interval=timedelta(0) if self._folder is not None else timedelta(seconds=5),
            )
        return self._database

    async def table(self, place: Place) -> Any:
        """LanceDB's own table of the collection."""
        if place not in self._tables:
            self._tables[place] = await (await self._opened()).open_table(place.table)
        return self._tables[place]


async def _hits(query: Any, k: int, wanted: Filter) -> list[Hit]:
    condition = sql(wanted)
    query = query.where(condition) if condition else query
    scored = "_score" if "FTS" in type(query).__name__ else "_distance"
    found = await query.select([*COLUMNS, scored]).limit(k).to_arrow()
    if not found.num_rows:
        return []
    vectors = found["vector"].combine_chunks()
    matrix = vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(vectors), -1)
    rows, scores = found.select(COLUMNS[:-1]).to_pylist(), found[scored].to_pylist()
    words = scores if scored == "_score" else [0.0] * len(rows)
    return [Hit(**row, vector=matrix[i], score=words[i]) for i, row in enumerate(rows)]


@asynccontextmanager
async def told(*, quietly: bool = False) -> AsyncGenerator[None, None]:
    """Errors of LanceDB (RuntimeError, ValueError and OSError) as one of ours; what they say is for the log, `quietly`
    where it is tried again.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        logger.log(logging.DEBUG if quietly else logging.ERROR, "the documents' index failed", exc_info=error)
        raise IndexUnavailable("the documents' index failed; the server's log says how") from None
