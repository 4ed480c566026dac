from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import Any

import pytest

from mixture.embedding import BATCH, DIMENSIONS, MiniLM, encode


def test_importing_loads_no_torch() -> None:
    code = "import sys, mixture.embedding, mixture.retrieval; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


async def test_vectors_have_length_one_and_keep_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    texts = ["a cat sat on the mat", "", "a kitten rested on the rug", "interest rates rose " * 5_000]
    vectors = await MiniLM().embed(texts)
    assert [len(vector) for vector in vectors] == [DIMENSIONS] * 4
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-5 for vector in vectors)
    assert dot(vectors[0], vectors[2]) > 0.5 > dot(vectors[0], vectors[3])


async def test_many_callers_at_once_get_what_one_gets() -> None:
    texts = [f"sentence number {n}" for n in range(BATCH + 3)]
    one, *others = await asyncio.gather(*(MiniLM().embed(texts) for _ in range(3)))
    assert others == [one, one]
    assert dot(one[0], encode([texts[0]])[0].tolist()) > 0.9999


async def test_no_texts_no_vectors() -> None:
    assert await MiniLM().embed([]) == []


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
