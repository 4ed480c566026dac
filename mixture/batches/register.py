"""The batches and where each of them stands, in a folder, so that they outlive the server."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from mixture.batches import files
from mixture.batches.files import Files
from mixture.errors import InvalidQuery, MixtureError
from mixture.types import Caller
from mixture.writing import write_json

Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
OVER: tuple[Status, ...] = ("failed", "completed", "expired", "cancelled")
WINDOW = 86_400


class UnknownBatch(MixtureError):
    """There is no such batch of this key's."""

    status = 404
    type = "invalid_request_error"
    default_code = "batch_not_found"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch in OpenAI's words. `times` holds when each state began, in seconds since the epoch; `errors` what was
    wrong with the file.
    """

    id: str
    owner: str
    endpoint: str
    input_file_id: str
    caller: Mapping[str, Any]
    metadata: Mapping[str, str] | None = None
    status: Status = "validating"
    times: Mapping[str, int] = field(default_factory=dict)
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: tuple[Mapping[str, Any], ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in OVER

    @property
    def expires_at(self) -> int:
        """When what is left is given up, in seconds since the epoch."""
        return self.times["validating"] + WINDOW

    def asks(self) -> Caller:
        """Whose requests they are."""
        names = {name: self.caller[name] for name in ("models", "collections")}
        sets = {name: None if value is None else frozenset(value) for name, value in names.items()}
        return Caller(self.caller["id"], self.caller["name"], **sets, owner=self.caller["owner"])

    def became(self, status: Status, **more: Any) -> Batch:
        """The batch in another state, from now on."""
        return replace(self, status=status, times={**self.times, status: int(time.time())}, **more)


class Batches:
    """The batches in a folder. One process at a time works on a batch and writes its state; that it is to be cancelled
    is said by a file of its own, which any process may make.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "batches"
        self.files = Files(folder)

    def create(self, caller: Caller, endpoint: str, input_file_id: str, metadata: Mapping[str, str] | None) -> Batch:
        """A new batch, to be worked on. Raises UnknownFile and InvalidQuery."""
        found = self.files.find(input_file_id, caller.id)
        if found.purpose != "batch":
            raise InvalidQuery("the file's purpose is not `batch`", param="input_file_id")
        kept = {
            "id": caller.id,
            "name": caller.name,
            "owner": caller.owner,
            "models": None if caller.models is None else sorted(caller.models),
            "collections": None if caller.collections is None else sorted(caller.collections),
        }
        made = Batch(f"batch_{token_hex(12)}", caller.id, endpoint, found.id, kept, metadata).became("validating")
        (self.folder / made.id).mkdir(parents=True, mode=0o700)
        self.keep(made)
        return made

    def keep(self, batch: Batch) -> None:
        """Write down where it stands. Raises OSError."""
        write_json(self.place(batch) / "batch.json", asdict(batch))

    def place(self, batch: Batch) -> Path:
        """Its folder."""
        return self.folder / batch.id

    def find(self, batch_id: str, owner: str) -> Batch:
        """One batch. Raises UnknownBatch."""
        if batch_id.isascii() and batch_id.replace("_", "").isalnum():
            with suppress(OSError, ValueError, TypeError):
                found = self._read(self.folder / batch_id)
                if found.owner == owner:
                    return found
        raise UnknownBatch(f"there is no batch {batch_id[:64]!r} of this key's", param="batch_id")

    def all(self, owner: str) -> list[Batch]:
        """All of an owner's, the latest first."""
        mine = [batch for batch in self.each() if batch.owner == owner]
        return sorted(mine, key=lambda batch: (-batch.times["validating"], batch.id))

    def each(self) -> Iterator[Batch]:
        """Everybody's."""
        for folder in sorted(self.folder.glob("batch_*")):
            with suppress(OSError, ValueError, TypeError):
                yield self._read(folder)

    def cancel(self, batch: Batch) -> Batch:
        """Have it stopped; what is under way is finished. Raises InvalidQuery when it is over."""
        if batch.over:
            raise InvalidQuery(f"the batch is {batch.status}: it can't be cancelled", code="batch_over")
        (self.place(batch) / "cancel").touch()
        return self._read(self.place(batch))

    def cancelled(self, batch: Batch) -> bool:
        """Whether somebody wants it to be stopped."""
        return (self.place(batch) / "cancel").exists()

    def expire(self, before: float) -> None:
        """Remove batches that were over before this time."""
        for batch in list(self.each()):
            if batch.over and max(batch.times.values()) < before:
                shutil.rmtree(self.place(batch), ignore_errors=True)

    def _read(self, folder: Path) -> Batch:
        data = files.read(folder / "batch.json")
        found = Batch(**{**data, "errors": tuple(data["errors"])})
        if not found.over and (folder / "cancel").exists():
            told = int((folder / "cancel").stat().st_mtime)
            return replace(found, status="cancelling", times={**found.times, "cancelling": told})
        return found
