"""What is deleted leaves the disk, what is added gets an index, old versions go: seen in the files and in LanceDB."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from actors.retrieval import RetrievalActor
from mixture.config import DocumentsConfig
from mixture.retrieval import tidying, upkeep
from mixture.retrieval.access import SHARED, Place
from mixture.retrieval.host import IndexUnavailable, Search, Submission
from mixture.retrieval.library import Library
from mixture.retrieval.rows import Prepared
from mixture.retrieval.splitting import Span
from mixture.retrieval.tidying import state_of
from mixture.types import LOCAL

PLACE = Place(SHARED, "notes")
SECRET = "zebraquark"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(tidying, "READERS", timedelta(milliseconds=300))
    monkeypatch.setattr(upkeep, "QUIET", 0.05)
    monkeypatch.setattr(upkeep, "REST", 0.05)
    monkeypatch.setattr(tidying, "_CLOCK", timedelta(milliseconds=50))
    return another(tmp_path)


def another(tmp_path: Path) -> Library:
    return Library(DocumentsConfig(uri=str(tmp_path / "index"), encoder="static"))


def document(name: str, text: str) -> Submission:
    return Submission(name, f"{name}.md", text.encode())


async def keep(library: Library, *documents: Submission) -> None:
    await library.add(LOCAL, "notes", documents)


async def many(library: Library, count: int = 300) -> None:
    """Passages in one file, so that a document is a small part of it; fewer than LanceDB would compress."""
    await library.intake(PLACE)
    spans = [Prepared(f"d{n}", "digest", (Span(f"number {n} is here", f"d{n}", 0),)) for n in range(count)]
    spans[7] = Prepared("secret", "digest", (Span(f"the word is {SECRET}", "secret", 0),))
    vectors = np.random.default_rng(0).standard_normal((count, 192), dtype=np.float32)
    await library.store.put(PLACE, spans, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def files_with(tmp_path: Path, text: str) -> list[str]:
    paths = (path for path in (tmp_path / "index").rglob("*") if path.is_file())
    return [path.name for path in paths if text.encode() in path.read_bytes()]


async def tidy(library: Library, seconds: float = 30) -> None:
    """Wait until the upkeep has nothing left to do."""
    async with asyncio.timeout(seconds):
        while not (await state_of(library.store, PLACE)).tidy:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_was_deleted_leaves_the_disk_and_the_rest_is_found(library: Library, tmp_path: Path) -> None:
    await many(library)
    running = asyncio.create_task(library.follow())
    await tidy(library)
    assert files_with(tmp_path, SECRET), "a test that could not see it would prove nothing"
    await library.delete(LOCAL, "notes", "secret")
    assert files_with(tmp_path, SECRET)
    await tidy(library)
    assert files_with(tmp_path, SECRET) == []
    state = await state_of(library.store, PLACE)
    assert (state.versions[0].rows, state.versions[0].marked, state.unindexed) == (299, 0, 0)
    assert not list((tmp_path / "index").rglob("_deletions/*"))
    [found] = await library.search(Search("number 298", LOCAL, k=1))
    assert found.text == "number 298 is here"
    running.cancel()


async def test_what_was_replaced_leaves_the_disk_too(library: Library, tmp_path: Path) -> None:
    await many(library)
    await keep(library, document("secret", "Nothing to see any more."))
    running = asyncio.create_task(library.follow())
    await tidy(library)
    assert files_with(tmp_path, SECRET) == []
    assert await library.store.count(PLACE) == 300
    running.cancel()


async def test_new_passages_get_an_index_and_many_changes_one_pass(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = 0
    tidied = upkeep.tidied

    async def counted(*arguments: object) -> None:
        nonlocal passes
        passes += 1
        await tidied(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(upkeep, "tidied", counted)
    monkeypatch.setattr(upkeep, "QUIET", 1.0)
    running = asyncio.create_task(library.follow())
    for number in range(12):
        await keep(library, document(f"d{number}", f"Document {number} says so."))
    state = await state_of(library.store, PLACE)
    assert (len(state.versions) > 12, state.unindexed) == (True, 11)
    await tidy(library)
    assert (await state_of(library.store, PLACE)).unindexed == 0
    assert passes <= 2
    running.cancel()


async def test_a_large_collection_has_its_vectors_indexed(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tidying, upkeep):
        monkeypatch.setattr(module, "LARGE", 280)
    await many(library)
    running = asyncio.create_task(library.follow())
    await tidy(library)
    table = await library.store.table(PLACE)
    [vectors] = [index for index in await table.list_indices() if index.columns == ["vector"]]
    assert (vectors.num_indexed_rows, vectors.num_unindexed_rows) == (300, 0)
    running.cancel()


async def test_the_process_that_hosts_retrieval_does_it(library: Library, tmp_path: Path) -> None:
    actor = RetrievalActor(DocumentsConfig(uri=str(tmp_path / "index"), encoder="static"))
    await actor.add(LOCAL, "notes", [document("a", f"The word is {SECRET}."), document("b", "Something else.")])
    await actor.delete(LOCAL, "notes", "a")
    await tidy(library)
    assert files_with(tmp_path, SECRET) == []
    assert [one.id for one in await actor.kept(LOCAL)] == ["b"]


async def test_what_a_process_left_undone_the_next_one_does(library: Library, tmp_path: Path) -> None:
    await many(library)
    await library.delete(LOCAL, "notes", "secret")
    successor = another(tmp_path)
    running = asyncio.create_task(successor.follow())
    await tidy(successor)
    assert files_with(tmp_path, SECRET) == []
    running.cancel()


async def test_several_processes_put_a_folder_in_order_while_others_write_and_search(
    library: Library, tmp_path: Path
) -> None:
    others = [library, another(tmp_path)]
    await many(library, 500)
    running = [asyncio.create_task(one.follow()) for one in others]

    async def write(one: Library, name: str) -> None:
        for number in range(15):
            await keep(one, document(f"{name}{number}", f"{name} number {number} of many."))
            if number % 3 == 0:
                await one.delete(LOCAL, "notes", f"{name}{number}")
            assert await one.search(Search(f"{name} {number}", LOCAL, k=3))

    await asyncio.gather(*(write(one, name) for one, name in zip(others, "ab", strict=True)))
    for one in others:
        await tidy(one, 60)
        assert await one.store.count(PLACE) == 520
    assert not any(task.done() for task in running)
    for task in running:
        task.cancel()


async def test_a_reader_s_version_stays_as_long_as_it_may_need_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "READERS", timedelta(minutes=5))
    await many(library)
    before = await (await library.store.table(PLACE)).version()
    await library.delete(LOCAL, "notes", "secret")
    again = await library.upkeep.ordered(PLACE)
    assert again is not None and 290 < again <= 302
    state = await state_of(library.store, PLACE)
    assert before in [one.number for one in state.versions] and state.versions[-1].marked == 0
    assert await library.upkeep.ordered(PLACE) is not None
    assert (await state_of(library.store, PLACE)).versions[-1] == state.versions[-1], "done once"


async def test_versions_that_go_while_they_are_read_are_read_again_and_not_without_end(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(library, 10)
    tried = 0
    gone, read = 3, tidying._state

    async def racing(*arguments: object, **how: bool) -> tidying.State:
        nonlocal tried
        tried += 1
        if tried <= gone:
            raise IndexUnavailable("a version is gone")
        return await read(*arguments, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(tidying, "_state", racing)
    assert (await state_of(library.store, PLACE)).versions
    assert tried == 4
    tried, gone = 0, 100
    with pytest.raises(IndexUnavailable):
        await state_of(library.store, PLACE)
    assert tried == 4
