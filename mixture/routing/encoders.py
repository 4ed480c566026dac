"""Heavier encoders of routers encode together what is asked for at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mixture.config import ConfigError, RouterConfig
from mixture.embedding import BATCH, SentenceModel, folder_of
from mixture.routing.hidden_states import HiddenStates, is_language_model

if TYPE_CHECKING:
    from mixture.types import Embedder

HASHED = "hashed"
"""The name of the built-in encoder, which needs no model."""

_Asked = tuple[Sequence[str], "asyncio.Future[list[Sequence[float]]]"]


def embedder_of(config: RouterConfig) -> Embedder | None:
    """The heavier encoder that `config` names, loaded when it is first used; None where it names none. Raises
    ConfigError when there is no such model.
    """
    try:
        if config.encoder is None:
            return None
        model = text_model(config.encoder)
        if config.chosen == "embedding" and isinstance(model, HiddenStates):
            raise LookupError(f"{config.encoder!r} is a language model; name one of sentence-transformers, or a `file`")
        return Gathered(model)
    except LookupError as error:
        raise ConfigError(f"router.encoder: {error.args[0]}", param="router.encoder") from None


def text_model(name: str) -> SentenceModel | HiddenStates:
    """The model that `name`, a folder or a package, holds: one for sentences, or the lower part of a language model.
    Raises LookupError when there is none.
    """
    folder = folder_of(name)
    return HiddenStates(folder) if is_language_model(folder) else SentenceModel(str(folder))


class Gathered:
    """An embedder around another one: what several callers ask for at the same time, or while a batch is under way,
    goes to it together, `BATCH` texts at most. Nobody waits for others to come.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._waiting: list[_Asked] = []
        self._running: asyncio.Task[None] | None = None

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See `mixture.types.Embedder`."""
        loop = asyncio.get_running_loop()
        if self._running is None or self._running.done() or self._running.get_loop() is not loop:
            self._waiting.clear()  # who waited in a loop that has ended waits no more
            self._running = loop.create_task(self._run())
        answer: asyncio.Future[list[Sequence[float]]] = loop.create_future()
        self._waiting.append((texts, answer))
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch = self._next()
            texts = [text for asked, _ in batch for text in asked]
            try:
                vectors = list(await self._embedder.embed(texts))
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for asked, answer in batch:
                mine, vectors = vectors[: len(asked)], vectors[len(asked) :]
                if not answer.done():
                    answer.set_result(mine)

    def _next(self) -> list[_Asked]:
        """The first of those who wait, and as many more as a batch has room for; those who have left are left out."""
        waiting = [one for one in self._waiting if not one[1].done()]
        count = room = 0
        while count < len(waiting) and (not count or room + len(waiting[count][0]) <= BATCH):
            room += len(waiting[count][0])
            count += 1
        self._waiting = waiting[count:]
        return waiting[:count]
