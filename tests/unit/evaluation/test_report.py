"""Reports: what is computed, that no text of a model gets into the page as code, and what they can be made of."""

import json
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from typer.testing import CliRunner

from commands.main import app
from mixture.config import parse
from mixture.evaluation import results
from mixture.evaluation.report.labels import label
from mixture.evaluation.report.page import html, write
from mixture.evaluation.report.sources import opened
from mixture.evaluation.report.summary import summarise
from mixture.evaluation.report.traffic import of_ledger
from mixture.evaluation.results import ResultsError
from mixture.ledger.database import connect
from mixture.ledger.entries import Entry
from mixture.ledger.store import _booked
from tests.unit.evaluation.conftest import expert

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def folder(bench):
    """60 items, three experts of different worth and price, and their vote."""
    rng = np.random.default_rng(0)
    bench.rows, said = [], {"poor": {}, "fair": {}, "dear": {}}
    for number in range(60):
        question = f"number {number}, how many? {SCRIPT}"
        bench.rows.append({"question": question, "answer": str(number % 7), "domain": "odd" if number % 2 else "even"})
        for name, chance in (("poor", 0.3), ("fair", 0.6), ("dear", 0.95)):
            right = rng.random() < chance
            said[name][f"number {number},"] = f"{SCRIPT} The answer is {number % 7 if right else 9}"
    prices = {"poor": 1, "fair": 3, "dear": 60}
    experts = [expert(name, text) | {"price": {"input": prices[name], "output": 0}} for name, text in said.items()]
    bench.config = parse({"experts": experts}, {})
    await bench.run("dear", "fair", "poor", "voting", "cheap=fair")
    return bench.folder / "out"


def test_a_summary_of_everything(folder):
    found = summarise(results.load(folder))
    assert found.items == 60
    assert [arm.name for arm in found.arms] == ["dear", "fair", "poor", "voting", "cheap"]
    assert found.best.name == "dear"
    assert {arm.name for arm in found.arms if arm.efficient} == {"dear", "fair", "poor", "cheap"}
    assert found.shares.strong == ("dear",)
    assert found.shares.small["fair"].value == 1.0
    assert found.shares.small["dear"].value == found.shares.small["voting"].value == 0.0
    assert [domain.name for domain in found.domains] == ["even", "odd"]
    assert found.lifts["voting"][0].expert in ("dear", "fair")
    assert found.calibrations["voting"].signal == "agreement"
    assert any("poor scores less than dear" in said for said in found.statements)
    assert json.loads(json.dumps(found.plain()))["baseline"] == "dear"
    assert all(case.answers[0].arm == "dear" for case in found.disagreements)
    assert all(case.answers[0].score == 0.0 for case in found.disagreements)


def test_the_page_is_whole_and_harmless(folder):
    page = write(summarise(results.load(folder)), folder / "report")
    text = page.read_text()
    assert SCRIPT not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r"<script|src=|href=\"http|@import|url\((?!#)", text)
    assert text.count("<svg") == 6
    names = sorted(path.name for path in page.parent.iterdir())
    pictures = ["certainty.png", "domains.png", "handled.png", "latencies.png", "members.png", "plane.png"]
    assert names == sorted([*pictures, "report.html", "summary.json"])
    assert all((page.parent / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_strong_experts_may_be_named(folder):
    found = summarise(results.load(folder), strong=["fair", "dear"], baseline="fair", title="Mine")
    assert found.shares.small["fair"].value == 0.0
    assert (found.baseline, found.title) == ("fair", "Mine")
    with pytest.raises(ResultsError, match="no arm 'nobody'"):
        summarise(results.load(folder), baseline="nobody")


def test_a_report_of_an_outcome_log(tmp_path):
    log = tmp_path / "log.jsonl"
    rows = [
        {"prompt": f"q{number}", "expert": name, "score": float(name == "b" or number % 2), "cost_usd": cost}
        for number in range(40)
        for name, cost in (("a", 0.1), ("b", 0.2))
    ]
    log.write_text("\n".join(map(json.dumps, rows)))
    found = summarise(opened(log))
    assert [(arm.name, arm.standing.score.value) for arm in found.arms] == [("a", 0.5), ("b", 1.0)]
    assert found.shares.strong == ("b",)
    assert "log.jsonl" in html(found, {})


def test_a_single_arm_without_prices_or_domains(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"prompt": "q", "expert": "a", "score": 0.25}))
    found = summarise(opened(log))
    assert (found.comparisons, found.domains, found.disagreements, found.shares.strong) == ((), (), (), ())
    assert "a has the highest score" in html(found, {})


