"""Every strategy on the whole of GSM8K and MATH level 5, by `mixture evaluate`: one command, two reports.

The answers are ZeroEval's recorded ones of real models; the prices stand in `prices.yaml` and `prices_mathl5.yaml`.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from benchmarks.processes import command
from benchmarks.reporting import finish, need, options, progress, table
from mixture.config import STRATEGY_NAMES

TASKS = {"gsm": "gsm8k", "math-l5": "math"}
"""ZeroEval's name -> the layout."""
PANEL = {
    "gsm": (
        "claude-3-5-sonnet-20241022",
        "gpt-4o-mini-2024-07-18",
        "deepseek-chat",
        "gemini-1.5-flash",
        "claude-3-haiku-20240307",
        "Meta-Llama-3.1-8B-Instruct",
    ),
    "math-l5": (
        "gemini-1.5-pro-exp-0827",
        "claude-3-5-sonnet-20241022",
        "grok-2-1212",
        "Qwen2.5-72B-Instruct",
        "gpt-4o-mini-2024-07-18",
        "gemini-1.5-flash-exp-0827",
        "deepseek-v2.5-0908",
        "Qwen2.5-7B-Instruct",
    ),
}
"""The experts; the first is what everything is compared with."""
FILES = ("zeroeval_items.parquet", "zeroeval_answers.parquet", *(f"zeroeval_outputs_{task}.parquet" for task in TASKS))


def prices(task: str) -> Mapping[str, Mapping[str, float]]:
    """What the experts of a task cost, in US dollars per million tokens."""
    folder = Path(__file__).parent
    if task == "gsm":
        listed = yaml.safe_load((folder / "prices.yaml").read_text(encoding="utf-8"))
        found = {**listed["cheap"], **listed["strong"]}
        return {name: {kind: found[name][kind] for kind in ("input", "output")} for name in PANEL[task]}
    listed = yaml.safe_load((folder / "prices_mathl5.yaml").read_text(encoding="utf-8"))
    return {name: dict(zip(("input", "output"), listed[name], strict=True)) for name in PANEL[task]}


def configuration(data: Path, task: str) -> dict[str, Any]:
    """Experts that replay what was recorded."""
    replayed = {
        "file": str((data / f"zeroeval_outputs_{task}.parquet").resolve()),
        "items": str((data / FILES[0]).resolve()),
        "items_where": {"task": task},
        "prompt": "question",
        "response": "output",
    }
    experts = [
        {
            "name": name,
            "provider": "recorded",
            "skills": ["math"],
            "price": price,
            "options": {**replayed, "where": {"model": name}},
        }
        for name, price in prices(task).items()
    ]
    return {"experts": experts}


def dataset(data: Path, task: str, to: Path) -> None:
    """The questions as JSONL."""
    items = pq.read_table(data / FILES[0], filters=[("task", "=", task)]).to_pylist()
    with to.open("w", encoding="utf-8") as lines:
        for item in items:
            lines.write(json.dumps({name: item[name] for name in ("id", "question", "gold")}) + "\n")


def recorded(data: Path, task: str) -> dict[tuple[str, str], bool]:
    """ZeroEval's own verdicts, by model and item."""
    rows = pq.read_table(data / FILES[1], filters=[("task", "=", task), ("model", "in", list(PANEL[task]))]).to_pylist()
    return {(row["model"], row["id"]): row["correct"] for row in rows}


def evaluated(data: Path, task: str, folder: Path, limit: int | None) -> dict[str, Any]:
    """Run `mixture evaluate` and `mixture report` on a task; the report's summary."""
    file, config = folder / f"{task}.jsonl", folder / f"{task}.yaml"
    dataset(data, task, file)
    config.write_text(yaml.safe_dump(configuration(data, task), sort_keys=False), encoding="utf-8")
    arms = [word for name in (*PANEL[task], *STRATEGY_NAMES) for word in ("--arm", name)]
    few = ["--limit", str(limit), "--sample"] if limit else []
    out = folder / task
    asked = ["evaluate", str(file), "--layout", TASKS[task], "--config", str(config), "--out", str(out), *arms, *few]
    subprocess.run(command(*asked), check=True)
    subprocess.run(command("report", str(out), "--title", f"ZeroEval {task}", "--strong", PANEL[task][0]), check=True)
    found: dict[str, Any] = json.loads((out / "report" / "summary.json").read_text(encoding="utf-8"))
    return found


def differing(folder: Path, data: Path, task: str) -> dict[str, int]:
    """For each single model, how many of our grades are not ZeroEval's."""
    from mixture.evaluation.results import load

    rows = load(folder / task).rows().to_table(columns=["arm", "item", "score"]).to_pylist()
    verdicts = recorded(data, task)
    differ = Counter(row["arm"] for row in rows if bool(row["score"]) != verdicts.get((row["arm"], row["item"]), False))
    return {name: differ[name] for name in PANEL[task]}


def show(task: str, found: Mapping[str, Any], differ: Mapping[str, int]) -> dict[str, Any]:
    """Print a task's table; what goes into the last line."""
    comparisons = {one["arm"]: one for one in found["comparisons"]}
    rows: list[Sequence[object]] = []
    for arm in found["arms"]:
        score, against = arm["standing"]["score"], comparisons.get(arm["name"])
        lead = (
            ""
            if against is None
            else f"{100 * against['difference']['low']:+.1f} .. {100 * against['difference']['high']:+.1f}"
        )
        rows.append(
            (
                arm["name"],
                f"{score['value']:.2%}",
                f"{score['low']:.2%} .. {score['high']:.2%}",
                lead,
                "" if against is None else f"{against['p_holm']:.3f}",
                f"{arm['calls']:.2f}",
                f"{1e3 * arm['cost_usd']:.3f}",
                f"{found['shares']['small'][arm['name']]['value']:.1%}",
                arm["failed"] or "",
                differ.get(arm["name"], ""),
            )
        )
    columns = (
        "arm",
        "score",
        "95%",
        "points, 95%",
        "p, Holm",
        "calls",
        "USD/1000",
        "small only",
        "failed",
        "grades differ",
    )
    table(f"{task}: {found['items']} items, against {found['baseline']}", columns, rows)
    return {
        "items": found["items"],
        "arms": {
            arm["name"]: {
                "accuracy": round(arm["standing"]["score"]["value"], 4),
                "calls": round(arm["calls"], 3),
                "cost_usd": round(arm["total_usd"], 5),
                "small": round(found["shares"]["small"][arm["name"]]["value"], 4),
            }
            for arm in found["arms"]
        },
        "grades_differ_from_zeroeval": differ,
    }


def main() -> None:
    """Evaluate, report, print."""
    parser = options(__doc__, data=True)
    parser.add_argument("--out", type=Path, help="keep results and reports in this folder")
    chosen = parser.parse_args()
    need(chosen.data, *FILES)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        result = {}
        for task in TASKS:
            progress(task)
            found = evaluated(chosen.data, task, folder, 60 if chosen.quick else None)
            result[task] = show(task, found, differing(folder, chosen.data, task))
            if chosen.out:
                progress(f"the report: {folder / task / 'report' / 'report.html'}")
    finish("zeroeval", result, save=chosen.save)


if __name__ == "__main__":
    main()
