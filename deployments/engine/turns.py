"""Engines that share a GPU start one after the other."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(gpus: float) -> Iterator[None]:
    """Held by an engine that starts on a part of a GPU, until it runs; `gpus` is its part. vLLM measures what it needs
    by how much less of the GPU is free afterwards: what another engine takes meanwhile counts as its own, and leaves it
    no room for a KV cache. It lasts no longer than the process that holds it.
    """
    if not 0 < gpus < 1:
        yield
        return
    with place().open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # also for processes that were forked meanwhile, and hold the file open


def place() -> Path:
    """The file that stands for the GPU which Ray has given to this process."""
    gpu = "".join(letter for letter in os.environ.get("CUDA_VISIBLE_DEVICES", "") if letter.isalnum())
    return Path(tempfile.gettempdir()) / f"mixture-{os.getuid()}-gpu-{gpu}.lock"