def test_results_are_read_piece_by_piece_in_any_order():
    columns = {name: pa.array([1.0, 0.0, 0.5]) for name in results.FIGURES}
    facts = {
        "position": [5, 3, 5],
        "domain": ["law", None, "law"],
        "arm": ["a", "a", "b"],
        "error": pa.nulls(3, pa.string()),
    }
    pieces = [pa.table({**columns, **facts})[place : place + 1] for place in range(3)]
    found = results.of_source(ds.dataset(pieces), ["b"])
    assert (found.arms, found.positions.tolist(), found.domains) == (("b", "a"), [3, 5], ("", "law"))
    assert found.scores[:, 1].tolist() == [0.0, 1.0]
    assert found.asked.tolist() == [[False, True], [True, True]]
    with pytest.raises(ResultsError, match="only the figures"):
        replace(found, source=None).rows()


def test_the_command(folder):
    done = CliRunner().invoke(app, ["report", str(folder), "--out", str(folder / "mine")])
    assert done.exit_code == 0, done.output
    assert (folder / "mine" / "report.html").exists()
    gone = CliRunner().invoke(app, ["report", str(folder / "nothing")])
    assert gone.exit_code == 1
    assert "Traceback" not in gone.output


@pytest.fixture
def ledger(tmp_path):
    """30 requests of two callers over four days, one of which failed; and one that an experiment asked for itself."""
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    entries = []
    for number in range(30):
        strategy = ("voting", "task_based", "expert")[number % 3]
        for place, name in enumerate(("small", "large") if strategy == "voting" else ("small",)):
            entries.append(
                Entry(f"{number}-{place}", 1e9 + 10_000 * number, f"r{number}", 1, f"caller-{number % 2}", strategy,
                      name, name, "answer", prompt_tokens=5, cost_usd=0.1 + place, latency_ms=1_000.0 * (1 + place),
                      outcome="error" if number == 1 else "ok")
            )  # fmt: skip
    entries.append(
        Entry("s", 1e9, "r30", 1, "shadow:chat", "task_based", "small", "small", "answer", cost_usd=0.1, outcome="ok")
    )
    with engine.begin() as connection:
        _booked(connection, entries)
    return engine


def test_live_traffic_has_costs_and_no_scores(ledger):
    found = summarise(of_ledger(ledger))
    arms = {arm.name: arm for arm in found.arms}
    assert sorted(arms) == ["small", "task_based", "task_based (shadow:chat)", "voting"]
    assert arms["voting"].cost_usd == pytest.approx(1.2)
    assert (arms["voting"].latency[0.5], arms["task_based"].failed) == (2.0, 1)
    assert [arms[name].asked for name in ("voting", "task_based", "small")] == [10, 10, 10]
    assert not any(arm.efficient for arm in found.arms)
    assert found.shares.strong == ("large",)
    assert [found.shares.small[name].value for name in ("voting", "task_based")] == [0.0, 1.0]
    with pytest.raises(ResultsError, match="no calls"):
        of_ledger(ledger, since="2030-01-01")


def test_the_page_of_live_traffic_says_who_spent_what(ledger, tmp_path):
    page = write(summarise(of_ledger(ledger)), tmp_path / "report")
    text = page.read_text()
    assert "Nothing was graded" in text
    assert "highest score" not in text
    assert "n/a to n/a" not in text
    assert "From 2001-09-09 to 2001-09-12 (UTC) 31 requests of 3 keys made 41 calls, for 14.1000 US dollars." in text
    assert {"spending.png", "latencies.png", "handled.png"} <= {path.name for path in page.parent.iterdir()}
    traffic = json.loads((page.parent / "summary.json").read_text())["facts"]["traffic"]
    assert [row["expert"] for row in traffic["expert"]] == ["large", "small"]
    assert {row["name"]: row["requests"] for row in traffic["key"]} == {
        "caller-0": 15,
        "caller-1": 15,
        "shadow:chat": 1,
    }
    assert {row["outcome"]: row["calls"] for row in traffic["outcome"]} == {"ok": 40, "error": 1}
    assert len(traffic["day"]) == 4


def test_names_of_many_points_lie_neither_on_one_another_nor_outside():
    figure = Figure(figsize=(7.4, 4.3), layout="constrained")
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    xs, ys = rng.uniform(0, 1, 10), rng.uniform(60, 75, 10)
    axes.plot(xs, ys, "o")
    figure.draw_without_rendering()
    label(axes, [f"an-expert-with-a-long-name-{number}" for number in range(10)], xs, ys, [])
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [Text.get_window_extent(text, renderer) for text in axes.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
