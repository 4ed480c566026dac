from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from actors.retrieval import RetrievalActor
from mixture.config import ConfigError, DocumentsConfig
from mixture.embedding import DIMENSIONS
from mixture.types import LOCAL


async def test_it_embeds_and_finds_and_its_answers_cross_processes(tmp_path: Path) -> None:
    (tmp_path / "tea.txt").write_text("Green tea is steeped for two minutes. Black tea takes four.")
    actor = RetrievalActor(DocumentsConfig(paths=(str(tmp_path),)))
    assert await actor.ready()
    [found] = pickle.loads(pickle.dumps(await actor.retrieve("How long does green tea take?", 1, LOCAL)))
    assert found.text == "Green tea is steeped for two minutes."
    assert [len(vector) for vector in await actor.embed(["a", "b"])] == [DIMENSIONS, DIMENSIONS]


async def test_documents_that_do_not_exist_are_named_when_it_gets_ready() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        await RetrievalActor(DocumentsConfig(paths=("/nowhere",))).ready()


async def test_a_server_that_warms_it_does_not_wait_and_is_told_what_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    actor = RetrievalActor(DocumentsConfig(paths=("/nowhere",)))
    await actor.warm(quoted=True)
    assert actor._warming is not None
    assert not actor._warming.done()
    await actor._warming
    assert "documents can't be read: documents.paths: /nowhere" in caplog.text
