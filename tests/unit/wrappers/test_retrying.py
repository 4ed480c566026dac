"""Retrying: what is tried again, how long is waited, and what is never tried again."""

import asyncio
import time
from contextlib import aclosing

import pytest

from mixture.errors import (
    Declined,
    ExpertTimeout,
    ExpertUnavailable,
    InvalidQuery,
    RateLimited,
    StreamBroken,
)
from mixture.providers.scripted import scripted
from mixture.streams import chunks, complete
from mixture.types import Limits, Message, Query
from mixture.wrappers import Retrying
from mixture.wrappers.retrying import FIRST_PAUSE, LONGEST_PAUSE, LONGEST_WISH, passing

QUERY = Query((Message("user", "hi"),))


def retrying(expert, retries=2, timeout=60.0, draw=lambda: 1.0):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    return Retrying(expert, retries, timeout, sleep=sleep, draw=draw), pauses


@pytest.mark.parametrize("kind", ["ExpertUnavailable", "ExpertTimeout", "RateLimited"])
async def test_a_failure_that_may_pass_is_tried_again(kind):
    expert = scripted(failure={"error": kind, "calls": 2})
    wrapped, pauses = retrying(expert)
    assert (await complete(wrapped, QUERY)).text == "ok"
    assert expert.counts.started == 3
    assert pauses == [FIRST_PAUSE, FIRST_PAUSE * 2]


async def test_pauses_are_drawn_between_nothing_and_a_bound_that_stops_growing():
    expert = scripted(failure={"error": "ExpertUnavailable"})
    wrapped, pauses = retrying(expert, retries=10, timeout=1000)
    with pytest.raises(ExpertUnavailable):
        await complete(wrapped, QUERY)
    assert len(pauses) == 10
    assert max(pauses) == LONGEST_PAUSE
    wrapped, pauses = retrying(expert, draw=lambda: 0.0)
    with pytest.raises(ExpertUnavailable):
        await complete(wrapped, QUERY)
    assert pauses == [0.0, 0.0]


async def test_the_last_error_is_raised_when_the_attempts_are_used_up():
    expert = scripted(failure={"error": "RateLimited", "message": "slow down"})
    wrapped, _ = retrying(expert, retries=1)
    with pytest.raises(RateLimited, match="slow down"):
        await complete(wrapped, QUERY)
    assert expert.counts.started == 2


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("Declined", None),
        ("InvalidQuery", None),
        ("ExpertUnavailable", "upstream_refused"),
        ("ExpertUnavailable", "cooling_down"),
        ("ExpertTimeout", "expert_busy"),
    ],
)
async def test_what_does_not_pass_is_not_tried_again(kind, code):
    expert = scripted(failure={"error": kind, "code": code})
    wrapped, pauses = retrying(expert)
    with pytest.raises((ExpertUnavailable, InvalidQuery)):
        await complete(wrapped, QUERY)
    assert expert.counts.started == 1
    assert pauses == []


async def test_nothing_is_tried_again_after_the_first_chunk():
    expert = scripted(text="one two three", failure={"error": "ExpertUnavailable", "after": 2})
    wrapped, _ = retrying(expert)
    seen = []
    with pytest.raises(StreamBroken):
        async for chunk in wrapped.stream(Query(QUERY.messages, stream=True)):
            seen.append(chunk.text)
    assert seen == ["one ", "two "]
    assert expert.counts.started == 1


async def test_retry_after_is_waited_and_jitter_comes_on_top():
    expert = scripted(failure={"error": "RateLimited", "retry_after": 5.0, "calls": 1})
    wrapped, pauses = retrying(expert, timeout=60)
    await complete(wrapped, QUERY)
    assert pauses == [5.0 + FIRST_PAUSE]


@pytest.mark.parametrize(("wish", "timeout"), [(5.0, 4.0), (LONGEST_WISH + 1, 600.0)])
async def test_retry_after_beyond_the_time_allowed_is_not_waited_for(wish, timeout):
    expert = scripted(failure={"error": "RateLimited", "retry_after": wish})
    wrapped, pauses = retrying(expert, timeout=timeout)
    with pytest.raises(RateLimited) as raised:
        await complete(wrapped, QUERY)
    assert raised.value.retry_after == wish
    assert pauses == []


async def test_the_query_s_deadline_bounds_the_pauses():
    expert = scripted(failure={"error": "RateLimited", "retry_after": 5.0})
    wrapped, pauses = retrying(expert)
    with pytest.raises(RateLimited):
        await complete(wrapped, Query(QUERY.messages, limits=Limits(deadline=time.time() + 2)))
    assert pauses == []


async def test_attempts_share_one_deadline():
    expert = scripted(failure={"error": "ExpertUnavailable", "calls": 1})
    wrapped, _ = retrying(expert, timeout=60)
    await complete(wrapped, QUERY)
    deadlines = {query.limits.deadline for query in expert.queries}
    assert len(deadlines) == 1
    assert time.time() < deadlines.pop() <= time.time() + 60


async def test_a_sooner_deadline_and_the_budget_of_the_query_are_kept():
    expert = scripted()
    wrapped, _ = retrying(expert, timeout=60)
    limits = Limits(max_cost_usd=0.5, deadline=time.time() + 1)
    await complete(wrapped, Query(QUERY.messages, limits=limits))
    assert expert.queries[0].limits == limits


async def test_closing_during_a_pause_ends_it():
    expert = scripted(failure={"error": "ExpertUnavailable"})
    pausing = asyncio.Event()

    async def sleep(seconds):
        pausing.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(complete(Retrying(expert, 2, 60, sleep=sleep), QUERY))
    await pausing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert expert.counts.started == 1


async def test_closing_the_stream_closes_the_attempt():
    expert = scripted(text="a b c d")
    wrapped, _ = retrying(expert)
    async with aclosing(chunks(wrapped, Query(QUERY.messages, stream=True))) as stream:
        await anext(stream)
    assert expert.counts.cancelled == 1


def test_which_errors_pass():
    assert passing(RateLimited("x"))
    assert passing(ExpertTimeout("x"))
    assert passing(ExpertUnavailable("x"))
    assert not passing(Declined("x"))
    assert not passing(StreamBroken("x"))
    assert not passing(ExpertUnavailable("x", code="upstream_refused"))
