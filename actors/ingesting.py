"""Many files at once, through Ray Data: read and split in tasks, embedded by actors that each hold the encoder."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext

from mixture.retrieval.encoders import encoder
from mixture.retrieval.host import Entry
from mixture.retrieval.ingesting import Found, Made, Make, read
from mixture.retrieval.rows import Prepared, worded

FILES = 8
"""Files that one task reads: when its process dies, so many are lost, and reported."""

Batch = Mapping[str, Sequence[Any]]


class Embedding:
    """Puts the vectors of its passages to each document."""

    def __init__(self, name: str) -> None:
        self._encoder = encoder(name)

    def __call__(self, batch: Batch) -> dict[str, list[bytes]]:
        """Documents as `reading` gives them, with vectors."""
        results = [(name, result) for name, result in map(pickle.loads, batch["made"])]
        texts = [worded(span) for _, one in results if isinstance(one, Prepared) for span in one.spans]
        vectors = iter(asyncio.run(self._embed(texts)))
        return {"made": [pickle.dumps(_made(name, result, vectors)) for name, result in results]}

    async def _embed(self, texts: list[str]) -> Sequence[Sequence[float]]:
        return await self._encoder.embed(texts)


def _made(name: str, result: Entry | Prepared, vectors: Iterator[Sequence[float]]) -> Made:
    own = [next(vectors) for _ in result.spans] if isinstance(result, Prepared) else ()
    return Made(name, result, own)


def reading(batch: Batch, *, name: str, most: int) -> dict[str, list[bytes]]:
    """What came of each file, of which at most `most` bytes are read; `name` is the encoder's."""
    found: list[Found] = [pickle.loads(one) for one in batch["found"]]  # noqa: S301  our own
    return {"made": [pickle.dumps((one.id, read(one, name, most))) for one in found]}


def through_ray(name: str, most: int, workers: int) -> Make:
    """Files read and embedded by `workers` processes. `name` is the encoder's."""

    async def make(found: Sequence[Found]) -> AsyncIterator[Made]:
        context = DataContext.get_current()
        context.enable_progress_bars, context.max_errored_blocks = False, -1
        rows = iter(_dataset(found, name, most, workers).iter_rows())
        while (row := await asyncio.to_thread(next, rows, None)) is not None:
            made: Made = pickle.loads(row["made"])  # noqa: S301  our own
            yield made

    return make


def _dataset(found: Sequence[Found], name: str, most: int, workers: int) -> ray.data.Dataset:
    items = [{"found": pickle.dumps(one)} for one in found]
    blocks = max(1, -(-len(items) // FILES))
    files = ray.data.from_items(items, override_num_blocks=blocks)
    task: Any = reading  # Ray's types know no functions that take keywords
    made = files.map_batches(task, fn_kwargs={"name": name, "most": most}, batch_size=FILES, num_cpus=0.5)
    pool = ActorPoolStrategy(size=workers)
    return made.map_batches(
        Embedding, fn_constructor_args=(name,), batch_size=FILES, compute=pool, num_cpus=0.5, zero_copy_batch=True
    )
