"""Vectors that are kept from one start to the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mixture.retrieval.remembering import Remembering, vectors_file


class Lengths:
    """An embedder that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += texts
        return [[float(len(text)), 0.5] for text in texts]


async def again(file: Path, *texts: str) -> tuple[list[list[float]], list[str]]:
    """The vectors of texts in a new process's place, and what had to be embedded for them."""
    embedder = Lengths()
    return await Remembering(embedder, file).embed(texts), embedder.asked


async def test_only_what_is_new_is_embedded_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "vectors.npz"
    first = await again(file, "a", "bb", "a")
    assert first == ([[1.0, 0.5], [2.0, 0.5], [1.0, 0.5]], ["a", "bb"])
    assert await again(file, "bb", "a") == ([[2.0, 0.5], [1.0, 0.5]], [])
    assert await again(file, "a", "ccc\ud800") == ([[1.0, 0.5], [4.0, 0.5]], ["ccc\ud800"])
    assert await again(file, "a", "bb") == ([[1.0, 0.5], [2.0, 0.5]], ["bb"])
    assert await again(file) == ([], [])


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and then nothing", b"no vectors at all"])
async def test_a_broken_file_costs_time_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "vectors.npz"
    file.write_bytes(data)
    assert await again(file, "a") == ([[1.0, 0.5]], ["a"])
    assert await again(file, "a") == ([[1.0, 0.5]], [])


async def test_a_home_that_can_not_be_written_to_costs_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    assert await again(tmp_path / "home" / "vectors.npz", "a") == ([[1.0, 0.5]], ["a"])


def test_each_set_of_documents_has_a_file_of_its_own(tmp_path: Path) -> None:
    environ = {"MIXTURE_HOME": str(tmp_path)}
    sets = (None, ["own"], ["a"], ["a", "b"])
    files = {vectors_file(environ, model, paths) for model in ("one", "two") for paths in sets}
    assert len(files) == 8
    assert {file.parent for file in files} == {tmp_path / "vectors"}
