"""Files that are written whole or not at all, wherever a process dies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Have `write` write the file at `path`: a reader sees what was there before or all that is new, also after a crash
    of the machine. Several processes may do so at once; the last one stays. Raises OSError, and what `write` raises;
    nothing is left then.
    """
    beside = path.with_name(f".{path.name}.{token_hex(4)}.partial")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """`data` as a file; see `write_whole`."""
    write_whole(path, lambda file: file.write(data))


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """`value` as JSON in UTF-8; see `write_whole`."""
    write_bytes(path, json.dumps(value, indent=indent, ensure_ascii=False).encode() + b"\n")
