"""Markdown's marks around what other formats hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TICKS = re.compile(r"`{3,}")


def fenced(code: str) -> str:
    """`code` as a block that nothing in it ends."""
    longest = max((len(found) for found in _TICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{code}\n{fence}"


def row(cells: Iterable[str]) -> str:
    """A row of a table, in one line."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells) + " |"
