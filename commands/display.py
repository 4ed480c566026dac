"""Where the commands print to, and how they print faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from mixture.config import ConfigError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def faults(error: ConfigError, where: str) -> None:
    """Print every fault of a configuration, a line each."""
    lines = error.message.splitlines()
    err.print(f"[red]{escape(where)}: {len(lines)} {'fault' if len(lines) == 1 else 'faults'}[/]")
    for line in lines:
        err.print(f"  {escape(line)}", soft_wrap=True)
