"""Judged hits in a file: what one gateway learns the others know, and the next start does.

Whoever judges appends a line, and everybody takes in all lines in their order, so that all come to the same thresholds.
A line that has `samples` says all that is known of a domain: a file that has grown is replaced by such lines.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mixture.writing import write_bytes

logger = logging.getLogger("mixture.cache")

LARGE = 1_000_000
"""Bytes of the file from which on it is made anew."""

Line = Mapping[str, Any]


class Learned:
    """The file at `path`, made when there is something to keep. Not for two threads at once."""

    def __init__(self, path: Path, large: int = LARGE) -> None:
        self._path = path
        self._large = large
        self._file: int | None = None
        self._place = 0

    def add(self, line: Line, whole: Callable[[], Iterable[Line]]) -> None:
        """Keep a line; it comes back with the next `news`. `whole`, which is asked when the file has grown large, takes
        in the news and says all that is known. Raises OSError.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # held for as long as a line takes, or a new file of a megabyte
                if not _same(file, self._path):
                    continue
                os.write(file, json.dumps(line).encode() + b"\n")
                if os.fstat(file).st_size > self._large:
                    write_bytes(self._path, b"".join(json.dumps(one).encode() + b"\n" for one in whole()))
                return
            finally:
                os.close(file)

    def news(self) -> Iterator[Line]:
        """The lines that were added since the last time, or all of a file that was made anew. Raises OSError."""
        if self._file is not None and not _same(self._file, self._path):
            os.close(self._file)
            self._file = None
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            self._place = 0
        size = os.fstat(self._file).st_size
        if size > self._place:
            data = os.pread(self._file, size - self._place, self._place)
            whole = data[: data.rfind(b"\n") + 1]
            self._place += len(whole)
            yield from filter(None, map(_line, whole.splitlines()))


def _same(file: int, path: Path) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _line(data: bytes) -> Line | None:
    try:
        found = json.loads(data)
    except ValueError:  # a process died while it wrote
        return None
    return found if isinstance(found, dict) and isinstance(found.get("domain"), str) else None
