"""Files that clients hand in and get back. Each has one owner, and for everybody else it is not there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from mixture.errors import MixtureError
from mixture.writing import write_json


class UnknownFile(MixtureError):
    """There is no such file of this key's."""

    status = 404
    type = "invalid_request_error"
    default_code = "file_not_found"


@dataclass(frozen=True, slots=True)
class File:
    """A file in OpenAI's words. `owner` is the id of the caller who handed it in; times are seconds since the epoch."""

    id: str
    owner: str
    filename: str
    purpose: str
    bytes: int
    created_at: int


class Files:
    """The files in a folder: `ID.json` says what `ID.data` is. A file is there once it is whole, and not before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"

    def incoming(self) -> Path:
        """A path to write a new file's data to; `add` takes it from there. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.folder / f".{token_hex(8)}.incoming"

    def add(self, data: Path, owner: str, filename: str, purpose: str) -> File:
        """Keep what was written to `data`. Raises OSError."""
        made = File(f"file-{token_hex(12)}", owner, filename, purpose, data.stat().st_size, int(time.time()))
        data.rename(self.folder / f"{made.id}.data")
        write_json(self.folder / f"{made.id}.json", asdict(made))
        return made

    def find(self, file_id: str, owner: str) -> File:
        """One file. Raises UnknownFile."""
        if file_id.isascii() and file_id.replace("-", "").isalnum():
            with suppress(OSError, ValueError, TypeError):
                found = File(**read(self.folder / f"{file_id}.json"))
                if found.owner == owner:
                    return found
        raise UnknownFile(f"there is no file {file_id[:64]!r} of this key's", param="file_id")

    def path(self, file: File) -> Path:
        """Where its data is."""
        return self.folder / f"{file.id}.data"

    def all(self, owner: str) -> list[File]:
        """All of an owner's, the latest first."""
        return sorted((f for f in self._each() if f.owner == owner), key=lambda f: (-f.created_at, f.id))

    def remove(self, file: File) -> None:
        """Forget a file. A batch that reads it at this moment goes on."""
        (self.folder / f"{file.id}.json").unlink(missing_ok=True)
        self.path(file).unlink(missing_ok=True)

    def expire(self, before: float) -> None:
        """Remove what was handed in before this time, and what was never handed in whole."""
        for file in [file for file in self._each() if file.created_at < before]:
            self.remove(file)
        for left in self.folder.glob(".*.incoming"):
            with suppress(OSError):
                if left.stat().st_mtime < time.time() - 86_400:
                    left.unlink()

    def _each(self) -> Iterator[File]:
        for path in self.folder.glob("*.json"):
            with suppress(OSError, ValueError, TypeError):
                yield File(**read(path))


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises OSError, ValueError."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
