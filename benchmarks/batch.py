"""`mixture evaluate` as a batch: questions a second in one process, on Ray Data and against the HTTP endpoint.

With recorded experts made for it; and whether a run that is killed again and again comes to the same results.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.processes import command, serving
from benchmarks.reporting import finish, options, progress, table

EXPERTS = ("small", "large")
KILLS = 10
LATENCY = 0.02
"""Seconds of an answer where a run is to be killed: time to kill it in."""
VOLATILE = ["timestamp", "latency_s", "proposals"]
"""Columns that differ from run to run."""


def question(number: int) -> str:
    """A prompt of the length of a word problem."""
    return (
        f"Item {number}: a shop sells {number} apples a day for {number % 7 + 1} dollars each. How much is that a week?"
    )


def dataset(file: Path, size: int) -> Path:
    """So many questions as JSONL."""
    with file.open("w", encoding="utf-8") as lines:
        for number in range(size):
            answer = 7 * number * (number % 7 + 1)
            lines.write(json.dumps({"question": question(number), "answer": f"#### {answer}"}) + "\n")
    return file


def recorded(folder: Path, size: int, latency: float = 0.0) -> dict[str, Any]:
    """Experts that replay answers, of which the small one's are wrong for every third question."""
    rows = [
        {
            "prompt": question(number),
            "expert": expert,
            "response": f"It is a week: the answer is {7 * number * (number % 7 + 1) + wrong}.",
        }
        for number in range(size)
        for expert, wrong in ((EXPERTS[0], int(number % 3 == 0)), (EXPERTS[1], 0))
    ]
    log = folder / "answers.parquet"
    pq.write_table(pa.Table.from_pylist(rows), log)
    experts = [
        {
            "name": name,
            "provider": "recorded",
            "price": {"input": price, "output": price},
            "options": {"file": str(log), "where": {"expert": name}, "latency": latency},
        }
        for name, price in zip(EXPERTS, (0.1, 3.0), strict=True)
    ]
    return {"experts": experts, "server": {"log": "off"}}


def words(file: Path, out: Path, *more: str) -> list[str]:
    """The command line of a run."""
    arms = [word for name in EXPERTS for word in ("--arm", name)]
    return command("evaluate", str(file), "--layout", "gsm8k", "--out", str(out), *arms, *more)


def rate(out: Path) -> float:
    """Questions a second, from the first to the last: without what starting takes."""
    times = pd.read_parquet(out / "results", columns=["timestamp"])["timestamp"]
    return float((len(times) - 1) / (times.max() - times.min()))


def throughput(folder: Path, size: int) -> dict[str, float]:
    """Questions a second in each of the three ways."""
    file, config = dataset(folder / "items.jsonl", size), recorded(folder, size)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    found = {}
    for name, more in (("process", ()), ("ray", ("--ray", "2"))):
        progress(name)
        subprocess.run(words(file, folder / name, "--config", str(path), "--concurrency", "32", *more), check=True)
        found[name] = rate(folder / name)
    with serving(config) as server:
        progress("endpoint")
        environ = {**os.environ, "MIXTURE_API_KEY": server.key}
        asked = words(file, folder / "endpoint", "--endpoint", server.url, "--concurrency", "32")
        subprocess.run(asked, check=True, env=environ)
    found["endpoint"] = rate(folder / "endpoint")
    return found


def told(out: Path) -> pd.DataFrame:
    """What results say, without what differs from run to run."""
    frame = pd.read_parquet(out / "results").drop(columns=VOLATILE)
    return frame.sort_values(["arm", "position"]).reset_index(drop=True)


def killed(folder: Path, size: int, kills: int, seed: int) -> Mapping[str, Any]:
    """Run once to the end, and once with so many kills at random moments; whether the results are equal."""
    file, config = dataset(folder / "few.jsonl", size), recorded(folder, size, LATENCY)
    path = folder / "slow.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(words(file, folder / "whole", "--config", str(path), "--concurrency", "8"), check=True, **quiet)
    chance, done = random.Random(seed), 0
    while not _ended(folder, path, file, chance.uniform(0, 1.5 * size * LATENCY / 8 / kills) if done < kills else None):
        done += 1
        progress(f"killed {done} times")
    whole, again = told(folder / "whole"), told(folder / "killed")
    return {
        "kills": done,
        "equal": bool(whole.equals(again)),
        "rows": len(again),
        "twice": int(again.duplicated(["arm", "position"]).sum()),
    }


def _ended(folder: Path, path: Path, file: Path, kill_after: float | None) -> bool:
    """Whether a run came to its end before it was killed, so many seconds after its first answer.

    Raises RuntimeError when it ended by itself with an error.
    """
    asked = words(file, folder / "killed", "--config", str(path), "--concurrency", "8")
    process = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if kill_after is not None:
        _begun(folder / "killed" / "journal", process)
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
    if (code := process.wait()) not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a run ended with {code}: {' '.join(asked)}")
    return code == 0


def _begun(journals: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a run asks."""
    while process.poll() is None and not any(file.stat().st_size for file in journals.glob(f"{process.pid}-*.jsonl")):
        time.sleep(0.02)


def main() -> None:
    """Measure what is asked for."""
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=0, help="questions for the throughput; default 5000, quick 600")
    chosen = parser.parse_args()
    size = chosen.items or (600 if chosen.quick else 5_000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rates = throughput(folder, size)
        kills = killed(folder, 300 if chosen.quick else 1_500, 2 if chosen.quick else KILLS, seed=os.getpid())
        table(f"{size} items, {len(EXPERTS)} arms", ("way", "questions/s"), [(n, f"{r:.0f}") for n, r in rates.items()])
        table("killed at random moments", tuple(kills), [tuple(kills.values())])
        finish("batch", {f"questions_per_s_{name}": round(r, 1) for name, r in rates.items()} | kills, save=chosen.save)


if __name__ == "__main__":
    main()
