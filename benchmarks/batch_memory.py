"""The memory of `mixture evaluate` in one process over a million items, two arms of scripted experts, and at its end.

When all is asked the figures of all items are read once, to say what they show; that is told apart.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml

from benchmarks.batch import EXPERTS, dataset, words
from benchmarks.processes import rss_mib
from benchmarks.reporting import finish, options, progress, table

Seen = tuple[int, float]
"""Answers that are kept, and MiB in use."""


def config(folder: Path) -> Path:
    """Two experts that always say the same."""
    said = {"provider": "scripted", "options": {"text": "the answer is 7"}, "price": {"input": 1, "output": 1}}
    path = folder / "scripted.yaml"
    path.write_text(yaml.safe_dump({"experts": [{"name": name, **said} for name in EXPERTS]}), encoding="utf-8")
    return path


def watched(folder: Path, size: int, every: float) -> list[Seen]:
    """Answers and memory, every so many seconds from the first results to the end."""
    file, out = dataset(folder / "many.jsonl", size), folder / "many"
    asked = words(file, out, "--config", str(config(folder)), "--concurrency", "32")
    process = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found: list[Seen] = []
    told = time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(every)
            done = kept(out)
            if done and (used := rss_mib(process.pid)):
                found.append((done, round(used, 1)))
            if time.monotonic() - told > 10:
                told = time.monotonic()
                progress(f"{done} of {size * len(EXPERTS)}: {found[-1][1] if found else 0:.0f} MiB")
    finally:
        process.terminate()
        process.wait()
    return found


def kept(out: Path) -> int:
    """The rows of the results so far."""
    return sum(pq.read_metadata(part).num_rows for part in (out / "results").glob("arm=*/*.parquet"))


def growth(seen: Sequence[Seen]) -> float:
    """By how much the memory in use grew from the first half of a run to its second, as a share."""
    used = np.array([mebibytes for _, mebibytes in seen])
    half = len(used) // 2
    return float(np.median(used[half:]) / np.median(used[:half]) - 1) if half else 0.0


def main() -> None:
    """Measure it."""
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=0, help="default 1,000,000, quick 20,000")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between looks at the memory")
    chosen = parser.parse_args()
    size = chosen.items or (20_000 if chosen.quick else 1_000_000)
    with tempfile.TemporaryDirectory() as temporary:
        seen = watched(Path(temporary), size, chosen.every)
    asking = [one for one in seen if one[0] < size * len(EXPERTS)]
    tenths = [asking[place] for place in np.linspace(0, len(asking) - 1, 11).astype(int)]
    table(
        f"{size} items, {len(EXPERTS)} arms",
        ("answers", "MiB"),
        [*tenths, ("at most, while it asks", max(asking, key=lambda one: one[1])[1])],
    )
    result = {
        "items": size,
        "answers": seen[-1][0],
        "rss_growth": round(growth(asking), 4),
        "asking_mib": max(used for _, used in asking),
        "closing_mib": max(used for _, used in seen),
        "mib": tenths,
    }
    finish("batch_memory", result, save=chosen.save)


if __name__ == "__main__":
    main()
