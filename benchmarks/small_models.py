"""Whether small models can do most of the work: over MMLU-Pro's 14 categories, GSM8K and MATH level 5.

Four experts with recorded answers, the strongest of them dear: how much of the requests each strategy handles without
it, what that saves in money (`prices_mmlupro.yaml`) and in time (`rates.yaml`, in simulated time), and what of its
quality is kept. The real strategies run, on over 70,000 tasks (items x arms). Routers are calibrated on one half of the
items and measured on the other, in turn. Reference points, claimed elsewhere: 71.2% handled by small models, 8.3 times
cheaper, 3.2 times faster, above 95% of the quality.

Under one name the experts are of one family, but not all of one version: see VERSIONS.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks import simulated_time
from benchmarks.reporting import finish, need, options, progress, table
from mixture import Mixture
from mixture.evaluation import datasets
from mixture.evaluation.arms import Contest, LocalAnswerer, arms_of
from mixture.evaluation.attempts import Attempt
from mixture.evaluation.items import Item
from mixture.evaluation.layouts import LAYOUTS
from mixture.evaluation.plan import Evaluation
from mixture.evaluation.report.shares import shares
from mixture.evaluation.results import Results, load
from mixture.evaluation.runner import Runner, Terms
from mixture.evaluation.scorers import scorer_of
from mixture.evaluation.statistics.comparing import Comparison, against, by_domain
from mixture.evaluation.statistics.resampling import Interval, bootstrap_ratio
from mixture.evaluation.statistics.words import noninferior, statement
from mixture.evaluation.store import Done, Store
from mixture.routing import calibrating, storage
from mixture.routing.outcomes import load as load_log
from mixture.types import Message

STRONG = "strong"
VERSIONS: Mapping[str, Mapping[str, str]] = {
    STRONG: {"mmlu-pro": "gemini-1.5-pro-002", "gsm": "gemini-1.5-pro-exp-0801", "math-l5": "gemini-1.5-pro-exp-0827"},
    "flash": {"mmlu-pro": "gemini-1.5-flash-002", "gsm": "gemini-1.5-flash", "math-l5": "gemini-1.5-flash-exp-0827"},
    "llama-70b": dict.fromkeys(("mmlu-pro", "gsm", "math-l5"), "Meta-Llama-3.1-70B-Instruct"),
    "llama-8b": dict.fromkeys(("mmlu-pro", "gsm", "math-l5"), "Meta-Llama-3.1-8B-Instruct"),
}
SMALL = ("llama-8b", "flash", "llama-70b")
FILES = (
    "mmlupro_questions.parquet",
    "mmlupro_outputs.parquet",
    "zeroeval_items.parquet",
    "zeroeval_outputs_gsm.parquet",
    "zeroeval_outputs_math-l5.parquet",
)
PLAIN_ARMS = (STRONG, *SMALL, "auto", "voting_small", "cascade_agreeing")
ROUTED_ARMS = ("auto_calibrated", "quality_95", "quality_90")
"""Asked of a mixture whose router was calibrated on the other half."""
ALIASES: Mapping[str, Mapping[str, Any]] = {
    "voting_small": {"strategy": "voting", "experts": list(SMALL)},
    "cascade_agreeing": {
        "strategy": "cascade",
        "lead": 2,
        "experts": ["flash", "llama-70b", STRONG],
        "fallback_order": ["flash", "llama-70b", STRONG],
    },
    "auto_calibrated": {"strategy": "auto"},
    "quality_95": {"strategy": "task_based", "quality": 0.95},
    "quality_90": {"strategy": "task_based", "quality": 0.90},
}
REFERENCE = {"small": 0.712, "cheaper": 8.3, "faster": 3.2, "kept": 0.95}


def questions(data: Path) -> Iterator[dict[str, Any]]:
    """Every item with its answers, by expert: those to which all four have one."""
    yield from _mmlu_pro(data)
    for task, layout in (("gsm", "gsm8k"), ("math-l5", "math")):
        yield from _zeroeval(data, task, layout)


def _mmlu_pro(data: Path) -> Iterator[dict[str, Any]]:
    names = {versions["mmlu-pro"]: expert for expert, versions in VERSIONS.items()}
    said: dict[int, dict[str, str]] = {}
    for row in pq.read_table(data / FILES[1], filters=[("model", "in", list(names))]).to_pylist():
        said.setdefault(row["question_id"], {})[names[row["model"]]] = row["output"] or ""
    for row in pq.read_table(data / FILES[0], filters=[("n_options", ">", 1)]).to_pylist():
        item = LAYOUTS["mmlu-pro"].item(0, row)
        answers = said.get(row["question_id"], {})
        if len(answers) == len(VERSIONS):
            yield _question(f"mmlu-pro-{item.id}", item, row["category"], answers)


def _zeroeval(data: Path, task: str, layout: str) -> Iterator[dict[str, Any]]:
    names = {versions[task]: expert for expert, versions in VERSIONS.items()}
    said: dict[str, dict[str, str]] = {}
    for row in pq.read_table(
        data / f"zeroeval_outputs_{task}.parquet", filters=[("model", "in", list(names))]
    ).to_pylist():
        said.setdefault(row["id"], {})[names[row["model"]]] = row["output"] or ""
    for row in pq.read_table(data / FILES[2], filters=[("task", "=", task)]).to_pylist():
        item, answers = LAYOUTS[layout].item(0, row), said.get(row["id"], {})
        if len(answers) == len(VERSIONS):
            yield _question(f"{task}-{item.id}", item, task, answers)


def _question(name: str, item: Item, domain: str, answers: Mapping[str, str]) -> dict[str, Any]:
    asked = {"item": name, "prompt": item.prompt, "reference": item.reference, "domain": domain}
    return {**asked, "answers": answers}


_SCORERS = {kind: scorer_of(kind) for kind in ("choice", "numeric", "math")}


class Graded:
    """Grades each item by its kind, which its id begins with."""

    cheap = True

    async def score(self, item: Any, answer: str) -> Any:
        """See `Scorer`."""
        kind = "choice" if item.id.startswith("mmlu-pro") else "numeric" if item.id.startswith("gsm") else "math"
        return await _SCORERS[kind].score(item, answer)


def configuration(log: Path, router: Path | None = None) -> dict[str, Any]:
    """The four experts, replayed at their stated rates, and the arms' aliases."""
    listed = yaml.safe_load((Path(__file__).parent / "prices_mmlupro.yaml").read_text(encoding="utf-8"))
    rates = yaml.safe_load((Path(__file__).parent / "rates.yaml").read_text(encoding="utf-8"))
    experts = [
        {
            "name": name,
            "provider": "recorded",
            "price": dict(zip(("input", "output"), listed[versions["mmlu-pro"]], strict=True)),
            "options": {"file": str(log), "where": {"expert": name}, "rate": rates[name]},
        }
        for name, versions in VERSIONS.items()
    ]
    routed = {"router": {"kind": "learned", "file": str(router)}} if router else {}
    chosen = {name: alias for name, alias in ALIASES.items() if router or "quality" not in alias}
    return {"experts": experts, "aliases": chosen, **routed}


