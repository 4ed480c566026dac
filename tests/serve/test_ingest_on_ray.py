"""`mixture ingest` through Ray Data: the same index as in one process, and it goes on where it was."""

from __future__ import annotations

import json
import subprocess

import pytest

from mixture.config import DocumentsConfig
from mixture.retrieval.access import SHARED, Place
from mixture.retrieval.host import Search
from mixture.retrieval.library import Library
from mixture.types import LOCAL
from tests.serve.real import MIXTURE, environment


def ingest(home, folder, workers, *more):
    """What the command says, and its report."""
    report = home / "report.json"
    command = [
        MIXTURE,
        "ingest",
        str(folder),
        "--encoder",
        "static",
        "--workers",
        str(workers),
        "--report",
        str(report),
    ]
    environ = environment(home)
    done = subprocess.run(
        [*command, *more], cwd=home, env=environ, capture_output=True, text=True, timeout=200, check=False
    )
    return done.returncode, json.loads(report.read_text()), done.stdout + done.stderr


async def rows(home):
    table = await Library(DocumentsConfig(uri=str(home / "documents"))).store.table(Place(SHARED, "default"))
    found = await table.query().select(["id", "document", "heading", "text", "digest", "vector"]).to_list()
    return sorted(found, key=lambda row: row["id"])


@pytest.mark.timeout(600)
async def test_processes_of_ray_data_make_the_same_index_as_one_process(tmp_path):
    folder = tmp_path / "handbook"
    for number in range(70):
        (folder / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 3) / f"{number:02}.md").write_text(f"# Page {number}\n\nRule {number} is kept by all.")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 junk")
    (folder / "table.csv").write_text("name,minutes\ngreen tea,2\nblack tea,4\n")
    homes = {workers: tmp_path / f"home{workers}" for workers in (0, 2)}
    for workers, home in homes.items():
        home.mkdir()
        status, report, said = ingest(home, folder, workers)
        assert (status, report["counts"]) == (1, {"added": 71, "failed": 1}), said
        assert "bad.pdf" in said and "no PDF" in said
    here, there = [await rows(home) for home in homes.values()]
    assert [{**row, "vector": None} for row in here] == [{**row, "vector": None} for row in there]
    assert [row["vector"] for row in there] == [pytest.approx(row["vector"], abs=1e-5) for row in here]
    (folder / "0" / "00.md").write_text("# Page 0\n\nRule zero is another one now.")
    (folder / "1" / "01.md").unlink()
    status, report, said = ingest(homes[2], folder, 2)
    assert (status, report["counts"]) == (1, {"updated": 1, "deleted": 1, "unchanged": 69, "failed": 1}), said
    library = Library(DocumentsConfig(uri=str(homes[2] / "documents")))
    [found] = await library.search(Search("rule zero", LOCAL, k=1))
    assert found.text == "Rule zero is another one now."
