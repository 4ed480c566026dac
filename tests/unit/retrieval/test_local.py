from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mixture.config import ConfigError
from mixture.retrieval import Document, passages
from mixture.retrieval.documents import check, load
from mixture.retrieval.local import LIKELY, LocalRetriever

WORDS = ("cat", "dog", "rain", "sun")


class Counting:
    """An embedder whose dimensions are words; it counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.calls += 1
        self.called.set()
        await self.go.wait()
        return [self._vector(text.lower()) for text in texts]

    @staticmethod
    def _vector(text: str) -> list[float]:
        counts = [float(text.count(word)) for word in WORDS]
        length = sum(c * c for c in counts) ** 0.5
        return [c / length if length else 0.0 for c in counts]


DOCUMENTS = [
    Document("pets.md", "# Pets\n\nThe cat sleeps all day long. A dog barks at the cat. My dog is a dog."),
    Document("weather.md", "The rain falls on the plain. The sun shines on the rain."),
]


async def test_the_nearest_come_first_with_source_offset_and_score() -> None:
    retriever = LocalRetriever(lambda: DOCUMENTS, Counting())
    first, second = await retriever.retrieve("dog", 2)
    assert (first.text, first.source, first.score) == ("My dog is a dog.", "pets.md", 1.0)
    assert second.text == "A dog barks at the cat."
    assert DOCUMENTS[0].text[first.offset :].startswith(first.text)


async def test_whole_passages_can_be_asked_for() -> None:
    retriever = LocalRetriever(lambda: DOCUMENTS, Counting(), passages)
    [found] = await retriever.retrieve("sun", 1)
    assert found.text == DOCUMENTS[1].text


async def test_the_index_is_built_once_for_all_who_wait_and_outlives_a_cancelled_one() -> None:
    embedder = Counting()
    embedder.go.clear()
    retriever = LocalRetriever(lambda: DOCUMENTS, embedder)
    first, second = (asyncio.ensure_future(retriever.retrieve("cat", 1)) for _ in range(2))
    await embedder.called.wait()
    first.cancel()
    await asyncio.wait([first])
    embedder.go.set()
    assert [p.source for p in await second] == ["pets.md"]
    assert first.cancelled()
    assert embedder.calls == 2  # the index, and one question


async def test_while_many_are_embedded_those_with_the_rarest_words_are_looked_at() -> None:
    many = [Document(f"{number}.md", f"The sun shines on page {number}.") for number in range(2 * LIKELY)]
    embedder = Counting()

    stuck = Counting()
    stuck.go.clear()
    retriever = LocalRetriever(lambda: [*many, *DOCUMENTS], embedder, pieces=stuck)
    [found] = await asyncio.wait_for(retriever.retrieve("Does the sun see a dog?", 1), 5)
    assert found.source == "pets.md"
    stuck.go.set()
    await retriever.ready()
    assert (await retriever.retrieve("sun", 1))[0].source == "0.md"
    assert stuck.calls == 1


async def test_no_documents_and_no_wish_find_nothing() -> None:
    assert await LocalRetriever(list, Counting()).retrieve("cat", 3) == []
    assert await LocalRetriever(lambda: DOCUMENTS, Counting()).retrieve("cat", 0) == []


def test_files_and_folders_are_read_once_each_and_hidden_ones_not(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_bytes(b"One line.\r\nAnother \xff line.")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "no.md").write_text("No.")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("Text.")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    found = load([str(tmp_path / "b.md"), str(tmp_path)])
    assert [(Path(d.source).name, d.text) for d in found] == [
        ("b.md", "One line.\r\nAnother � line."),
        ("a.txt", "Text."),
    ]


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    for read in (check, load):
        with pytest.raises(ConfigError, match=r"documents\.paths: .*nowhere: no such file or folder"):
            read([str(tmp_path / "nowhere")])