class Halves:
    """Answers each item from the mixture whose router has not seen it."""

    def __init__(self, halves: Sequence[LocalAnswerer], half: Mapping[str, int]) -> None:
        self._halves, self._half = halves, half

    async def ask(self, messages: Sequence[Message], model: str) -> Attempt:
        """See `Answerer`."""
        return await self._halves[self._half[messages[-1].text]].ask(messages, model)

    async def close(self) -> None:
        """Close both."""
        for answerer in self._halves:
            await answerer.close()


def write(asked: Sequence[Mapping[str, Any]], folder: Path) -> tuple[Path, Path]:
    """The dataset and the recorded answers as files."""
    dataset, log = folder / "questions.jsonl", folder / "answers.parquet"
    with dataset.open("w", encoding="utf-8") as lines:
        for one in asked:
            lines.write(json.dumps({name: one[name] for name in ("item", "prompt", "reference", "domain")}) + "\n")
    rows = [
        {"prompt": one["prompt"], "expert": expert, "response": said}
        for one in asked
        for expert, said in one["answers"].items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), log)
    return dataset, log


async def evaluated(dataset: Path, contest: Contest, folder: Path) -> Results:
    """Ask everything; the results."""
    columns = {name: name for name in ("prompt", "reference", "domain", "item")}
    plan = Evaluation(dataset, datasets.survey(dataset), contest.arms, "exact", columns=columns)
    store = Store(folder)
    store.begin(plan.facts)
    writer = store.writer()
    try:
        await Runner(contest, Graded(), writer, Terms(concurrency=8, patience=0)).run(plan.items(), Done(plan.rows))
    finally:
        writer.close()
        await contest.close()
    return load(folder)


