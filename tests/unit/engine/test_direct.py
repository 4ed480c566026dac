"""Answers over connections of their own, and what Serve hears of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from deployments.engine import direct
from deployments.engine.direct import OPEN, Attendance, Direct, Lines, Listener, Place
from mixture.types import Chunk, Message, Query

QUERY = Query((Message("user", "Hello"),), stream=True)


class Answering:
    """A replica: pieces of an answer, each when it is let go."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.go = asyncio.Semaphore(0)
        self.asked = []
        self.closed = 0

    async def __call__(self, query, adapter):
        self.asked.append((query, adapter))
        try:
            for piece in self.pieces:
                await self.go.acquire()
                if isinstance(piece, Exception):
                    raise piece
                yield [Chunk(piece)]
        finally:
            self.closed += 1


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(direct, "UNTOLD", 0.05)


@asynccontextmanager
async def replica(*pieces, ready=True):
    """A listener over an answer, its place, and connections to it."""
    answering = Answering(pieces)
    if ready:
        for _ in pieces:
            answering.go.release()
    listener, lines = Listener(answering), Lines()
    await listener.open("127.0.0.1")
    try:
        yield answering, listener, Place.of("r1", listener.address), lines
    finally:
        lines.close()
        await listener.close()


def asked(lines, place, told=None, carried=None, adapter=None):
    return Direct(lines, place, (QUERY, adapter), (told if told is not None else []).append, carried or pytest.fail)


async def heard(told):
    """What Serve is told, once it is."""
    async with asyncio.timeout(5):
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (attendance,) = told
    return attendance


async def begun(answering, lines, place):
    """An answer whose first piece is there, and what Serve was told of it."""
    told = []
    answer = asked(lines, place, told)
    answering.go.release()
    await anext(answer)
    return answer, await heard(told)


async def texts(answer):
    return ["".join(chunk.text for chunk in batch) async for batch in answer]


async def test_an_answer_comes_in_batches_and_its_connection_is_used_again():
    async with replica("a", "b") as (answering, _, place, lines):
        told = []
        assert await texts(asked(lines, place, told, adapter="x")) == ["a", "b"]
        (idle,) = lines._idle[place]
        assert "r1" not in OPEN
        for _ in "ab":
            answering.go.release()
        assert await texts(asked(lines, place)) == ["a", "b"]
        assert lines._idle[place] == [idle]
        assert answering.asked == [(QUERY, "x"), (QUERY, None)]
        assert told == []
        assert OPEN["r1"] == 0


async def test_serve_hears_of_an_answer_as_long_as_it_lasts():
    async with replica("a", "b", ready=False) as (answering, listener, place, lines):
        answer, attendance = await begun(answering, lines, place)
        assert attendance == Attendance(attendance.number, "r1")
        attended = asyncio.ensure_future(listener.attended(attendance.number))
        await asyncio.sleep(0.05)
        assert not attended.done()
        answering.go.release()
        assert await texts(answer) == ["b"]
        await asyncio.wait_for(attended, 5)
        await asyncio.wait_for(listener.attended("another"), 5)


async def test_a_replica_that_is_stopped_lets_its_answers_end():
    async with replica("a", "b", ready=False) as (answering, listener, place, lines):
        answer, _ = await begun(answering, lines, place)
        closing = asyncio.ensure_future(listener.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        answering.go.release()
        assert await texts(answer) == ["b"]
        await asyncio.wait_for(closing, 5)


async def test_cancelling_ends_it_at_the_replica():
    async with replica("a", "b", ready=False) as (answering, listener, place, lines):
        answer, attendance = await begun(answering, lines, place)
        assert OPEN["r1"] == 1
        answer.cancel()
        await asyncio.wait_for(listener.attended(attendance.number), 5)
        assert answering.closed == 1
        assert OPEN["r1"] == 0
        assert lines._idle == {}


async def test_an_answer_that_fails_in_the_middle_is_broken_off(caplog):
    async with replica("a", RuntimeError("bad")) as (_, _, place, lines):
        answer = asked(lines, place)
        assert (await anext(answer))[0].text == "a"
        with pytest.raises(ConnectionResetError):
            await anext(answer)
        answer.cancel()


async def test_where_there_is_no_way_serve_carries_and_the_place_is_left_alone(monkeypatch):
    async def carried():
        yield [Chunk("carried")]

    async with replica("a") as (_, listener, place, lines):
        await listener.close()
        assert lines.usable(place)
        assert await texts(asked(lines, place, carried=carried)) == ["carried"]
        assert not lines.usable(place)
        now = direct.time.monotonic()
        monkeypatch.setattr(direct.time, "monotonic", lambda: now + direct.AVOIDED + 1)
        assert lines.usable(place)


async def test_a_connection_that_ends_is_no_longer_kept():
    async with replica("a") as (_, _, place, lines):
        assert await texts(asked(lines, place)) == ["a"]
        (idle,) = lines._idle[place]
        idle.close()
        async with asyncio.timeout(5):
            while lines._idle:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_who_connects_and_says_nothing_is_turned_away(monkeypatch):
    monkeypatch.setattr(direct, "INTRODUCED", 0.05)
    async with replica("a") as (answering, _, place, _):
        reader, writer = await asyncio.open_connection(place.host, place.port)
        assert len(await asyncio.wait_for(reader.read(), 5)) == 16  # a nonce, and the end
        assert answering.asked == []
        writer.close()
