"""One run for several: who sees what, and when it ends."""

import asyncio

import pytest

from mixture.caching import Flight
from mixture.errors import ExpertUnavailable
from mixture.types import Chunk, Completion, Delta, Report

OUTCOME = (Completion("e"), Report("e", "expert"))


def delta(text):
    return Delta("e", Chunk(text))


async def read(flight, into, until=None):
    events = flight.events()
    try:
        async for event in events:
            into.append(event[0].expert if isinstance(event, tuple) else event.chunk.text)
            if until is not None and len(into) >= until:
                return
    finally:
        await events.aclose()


def writing(texts, gate, error=None):
    async def run(emit):
        for text in texts:
            await emit(delta(text))
        await gate.wait()
        await emit(delta("end"))
        if error is not None:
            raise error
        return OUTCOME

    return run


async def seen(into, many):
    async with asyncio.timeout(10):
        while True:
            if len(into) >= many:
                return
            await asyncio.sleep(0)


async def test_who_comes_late_sees_what_was_and_then_what_comes():
    gate, first, late = asyncio.Event(), [], []
    flight = Flight(writing("ab", gate), 1_000)
    one = asyncio.create_task(read(flight, first))
    await seen(first, 2)
    two = asyncio.create_task(read(flight, late))
    await seen(late, 2)
    gate.set()
    await asyncio.gather(one, two)
    assert first == late == ["a", "b", "end", "e"]
    assert not flight.joinable


async def test_it_ends_with_its_last_reader_and_not_before():
    gate, first, second = asyncio.Event(), [], []
    flight = Flight(writing("ab", gate), 1_000)
    one, two = (asyncio.create_task(read(flight, into)) for into in (first, second))
    await seen(second, 2)
    one.cancel()
    await asyncio.wait([one])
    assert flight.joinable
    two.cancel()
    await asyncio.wait([two])
    assert flight.task.cancelled()
    assert not flight.joinable


async def test_whoever_waits_for_the_end_keeps_it_up():
    gate, read_by = asyncio.Event(), []
    flight = Flight(writing("ab", gate), 1_000)
    waiting = asyncio.create_task(flight.outcome())
    await asyncio.sleep(0)
    await read(flight, read_by, until=1)
    gate.set()
    assert await waiting == OUTCOME


async def test_all_get_its_error():
    gate, first = asyncio.Event(), []
    flight = Flight(writing("a", gate, ExpertUnavailable("gone")), 1_000)
    reading, waiting = asyncio.create_task(read(flight, first)), asyncio.create_task(flight.outcome())
    await seen(first, 1)
    gate.set()
    for task in (reading, waiting):
        with pytest.raises(ExpertUnavailable):
            await task


async def test_a_run_waits_for_who_reads_it():
    made = 0

    async def run(emit):
        nonlocal made
        while True:
            await emit(delta("x"))
            made += 1

    flight = Flight(run, 50)
    events = flight.events()
    await anext(events)
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert made < 100
    for _ in range(500):
        await anext(events)
    assert not flight.joinable
    assert len(flight._events) < 200
    await events.aclose()
    assert flight.task.cancelled()