def calibrated(folder: Path, asked: Sequence[Mapping[str, Any]], half: Mapping[str, int]) -> list[Path]:
    """A router's file for each half, learned from what the single experts did on the other one."""
    whole = load_log(folder).among(list(VERSIONS))
    files = []
    for number in (0, 1):
        places = [place for place, prompt in enumerate(whole.prompts) if half[prompt] != number]
        files.append(folder.parent / f"router-{number}.npz")
        storage.save(calibrating.calibrate(whole.rows(places)), files[-1])
    return files


def run(asked: Sequence[Mapping[str, Any]], folder: Path) -> Results:
    """Every arm on every question, those with a calibrated router after the single experts."""
    dataset, log = write(asked, folder)
    half = {one["prompt"]: number % 2 for number, one in enumerate(asked)}

    def answerer(router: Path | None) -> LocalAnswerer:
        loop = asyncio.get_running_loop()
        return LocalAnswerer(Mixture.from_config(configuration(log, router)), loop.time)

    async def plain() -> Results:
        return await evaluated(dataset, Contest.alike(arms_of(PLAIN_ARMS), answerer(None)), folder / "plain")

    async def routed(files: Sequence[Path]) -> Results:
        halves = Halves([answerer(file) for file in files], half)
        return await evaluated(dataset, Contest.alike(arms_of(ROUTED_ARMS), halves), folder / "routed")

    first = simulated_time.run(plain())
    progress(f"{first.asked.sum()} questions asked; calibrating on halves")
    return joined(first, simulated_time.run(routed(calibrated(folder / "plain", asked, half))))


def joined(first: Results, second: Results) -> Results:
    """The arms of both, on the same items."""
    figures = {name: np.hstack([table, second.figures[name]]) for name, table in first.figures.items()}
    return Results(
        first.arms + second.arms,
        first.positions,
        first.domains,
        figures,
        np.hstack([first.asked, second.asked]),
        np.hstack([first.failed, second.failed]),
    )


def handled(folder: Path) -> dict[str, Interval]:
    """For each arm the share of requests without a call to the strong expert."""
    found: dict[str, Interval] = {}
    for part in ("plain", "routed"):
        results = load(folder / part)
        names = ["arm", "asked", "by", "error", "calls", "cost_usd", "proposals"]
        found |= shares(results.rows().to_table(columns=names), results.arms, [STRONG]).small
    return found


def facts(results: Results, small: Mapping[str, Interval], comparison: Comparison | None, arm: str) -> dict[str, Any]:
    """What is found of an arm, beside always asking the strong expert."""
    mine, strong = results.column(arm), results.column(STRONG)
    figures: dict[str, Interval] = {
        "small": small[arm],
        "cheaper": bootstrap_ratio(results.costs[:, strong], results.costs[:, mine], resamples=2_000),
        "faster": bootstrap_ratio(results.latencies[:, strong], results.latencies[:, mine], resamples=2_000),
        "kept": bootstrap_ratio(results.scores[:, mine], results.scores[:, strong], resamples=2_000),
    }
    said: dict[str, Any] = {"accuracy": round(float(results.scores[:, mine].mean()), 4)}
    for name, figure in figures.items():
        said |= {
            name: round(figure.value, 4),
            f"{name}_low": round(figure.low, 4),
            f"{name}_high": round(figure.high, 4),
        }
    if comparison is not None:
        said |= {
            "p_holm": round(comparison.p_holm, 6),
            "p_mcnemar": comparison.p_mcnemar,
            "cohen_h": round(comparison.h or 0.0, 4),
            "says": statement(comparison),
            "within_5_points": noninferior(comparison, 0.05),
        }
    return said


