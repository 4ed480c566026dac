"""Vectors of documents that are read at each start, kept from one start to the next.

A file holds them by digests of their texts, so that after a change only what is new is embedded; a text itself can't be
read back from it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from mixture.keys import home
from mixture.types import Embedder
from mixture.writing import write_whole

logger = logging.getLogger("mixture.retrieval")

Floats = npt.NDArray[np.float32]
DIGEST = 16
"""Bytes of a text's digest."""


class Remembering:
    """An `Embedder` for the whole of a set of texts, which knows those of the last time out of `file`.

    A file that can't be read or written costs time and nothing else.
    """

    def __init__(self, embedder: Embedder, file: Path) -> None:
        self._embedder = embedder
        self._file = file

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in the same order. What is not among `texts` is forgotten."""
        keys = [_digest(text) for text in texts]
        known = _read(self._file)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            vectors = np.asarray(await self._embedder.embed(list(new.values())), np.float32)
            known = {**known, **dict(zip(new, vectors, strict=True))}
            _write(self._file, {key: known[key] for key in keys})
        return [known[key].tolist() for key in keys]


def vectors_file(environ: Mapping[str, str], model: str, paths: Sequence[str] | None) -> Path:
    """Where the vectors by `model` of the documents at `paths` are kept: below $MIXTURE_HOME."""
    named = [":own"] if paths is None else [str(Path(path).absolute()) for path in paths]
    name = _digest("\n".join([model, *named])).hex()
    return home(environ) / "vectors" / f"{name}.npz"


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()


def _read(file: Path) -> dict[bytes, Floats]:
    try:
        with np.load(file, allow_pickle=False) as found:
            keys, vectors = found["keys"].tobytes(), found["vectors"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        logger.warning("vectors of documents can't be read, and are made anew: %s", error)
        return {}
    parts = [keys[start : start + DIGEST] for start in range(0, len(keys), DIGEST)]
    return dict(zip(parts, vectors, strict=False))


def _write(file: Path, known: Mapping[bytes, Floats]) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "keys": np.frombuffer(b"".join(known), np.uint8),
        "vectors": np.stack(list(known.values())),
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, _saving(arrays))
    except OSError as error:
        logger.warning("vectors of documents can't be kept, and the next start makes them anew: %s", error)


def _saving(arrays: Mapping[str, npt.NDArray[Any]]) -> Callable[[BinaryIO], None]:
    return lambda opened: np.savez(opened, allow_pickle=False, **arrays)
