"""Files taken into a collection: what is new or has changed is read, what is gone is deleted, each file in a report.

Nothing is kept of how far an ingestion came: the index itself says which documents it has, by the digests of their
contents, so one that was interrupted goes on where it was when it is started again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from mixture.config import Scalar
from mixture.retrieval.host import Entry, Submission
from mixture.retrieval.intake import TOGETHER, Intake, entry_of, prepared
from mixture.retrieval.reading import kind_of
from mixture.retrieval.rows import Prepared

ROOT = "root"
"""The metadata that say which folder a document came from."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be taken in under the id `id`; `known` is the digest of what is kept under it."""

    id: str
    path: str
    metadata: Mapping[str, Scalar]
    known: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a file: an entry of the report, or a document with the vectors of its passages."""

    id: str
    result: Entry | Prepared
    vectors: Sequence[Sequence[float]] = ()


@dataclass(slots=True)
class Report:
    """What became of every file, and how long it took."""

    entries: dict[str, Entry] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """How many files had each outcome."""
        return Counter(entry.outcome for entry in self.entries.values())

    @property
    def passages(self) -> int:
        """Passages that were added."""
        return sum(entry.passages for entry in self.entries.values() if entry.outcome in ("added", "updated"))

    @property
    def failures(self) -> list[Entry]:
        """The files that could not be read."""
        return [entry for entry in self.entries.values() if entry.outcome == "failed"]


Make = Callable[[Sequence[Found]], AsyncIterator[Made]]
"""How files become documents with vectors: here one after another, or elsewhere many at once."""
Told = Callable[[int, int], None]
"""Called with how many files are done, and how many passages were added."""


def files(paths: Sequence[Path]) -> Iterator[Found]:
    """The files at `paths` of kinds that are read, and below folders; hidden ones are left out. A file is called after
    the folder that was named and its path below that, wherever the folder is. Raises FileNotFoundError.
    """
    for given in paths:
        path = given.expanduser().resolve(strict=True)
        root = blake2b(str(path).encode(), digest_size=6).hexdigest()
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            below = file.relative_to(path.parent)
            hidden = any(part.startswith(".") for part in below.parts[1:])
            kind = kind_of(file.name)
            if file.is_file() and not hidden and (kind is not None or path.is_file()):
                yield Found(below.as_posix(), str(file), {ROOT: root, "kind": kind or "unknown"})


async def ingest(
    intake: Intake, found: Sequence[Found], make: Make, told: Told = lambda done, passages: None
) -> Report:
    """Take `found` into the collection of `intake`; documents of the same folders that were not found are deleted.

    Raises IndexUnavailable.
    """
    began, report = time.monotonic(), Report()
    known = await intake.store.digests(intake.place)
    waiting = {one.id: Found(one.id, one.path, one.metadata, known.get(one.id)) for one in found}
    batch: list[Made] = []
    async for made in make(list(waiting.values())):
        if isinstance(made.result, Entry):
            report.entries[made.id] = made.result
        else:
            batch.append(made)
        if sum(len(one.vectors) for one in batch) >= TOGETHER:
            await _commit(intake, batch, report, known)
            batch = []
        told(len(report.entries), report.passages)
    await _commit(intake, batch, report, known)
    for name in waiting.keys() - report.entries.keys():
        report.entries[name] = Entry(name, "failed", error="the process that read it died")
    await _clear(intake, waiting, report)
    report.seconds = time.monotonic() - began
    told(len(report.entries), report.passages)
    return report


async def _commit(intake: Intake, batch: Sequence[Made], report: Report, known: Mapping[str, str]) -> None:
    documents = [one.result for one in batch if isinstance(one.result, Prepared)]
    if not documents:
        return
    await intake.store.put(intake.place, documents, [vector for one in batch for vector in one.vectors])
    for document in documents:
        report.entries[document.id] = entry_of(document, known)


async def _clear(intake: Intake, found: Mapping[str, Found], report: Report) -> None:
    """Delete what has no text any more, and what is gone from the folders that were looked through."""
    roots = {one.metadata[ROOT] for one in found.values()}
    gone = []
    for name, _, metadata in await intake.store.documents(intake.place):
        empty = name in report.entries and report.entries[name].outcome == "empty"
        if empty or (metadata.get(ROOT) in roots and name not in found):
            gone.append(name)
            report.entries.setdefault(name, Entry(name, "deleted"))
    if gone:
        await intake.store.delete(intake.place, gone)


def read(found: Found, encoder: str, most: int) -> Prepared | Entry:
    """The file read and split, or why there is nothing to keep of it. Blocks."""
    path = Path(found.path)
    try:
        size = path.stat().st_size
        if size > most:
            why = f"it has {size:,} bytes, and at most {most:,} are read (documents.max_file_bytes)"
            return Entry(found.id, "failed", error=why)
        submission = Submission(found.id, path.name, path.read_bytes(), found.metadata)
    except OSError as error:
        return Entry(found.id, "failed", error=f"it can't be read: {error.strerror or error}")
    return prepared(submission, found.known, encoder, most)


def in_this_process(intake: Intake) -> Make:
    """Files read and embedded here, one after another."""

    async def make(found: Sequence[Found]) -> AsyncIterator[Made]:
        for one in found:
            result = await asyncio.to_thread(read, one, intake.encoder, intake.most)
            vectors = await intake.embedded([result]) if isinstance(result, Prepared) else ()
            yield Made(one.id, result, vectors)

    return make