def line(arm: str, found: Mapping[str, Any]) -> tuple[object, ...]:
    """A line of the table."""
    return (
        arm,
        f"{found['accuracy']:.2%}",
        f"{found['kept']:.1%} ({found['kept_low']:.1%} .. {found['kept_high']:.1%})",
        f"{found['small']:.1%}",
        f"{found['cheaper']:.2f} ({found['cheaper_low']:.2f} .. {found['cheaper_high']:.2f})",
        f"{found['faster']:.2f} ({found['faster_low']:.2f} .. {found['faster_high']:.2f})",
        "" if "p_holm" not in found else f"{found['p_holm']:.4f}",
        "" if "cohen_h" not in found else f"{found['cohen_h']:+.3f}",
    )


def domain_lines(results: Results, arms: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """The points that some arms gain or lose in each domain, with their intervals; a star where that is certain."""
    compared = {arm: {one.domain: one for one in by_domain(results, arm, STRONG)} for arm in arms}
    for domain, first in compared[arms[0]].items():
        cells = []
        for arm in arms:
            one = compared[arm][domain]
            star = "*" if one.p_holm < 0.05 and not one.difference.holds_zero else ""
            low, high = 100 * one.difference.low, 100 * one.difference.high
            cells.append(f"{100 * one.difference.value:+.1f} ({low:+.1f} .. {high:+.1f}){star}")
        yield domain, first.items, f"{first.baseline_mean:.1%}", *cells


def show(results: Results, small: Mapping[str, Interval]) -> dict[str, Any]:
    """Print the tables; return the last line."""
    comparisons = {one.arm: one for one in against(results, STRONG, stratified=True)}
    found = {arm: facts(results, small, comparisons.get(arm), arm) for arm in results.arms}
    columns = (
        "arm",
        "accuracy",
        "quality kept, 95%",
        "small only",
        "times cheaper, 95%",
        "times faster, 95%",
        "p, Holm",
        "h",
    )
    tasks, domains = int(results.asked.sum()), len(set(results.domains))
    title = (
        f"{tasks} tasks ({len(results.positions)} items x {len(results.arms)} arms, {domains} domains), "
        f"against {STRONG}"
    )
    table(title, columns, [line(arm, facts_of) for arm, facts_of in found.items()])
    shown = ("cascade_agreeing", "quality_95", "auto_calibrated")
    heads = ("domain", "items", STRONG, *(f"{arm}, points" for arm in shown))
    table("by domain; *: certain after Holm's correction", heads, domain_lines(results, shown))
    for one in found.values():
        if "says" in one:
            print(f"{one['says']} {one['within_5_points']}")
    print(f"Reference points, claimed elsewhere: {REFERENCE}")
    reached = [
        arm
        for arm, one in found.items()
        if arm != STRONG and all(one[name] >= least for name, least in REFERENCE.items())
    ]
    print(f"All four reached at once by: {', '.join(reached) or 'nobody'}")
    return {"tasks": tasks, "domains": domains, "items": len(results.positions), "arms": found, "reached_all": reached}


def main() -> None:
    """Ask, calibrate, ask again, print."""
    parser = options(__doc__, data=True)
    chosen = parser.parse_args()
    need(chosen.data, *FILES)
    asked = list(questions(chosen.data))
    if chosen.quick:
        asked = random.Random(0).sample(asked, 400)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        results = run(asked, folder)
        finish("small_models", show(results, handled(folder)), save=chosen.save)


if __name__ == "__main__":
    main()
