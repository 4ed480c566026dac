"""Parquet files as columns that are read once a process, and an index of prompts over their rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Columns = str | tuple[str, ...]
Value = str | int | bool

# A table lives as long as an expert uses it, and every expert of the same files uses the same one.
_open: WeakValueDictionary[tuple[str, ...], Table] = WeakValueDictionary()


class Table:
    """The columns of some Parquet files, each read when it is first used."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self.files = files
        self._columns: dict[str, Any] = {}

    @classmethod
    def of(cls, files: str | tuple[str, ...]) -> Table:
        """The one table of these files in this process."""
        paths = tuple(str(Path(file).resolve()) for file in ((files,) if isinstance(files, str) else files))
        table = _open.get(paths)
        if table is None:
            table = _open[paths] = cls(paths)
        return table

    def column(self, name: str) -> Any:
        """The values of a column as an Arrow array. Raises ValueError where there is none."""
        if name not in self._columns:
            parts = [_read(file, name) for file in self.files]
            whole = pa.concat_tables(parts, promote_options="permissive").column(0).combine_chunks()
            if pa.types.is_dictionary(whole.type):
                whole = whole.dictionary_decode()
            self._columns[name] = whole
        return self._columns[name]

    def rows(self, where: Mapping[str, Value]) -> Sequence[int]:
        """The numbers of the rows that have these values."""
        if not where:
            return range(self.size)
        mask = np.ones(self.size, dtype=bool)
        for name, value in where.items():
            same = pc.equal(self.column(name), value)
            mask &= np.asarray(pc.fill_null(same, False))
        return np.flatnonzero(mask).tolist()

    def keys(self, columns: Columns, rows: Sequence[int]) -> list[int]:
        """The key of the prompt in each of `rows`."""
        parts = [self.column(name) for name in ((columns,) if isinstance(columns, str) else columns)]
        return [key("\n".join(_asked(part[row].as_py()) for part in parts)) for row in rows]

    @cached_property
    def size(self) -> int:
        """How many rows there are."""
        return sum(pq.read_metadata(file).num_rows for file in self.files)


def _read(file: str, name: str) -> Any:
    schema = pq.read_schema(file)
    if name not in schema.names:
        raise ValueError(f"{file} has no column {name!r}; it has: {', '.join(schema.names)}")
    return pq.read_table(file, columns=[name])


def _asked(value: Any) -> str:
    """The text of a prompt; of messages, the last one from the user."""
    if isinstance(value, list):
        texts = [message.get("content") for message in value if message.get("role") == "user"]
        return str(texts[-1]) if texts else ""
    return "" if value is None else str(value)


def key(prompt: str) -> int:
    """64 bits that stand for a prompt, however its blanks and accents are written."""
    text = " ".join(unicodedata.normalize("NFC", prompt).split())
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Index:
    """Prompt key -> row, in twelve bytes a prompt."""

    keys: Any
    rows: Any

    @classmethod
    def of(cls, keys: Sequence[int], rows: Sequence[int]) -> Index:
        """An index in which the first row of a prompt counts."""
        unique, first = np.unique(np.array(keys, dtype=np.uint64), return_index=True)
        return cls(unique, np.array(rows, dtype=np.int32)[first])

    def row(self, prompt_key: int) -> int | None:
        """The row of a prompt, None when there is none."""
        place = int(np.searchsorted(self.keys, np.uint64(prompt_key)))
        if place == len(self.keys) or int(self.keys[place]) != prompt_key:
            return None
        return int(self.rows[place])
