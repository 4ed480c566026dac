"""CSV and TSV: a line a row, each value behind the name of its column, so that a row can be understood by itself."""

from __future__ import annotations

import csv
from itertools import islice

from mixture.retrieval.reading.text import read as read_text
from mixture.retrieval.reading.unreadable import Unreadable

SAMPLE = 8_192
"""Characters by which it is told what separates the values."""
LONGEST_VALUE = 131_072
"""Characters of one value; a file with longer ones is no table for people."""


def read(data: bytes, most: int) -> str:
    """The rows. Raises Unreadable for what is no table."""
    text = read_text(data, most)
    try:
        dialect: type[csv.Dialect] | str = csv.Sniffer().sniff(text[:SAMPLE], ",;\t|")
    except csv.Error:
        dialect = "excel"
    csv.field_size_limit(LONGEST_VALUE)  # it is one for the whole process: whoever reads a table says what holds
    rows = csv.reader(text.splitlines(), dialect)
    try:
        names = [" ".join(name.split()) for name in next(rows, [])]
        lines, size = [], 0
        for row in rows:
            line = _line(names, row)
            size += len(line)
            if size > most:
                raise Unreadable(f"as text its rows are longer than {most:,} characters (documents.max_file_bytes)")
            lines.append(line)
    except csv.Error as error:
        raise Unreadable(f"it can't be read as a table: {error}") from None
    return "\n".join(line for line in lines if line) if lines else " ".join(names)


def _line(names: list[str], row: list[str]) -> str:
    named = [*names, *(f"column {n}" for n in range(len(names) + 1, len(row) + 1))]
    values = [f"{name}: {' '.join(value.split())}" for name, value in zip(named, row, strict=False) if value.strip()]
    return f"- {'; '.join(islice(values, 1_000))}" if values else ""
