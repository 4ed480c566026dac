"""Where an evaluation keeps what it has: a journal of finished answers, made into Parquet files as it grows.

A line is in the journal before the next question is taken, so that a process that is killed loses only what was under
way. A Parquet file is written beside the journal and gets its name at once; a journal is removed only after that, and
what is in both counts once. Several processes may write to one folder, each by a writer of its own.

    OUT/evaluation.json              what is evaluated: dataset, arms, scorer
    OUT/results/arm=NAME/*.parquet   the results
    OUT/journal/*.jsonl              what is not yet in there
    OUT/lock                         held by the run that is going on
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import orjson
import pyarrow.parquet as pq

from mixture.errors import InvalidQuery
from mixture.evaluation.records import Record, table
from mixture.writing import write_json

PART = 5_000
"""Rows of a journal that become Parquet files; about what is held in memory."""


class StoreError(InvalidQuery):
    """The folder can't take these results; `message` says why."""


class Done:
    """Which positions of which arms are finished: a bit each."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._bits: dict[str, bytearray] = {}

    def add(self, position: int, arm: str) -> bool:
        """Note one; whether it is new."""
        bits = self._bits.setdefault(arm, bytearray(self._rows // 8 + 1))
        if position >> 3 >= len(bits):
            bits.extend(bytes((position >> 3) - len(bits) + 1))
        place, bit = position >> 3, 1 << (position & 7)
        new = not bits[place] & bit
        bits[place] |= bit
        return bool(new)

    def has(self, position: int, arm: str) -> bool:
        """Whether it is finished."""
        bits = self._bits.get(arm)
        return bits is not None and position >> 3 < len(bits) and bool(bits[position >> 3] & 1 << (position & 7))

    def count(self, arm: str) -> int:
        """How many are finished."""
        return int.from_bytes(self._bits.get(arm, b""), "big").bit_count()


class Store:
    """The folder of an evaluation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results"
        self.journals = folder / "journal"

    def begin(self, facts: Mapping[str, Any]) -> bool:
        """Make the folder, or take up the evaluation in it; whether there was one. `facts` is what must be the same for
        answers to be comparable. Raises StoreError naming what differs.
        """
        manifest = self.folder / "evaluation.json"
        before = self.facts()
        if before is not None:
            differing = sorted(name for name in facts.keys() | before.keys() if facts.get(name) != before.get(name))
            if differing:
                raise StoreError(
                    f"{self.folder} holds an evaluation with another {', '.join(differing)}: "
                    "name another folder with --out, or remove that one",
                    param="out",
                )
            return True
        if self.folder.exists() and any(self.folder.iterdir()):
            raise StoreError(f"{self.folder} holds something else: name another folder with --out", param="out")
        self.journals.mkdir(parents=True, exist_ok=True)
        write_json(manifest, facts, indent=2)
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Until the block ends the folder belongs to this process and those it starts. Raises StoreError when another
        evaluation is going on in it; the kernel lets go of it when the process ends, however it does.
        """
        with (self.folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"another evaluation is going on in {self.folder}", param="out") from None
            yield

    def facts(self) -> dict[str, Any] | None:
        """What is evaluated here; None when nothing is."""
        with suppress(FileNotFoundError, NotADirectoryError):
            found: dict[str, Any] = json.loads((self.folder / "evaluation.json").read_text(encoding="utf-8"))
            return found
        return None

    def recover(self, rows: int = 0) -> Done:
        """Make what journals were left with into Parquet files; which questions are finished."""
        done = Done(rows)
        for leftover in self.results.glob("arm=*/.*.partial"):
            leftover.unlink()
        for file in self.parts():
            arm = arm_of(file)
            for position in pq.ParquetFile(file).read(["position"])["position"].to_pylist():
                done.add(position, arm)
        for journal in sorted(self.journals.glob("*.jsonl")):
            kept = [row for row in _lines(journal) if done.add(row["position"], row["arm"])]
            self.write(kept)
            journal.unlink()
        return done

    def parts(self) -> list[Path]:
        """The Parquet files of the results."""
        return sorted(self.results.glob("arm=*/*.parquet"))

    def write(self, rows: list[Mapping[str, Any]]) -> None:
        """A Parquet file for each arm among `rows`. Each is there whole or not at all."""
        by_arm: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            by_arm[row["arm"]].append(row)
        for arm, found in by_arm.items():
            folder = self.results / f"arm={quote(arm, safe='')}"
            folder.mkdir(parents=True, exist_ok=True)
            first = min(row["position"] for row in found)
            name = f"{first:09d}-{secrets.token_hex(6)}"
            part = folder / f".{name}.partial"
            pq.write_table(table(found), part, compression="zstd")
            part.replace(folder / f"{name}.parquet")

    def writer(self) -> Writer:
        """A writer of its own for one process."""
        return Writer(self)


class Writer:
    """Takes records one by one. What was added survives the end of the process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: list[Mapping[str, Any]] = []
        store.journals.mkdir(parents=True, exist_ok=True)
        self._path = store.journals / f"{os.getpid()}-{secrets.token_hex(6)}.jsonl"
        self._file = self._path.open("ab", buffering=0)

    def add(self, record: Record) -> None:
        """Keep a record: when this returns it is with the operating system."""
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        self._file.write(line)
        self._rows.append(orjson.loads(line))
        if len(self._rows) >= PART:
            self.flush()

    def flush(self) -> None:
        """Make the journal into Parquet files, and begin it anew."""
        if self._rows:
            self._store.write(self._rows)
            self._rows = []
            self._file.truncate(0)

    def close(self) -> None:
        """Flush, and remove the journal."""
        self.flush()
        self._file.close()
        self._path.unlink(missing_ok=True)


def arm_of(part: Path) -> str:
    """The arm whose results are in a file: its folder says so, as is usual for partitioned Parquet."""
    return unquote(part.parent.name.removeprefix("arm="))


def _lines(journal: Path) -> Iterator[Mapping[str, Any]]:
    """The whole lines of a journal: the last may be cut."""
    with journal.open("rb") as lines:
        for line in lines:
            with suppress(orjson.JSONDecodeError):
                yield orjson.loads(line)
