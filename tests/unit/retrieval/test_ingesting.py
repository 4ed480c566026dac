from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mixture.config import DocumentsConfig
from mixture.retrieval.access import SHARED, Place
from mixture.retrieval.host import Search
from mixture.retrieval.ingesting import Report, files, in_this_process, ingest
from mixture.retrieval.library import Library
from mixture.types import LOCAL

PLACE = Place(SHARED, "default")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(DocumentsConfig(uri=str(tmp_path / "index"), encoder="static", max_file_bytes=10_000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    (folder / "deep").mkdir(parents=True)
    (folder / "tea.md").write_text("# Tea\n\nGreen tea is steeped for two minutes.")
    (folder / "deep" / "coffee.txt").write_text("Coffee is brewed for four minutes.")
    (folder / ".hidden.md").write_text("hidden")
    (folder / "picture.png").write_bytes(b"png")
    return folder


async def taken(library: Library, folder: Path) -> Report:
    intake = await library.intake(PLACE)
    return await ingest(intake, list(files([folder])), in_this_process(intake))


async def ids(library: Library) -> list[str]:
    return [one.id for one in await library.kept(LOCAL)]


async def test_only_what_has_changed_is_taken_in_again(library: Library, folder: Path) -> None:
    assert (await taken(library, folder)).counts == Counter(added=2)
    assert (await taken(library, folder)).counts == Counter(unchanged=2)
    (folder / "tea.md").write_text("# Tea\n\nGreen tea is steeped for three minutes.")
    (folder / "deep" / "coffee.txt").unlink()
    assert (await taken(library, folder)).counts == Counter(updated=1, deleted=1)
    assert await ids(library) == ["handbook/tea.md"]
    [found] = await library.search(Search("green tea", LOCAL))
    assert found.text.endswith("three minutes.") and found.heading == "Tea"


async def test_what_can_t_be_read_is_in_the_report_and_the_rest_is_taken_in(library: Library, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 junk")
    (folder / "large.txt").write_bytes(b"a" * 10_001)
    (folder / "empty.md").write_text("\n")
    (folder / "locked.md").symlink_to(folder / "nowhere")
    report = await taken(library, folder)
    assert report.counts == Counter(added=2, failed=2, empty=1)
    assert {entry.id: entry.error for entry in report.failures} == {
        "handbook/bad.pdf": "it is damaged, or no PDF (PdfStreamError)",
        "handbook/large.txt": "it has 10,001 bytes, and at most 10,000 are read (documents.max_file_bytes)",
    }


async def test_documents_of_other_folders_and_of_clients_stay(library: Library, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "handbook"
    other.mkdir(parents=True)
    (other / "else.md").write_text("Something else altogether.")
    await taken(library, folder)
    await taken(library, other)
    assert await ids(library) == ["handbook/deep/coffee.txt", "handbook/else.md", "handbook/tea.md"]


KILLED = """
import asyncio, sys
from pathlib import Path
from mixture.config import DocumentsConfig
from mixture.retrieval import ingesting
from mixture.retrieval.access import SHARED, Place
from mixture.retrieval.library import Library

ingesting.TOGETHER = 3

async def main(index, folder):
    library = Library(DocumentsConfig(uri=index, encoder="static"))
    intake = await library.intake(Place(SHARED, "default"))
    def told(done, passages):
        print(done, flush=True)
    await ingesting.ingest(intake, list(ingesting.files([Path(folder)])), ingesting.in_this_process(intake), told)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_one_that_was_killed_goes_on_and_keeps_nothing_twice(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}.md").write_text(f"# One\n\nDocument {number} says this.\n\n# Two\n\nAnd that.")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "index"), str(folder)]
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)  # noqa: ASYNC220
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 6:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    before = await library.kept(LOCAL)
    report = await taken(library, folder)
    kept = await library.kept(LOCAL)
    assert 6 <= len(before) < 40 and all(one.passages == 2 for one in before)
    assert report.counts == Counter(added=40 - len(before), unchanged=len(before))
    assert len(kept) == 40 and all(one.passages == 2 for one in kept)
    assert await library.store.count(PLACE) == 80
