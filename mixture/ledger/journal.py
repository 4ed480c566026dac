"""What a process has begun and ended, on its disk before it goes anywhere else.

A line is written before each call and another after it, with one `write` to a file opened for appending: what the
kernel has taken survives the process, however it ends. Nothing is forced to the disk itself, so that a power cut may
lose what the kernel had not written back, some seconds at most.

A process holds a lock on its files, which the kernel releases with its last breath: files that can be locked belong to
nobody any more, and are entered by whoever finds them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mixture.errors import Overloaded
from mixture.ledger.entries import UNKNOWN, Entry, decode, encode

SEGMENT = 4_000_000
"""Bytes after which a new file is begun. A file goes once each of its calls is in the database."""
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(slots=True)
class _Segment:
    path: Path
    file: int
    size: int = 0
    waiting: set[str] = field(default_factory=set)
    """Calls that began in it and are not in the database."""


class Journal:
    """The journal of one process. `name` is unique; the files are `name.NUMBER.jsonl`. Raises OSError when the folder
    can't be written.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._torn = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._number = 0
        self._segments = [self._opened()]

    def begin(self, entry: Entry) -> None:
        """Note a call that is about to be made. Raises Overloaded when that can't be noted: it must not be made."""
        if self._segments[-1].size > SEGMENT:
            self._segments.append(self._opened())
        try:
            self._write(entry)
        except OSError as error:
            raise Overloaded(f"the ledger's journal can't be written ({error.strerror})", code="ledger") from None
        self._segments[-1].waiting.add(entry.id)

    def end(self, entry: Entry) -> None:
        """Note how a call ended. Raises OSError."""
        self._write(entry)

    def booked(self, ids: frozenset[str]) -> None:
        """These calls are in the database: files that hold nothing else are emptied."""
        for segment in self._segments[:]:
            segment.waiting -= ids
            if segment.waiting:
                continue
            if segment is self._segments[-1]:
                os.ftruncate(segment.file, 0)
                segment.size = 0
            else:
                self._drop(segment)

    def close(self) -> None:
        """Let go of the files; one that holds nothing is removed."""
        for segment in self._segments[:]:
            if segment.waiting:
                os.close(segment.file)
                self._segments.remove(segment)
            else:
                self._drop(segment)

    def _write(self, entry: Entry) -> None:
        segment, line = self._segments[-1], encode(entry)
        if self._torn:
            line = b"\n" + line
        written = os.write(segment.file, line)
        segment.size += written
        self._torn = written < len(line)
        if self._torn:
            raise OSError(28, "no space left")

    def _opened(self) -> _Segment:
        """A new file. It gets its name once it is locked, so that nobody takes it for an abandoned one."""
        self._number += 1
        path = self._folder / f"{self._name}.{self._number}.jsonl"
        file = os.open(path.with_suffix(".new"), FLAGS, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        path.with_suffix(".new").rename(path)
        return _Segment(path, file)

    def _drop(self, segment: _Segment) -> None:
        with suppress(FileNotFoundError):
            segment.path.unlink()
        os.close(segment.file)
        self._segments.remove(segment)


@dataclass(slots=True)
class Abandoned:
    """The journal of a process that is gone: its name, and its calls, those without an end with an estimated cost."""

    name: str
    entries: tuple[Entry, ...]
    _paths: list[Path]
    _files: list[int]

    def entered(self) -> None:
        """The calls are in the database: remove the files."""
        for path in self._paths:
            with suppress(FileNotFoundError):
                path.unlink()
        self.release()

    def release(self) -> None:
        """Let go of the files, for a later try."""
        for file in self._files:
            os.close(file)
        self._files.clear()


def abandoned(folder: Path) -> Iterator[Abandoned]:
    """The journals in `folder` whose processes are gone, each locked until it is entered or released."""
    names = {path.name.rpartition(".")[0].rpartition(".")[0] for path in folder.glob("*.jsonl")}
    for name in sorted(names):
        found = _taken(name, sorted(folder.glob(f"{name}.*.jsonl"), key=_number))
        if found is not None:
            yield found


def _number(path: Path) -> int:
    return int(path.name.split(".")[-2])


def _taken(name: str, paths: list[Path]) -> Abandoned | None:
    """The journal with these files; None when a living process holds one of them."""
    found = Abandoned(name, (), paths, [])
    entries: dict[str, Entry] = {}
    try:
        for path in paths:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            found._files.append(file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in paths:
            for line in path.read_bytes().splitlines():
                entry = decode(line)
                if entry is not None and not (entry.outcome == UNKNOWN and entry.id in entries):
                    entries[entry.id] = entry
    except OSError:
        found.release()
        return None
    found.entries = tuple(entries.values())
    return found
