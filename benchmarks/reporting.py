"""What every benchmark says in the same way: its options, its table, its last line, the results that are kept."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("mixture", "ray", "fastapi", "uvicorn", "aiohttp", "openai")
_STARTED = time.monotonic()


def options(doc: str | None, *, data: bool = False) -> argparse.ArgumentParser:
    """The options that benchmarks share. `doc` is the module's docstring.

    From here on SIGTERM ends the benchmark as Ctrl-C does: what it started is ended first.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller sample, in under 50 seconds on 2 cores")
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results")
    if data:
        folder = Path(os.environ.get("MIXTURE_DATA", "../shared/data"))
        parser.add_argument("--data", type=Path, default=folder, help="the folder of recorded data")
    return parser


def need(folder: Path, *names: str) -> None:
    """End here, with success and a reason, when the recorded data is not there."""
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        skipped(f"{folder} has no {', '.join(missing)}; name the folder with --data or MIXTURE_DATA")


def skipped(why: str) -> NoReturn:
    """End here, with success, a reason, and a last line that holds it."""
    print(f"skipped: {why}")
    print(json.dumps({"skipped": why}), flush=True)
    sys.exit(0)


def progress(what: str) -> None:
    """Tell on standard error what is going on, and how many seconds it has been going on."""
    print(f"[{time.monotonic() - _STARTED:5.1f} s] {what}", file=sys.stderr, flush=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table for people; the first column holds names, the others numbers."""
    shown = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        shown.add_column(column, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        shown.add_row(*map(str, row))
    Console(width=None if sys.stdout.isatty() else 140).print(shown)


def finish(name: str, result: Mapping[str, Any], *, save: bool, **more_versions: str) -> None:
    """Print the last line; keep it with its circumstances when asked to."""
    if save:
        RESULTS.mkdir(exist_ok=True)
        kept = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
            "versions": {"python": platform.python_version(), **_versions(), **more_versions},
            "command": " ".join(["python -m", f"benchmarks.{name}", *_public(sys.argv[1:])]),
            "result": result,
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result), flush=True)


def _public(arguments: Sequence[str]) -> list[str]:
    """The arguments without paths of this machine."""
    return [Path(argument).name if os.sep in argument else argument for argument in arguments]


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
