"""Datasets as rows with a stable position: Parquet, JSONL and CSV, a file or a folder of them, never whole in memory.

A dataset is surveyed once, which reads it through and cuts it into shards. A shard can be read by itself, in this
process or in another one, and its rows have the same positions wherever it is read.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from mixture.errors import InvalidQuery
from mixture.evaluation.items import Broken

Format = Literal["parquet", "jsonl", "csv"]
Row = Mapping[str, Any]

SUFFIXES: Mapping[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
}
LINES = 2_000
"""Lines of a JSONL file in a shard."""
ROWS = 256
"""Rows of a Parquet file that are turned into Python at once."""
LONGEST_FIELD = 16_000_000
"""Characters of a field of a CSV file."""


class DatasetError(InvalidQuery):
    """The dataset can't be read at all; `message` names the file and the mending."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a file. `start` is a byte of a JSONL file or a row group of a Parquet file, after which `skip` rows are
    left out; `rows` counts what is in it, lines without JSON included; `first` is the position of its first row in the
    whole dataset.
    """

    file: str
    format: Format
    start: int
    rows: int
    first: int
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """A dataset as a whole: its shards in order, how many rows they have, and a digest of every byte."""

    shards: tuple[Shard, ...]
    rows: int
    digest: str


def survey(path: Path) -> Survey:
    """Look a dataset through. Raises DatasetError when there is none, or it is of no known kind."""
    shards: list[Shard] = []
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(path):
        kind = SUFFIXES[file.suffix.lower()]
        first = shards[-1].first + shards[-1].rows if shards else 0
        try:
            shards += _SURVEYORS[kind](file, first)
            with file.open("rb") as opened:
                while piece := opened.read(1 << 20):
                    digest.update(piece)
        except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
            raise DatasetError(f"{file}: not readable as {kind}: {error}", param="dataset") from None
    return Survey(tuple(shards), sum(shard.rows for shard in shards), digest.hexdigest())


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder", param="dataset")
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if _known(file))
    if not found:
        raise DatasetError(f"{path}: no {_KINDS} file in this folder", param="dataset")
    if not _known(found[0]):
        raise DatasetError(f"{path}: a file that ends in {_KINDS} is expected", param="dataset")
    return found


_KINDS = ", ".join(SUFFIXES)


def _known(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in SUFFIXES


def _survey_parquet(file: Path, first: int) -> Iterator[Shard]:
    metadata = pq.read_metadata(file)
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        yield Shard(str(file), "parquet", group, rows, first)
        first += rows


def _survey_jsonl(file: Path, first: int) -> Iterator[Shard]:
    with file.open("rb") as lines:
        while True:
            start = lines.tell()
            rows = sum(1 for _ in itertools.islice(lines, LINES))
            if not rows:
                return
            yield Shard(str(file), "jsonl", start, rows, first)
            first += rows


def _survey_csv(file: Path, first: int) -> Iterator[Shard]:
    """One shard a file: a line break may stand in quotes, so that no other place to cut is certain."""
    yield Shard(str(file), "csv", 0, sum(1 for _ in _csv(file)), first)


_SURVEYORS = {"parquet": _survey_parquet, "jsonl": _survey_jsonl, "csv": _survey_csv}


def cut(whole: Survey, most: int) -> list[Shard]:
    """The shards in pieces of at most so many rows, for processes that share the work."""
    return [
        replace(shard, rows=min(most, shard.rows - skip), first=shard.first + skip, skip=shard.skip + skip)
        for shard in whole.shards
        for skip in range(0, shard.rows, most)
    ]


def rows(shard: Shard) -> Iterator[tuple[int, Row | Broken]]:
    """The rows of a shard with their positions; what is no row is told where it stands."""
    return _READERS[shard.format](shard)


def _read_parquet(shard: Shard) -> Iterator[tuple[int, Row | Broken]]:
    begin, end, at = shard.skip, shard.skip + shard.rows, 0
    with pq.ParquetFile(shard.file) as file:
        for batch in file.iter_batches(ROWS, row_groups=[shard.start]):
            inside = batch.slice(max(0, begin - at), max(0, min(end, at + len(batch)) - max(begin, at)))
            yield from enumerate(inside.to_pylist(), shard.first + max(0, at - begin))
            at += len(batch)
            if at >= end:
                return


def _read_jsonl(shard: Shard) -> Iterator[tuple[int, Row | Broken]]:
    with Path(shard.file).open("rb") as lines:
        lines.seek(shard.start)
        wanted = itertools.islice(lines, shard.skip, shard.skip + shard.rows)
        for position, line in enumerate(wanted, shard.first):
            if line.strip():
                yield position, _parsed(position, line)


def _parsed(position: int, line: bytes) -> Row | Broken:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return Broken(position, f"not a JSON object: {error}")
    return row if isinstance(row, dict) else Broken(position, f"not a JSON object but {_kind(row)}")


def _kind(value: object) -> str:
    names = {"list": "a list", "str": "a text", "NoneType": "null", "bool": "true or false"}
    return names.get(type(value).__name__, "a number")


def _csv(file: Path) -> Iterator[list[str]]:
    """The rows of a CSV file, the header's first left out. Raises csv.Error for a file without one."""
    csv.field_size_limit(LONGEST_FIELD)
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as text:
        table = csv.reader(text, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
        if next(table, None) is None:
            raise csv.Error("it is empty; a header with the names of the columns is expected")
        yield from (row for row in table if row)


def _read_csv(shard: Shard) -> Iterator[tuple[int, Row | Broken]]:
    file = Path(shard.file)
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as text:
        names = next(csv.reader(text, delimiter="\t" if file.suffix.lower() == ".tsv" else ","))
    wanted = itertools.islice(_csv(file), shard.skip, shard.skip + shard.rows)
    for position, row in enumerate(wanted, shard.first):
        if len(row) == len(names):
            yield position, dict(zip(names, row, strict=True))
        else:
            yield position, Broken(position, f"{len(row)} fields where the header has {len(names)}")


_READERS = {"parquet": _read_parquet, "jsonl": _read_jsonl, "csv": _read_csv}
