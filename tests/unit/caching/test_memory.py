"""The cache stays within its bytes: what it counts is what it takes."""

import gc
import tracemalloc

import numpy as np

from mixture import Mixture
from mixture.caching.meaning.index import Index, Question
from mixture.caching.meaning.signature import signature_of
from mixture.caching.meaning.vectors import vector_of
from mixture.caching.store import Store
from mixture.trace import Trace
from mixture.types import Caller, Message, Query, Sampling

BOUND = 1_000_000


def fill(store, index, many):
    for number in range(many):
        text = f"Tell me all about the thing with the number {number}, its name-{number} and where it is not."
        question = Question(vector_of(text, np.ones(192) / 14), signature_of(text))
        owner = f"key-{number % 5}"
        slot = store.put(owner, number.to_bytes(16, "big"), b"x" * (1_000 + number), 0.0)
        index.add(owner.encode(), question, slot, store.grow)


def test_what_is_counted_is_what_is_taken():
    fill(Store(BOUND, 0.5, 60.0, lambda: 0.0), Index(), 20)  # what is loaded once is no part of it
    gc.collect()
    tracemalloc.start()
    try:
        store, index = Store(BOUND, 0.5, 60.0, lambda: 0.0), Index()
        fill(store, index, 250)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert store.evicted > 150
    assert BOUND / 2 < store.bytes <= BOUND
    assert taken <= 1.1 * BOUND


async def test_however_much_is_asked():
    expert = {"name": "a", "provider": "scripted", "options": {"text": "word " * 2_000}}
    mixture = Mixture.from_config({"experts": [expert], "cache": {"max_bytes": BOUND, "semantic": {"mode": "on"}}})
    for number in range(120):
        query = Query((Message("user", f"What is number {number}?"),), sampling=Sampling(temperature=0))
        await mixture.answer(query, "a", trace=Trace(caller=Caller(f"key-{number % 5}")))
    store, index = mixture.cache.store, mixture.cache.semantic._index
    assert store.evicted > 50
    assert store.bytes <= BOUND
    assert sum(len(cell.questions) for cell in index._cells.values()) == len(store)
