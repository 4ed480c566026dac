"""All stream handling: collecting, relaying, driving, coalescing."""

import asyncio
from contextlib import aclosing

import pytest

from mixture.errors import ExpertUnavailable
from mixture.providers.scripted import scripted
from mixture.streams import (
    _MOST,
    Collector,
    as_chunks,
    coalesce,
    complete,
    drive,
    ignore,
    present,
    relay,
)
from mixture.types import (
    Answered,
    Choice,
    Chunk,
    Completion,
    Delta,
    Message,
    Query,
    Report,
    Sampling,
    ToolCall,
    Usage,
)

PLAIN = Query((Message("user", "hi"),))
STREAMED = Query(PLAIN.messages, stream=True)


def collected(*chunks):
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    return collector.completion("a")


def test_fragments_of_tool_calls_are_put_together_by_index():
    made = collected(
        Chunk("x"),
        Chunk(tool_calls=(ToolCall("1", "f", '{"a'), ToolCall("2", "g", "", 1))),
        Chunk(tool_calls=(ToolCall("", "", '": 1}'), ToolCall("", "", "{}", 1))),
    )
    assert made.tool_calls == (ToolCall("1", "f", '{"a": 1}'), ToolCall("2", "g", "{}", 1))
    assert made.finish_reason == "tool_calls"


def test_choices_are_kept_apart_and_in_order():
    made = collected(Chunk("b1", index=1), Chunk("a1"), Chunk("b2", index=1, finish_reason="length"), Chunk("a2"))
    assert [(choice.text, choice.finish_reason) for choice in made.choices] == [("a1a2", "stop"), ("b1b2", "length")]


def test_the_last_usage_counts_and_without_chunks_there_is_an_empty_choice():
    assert collected(Chunk(usage=Usage(1, 1)), Chunk("x"), Chunk(usage=Usage(1, 5))).usage == Usage(1, 5)
    assert collected() == Completion("a")


def test_logprobs_and_annotations_are_kept():
    made = collected(
        Chunk("a", logprobs=({"token": "a"},)), Chunk("b", logprobs=({"token": "b"},), annotations=({"x": 1},))
    )
    assert [entry["token"] for entry in made.choices[0].logprobs] == ["a", "b"]
    assert made.choices[0].annotations == ({"x": 1},)


def test_a_finished_answer_as_chunks_is_the_same_answer():
    choices = (Choice("a", (), "stop"), Choice("", (ToolCall("1", "f", "{}"),), "tool_calls"))
    completion = Completion("a", choices, Usage(3, 4))
    assert collected(*as_chunks(completion)) == completion
    assert sum(chunk.usage is not None for chunk in as_chunks(completion)) == 1


async def test_relay_tells_every_chunk_only_when_a_stream_was_asked_for():
    events = []

    async def emit(event):
        events.append(event)

    expert = scripted("a", "one two")
    assert (await relay(expert, PLAIN, emit)).text == "one two"
    assert events == []
    assert (await relay(expert, STREAMED, emit)).text == "one two"
    assert [event.chunk.text for event in events] == ["one ", "two", ""]
    events.clear()
    await present(Completion("b", (Choice("x"),)), STREAMED, emit)
    await present(Completion("b", (Choice("x"),)), PLAIN, emit)
    assert [event.expert for event in events] == ["b"]


async def test_several_choices_in_one_answer():
    query = Query(PLAIN.messages, Sampling(n=3))
    assert len((await complete(scripted(), query)).choices) == 3


async def test_a_failing_emit_stops_the_expert():
    async def emit(event):
        raise RuntimeError("no reader")

    expert = scripted(text="a b c")
    with pytest.raises(RuntimeError):
        await relay(expert, STREAMED, emit)
    assert expert.counts.cancelled == 1


def driven(run):
    return drive(run, lambda completion: Answered(completion, Report("", "")))


async def test_driving_tells_the_events_and_then_the_end():
    events = [event async for event in driven(lambda emit: relay(scripted("a", "one two"), STREAMED, emit))]
    assert [type(event) for event in events] == [Delta, Delta, Delta, Answered]


async def test_an_error_comes_after_the_events_before_it():
    expert = scripted(text="a b", failure={"error": "StreamBroken", "after": 1})
    seen = []
    with pytest.raises(ExpertUnavailable):
        async for event in driven(lambda emit: relay(expert, STREAMED, emit)):
            seen.append(event.chunk.text)
    assert seen == ["a "]


async def test_an_error_before_any_event():
    async def run(emit):
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        await anext(driven(run))


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_closing_waits_until_everything_has_let_go(read):
    expert = scripted(text="word " * 1000)
    events = driven(lambda emit: relay(expert, STREAMED, emit))
    for _ in range(read):
        await anext(events)
    await events.aclose()
    assert expert.counts.cancelled == (1 if read else 0)
    assert expert.counts.started == expert.counts.cancelled


async def test_a_slow_reader_slows_the_writer_down():
    expert = scripted(text="word " * 1000)
    events = driven(lambda emit: relay(expert, STREAMED, emit))
    await anext(events)
    for _ in range(2000):
        await asyncio.sleep(0)
    assert expert.counts.tokens < 100
    await events.aclose()


async def test_being_cancelled_twice_still_waits_until_everything_has_let_go():
    begun, calls = asyncio.Event(), []

    async def call():
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            calls.append("noted")

    async def run(emit):
        async with asyncio.TaskGroup() as group:
            group.create_task(call())

    async def read():
        async with aclosing(drive(run, lambda result: result)) as events:
            async for _ in events:
                pass

    reader = asyncio.create_task(read())
    await begun.wait()
    for _ in range(3):
        reader.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert calls == ["noted"]


async def test_cancelling_the_reader_cancels_the_run():
    expert = scripted(gate=asyncio.Event())

    async def read():
        async with aclosing(driven(lambda emit: relay(expert, STREAMED, emit))) as events:
            async for _ in events:
                pass

    task = asyncio.ensure_future(read())
    await expert.reached(started=1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert expert.counts.cancelled == 1


async def numbered(count, gate=None, after=0, error=None):
    for number in range(count):
        if gate is not None and number == after:
            await gate.wait()
        yield Chunk(str(number))
    if error is not None:
        raise error


async def test_coalescing_keeps_everything_in_order_and_sends_the_first_at_once():
    gate = asyncio.Event()
    batches = coalesce(numbered(100, gate, after=1), interval=0)
    assert [chunk.text for chunk in await anext(batches)] == ["0"]
    gate.set()
    rest = [chunk.text async for batch in batches for chunk in batch]
    assert rest == [str(number) for number in range(1, 100)]


async def test_coalescing_does_not_wait_for_the_interval_at_the_end():
    batches = coalesce(numbered(5), interval=3600)
    assert [chunk.text async for batch in batches for chunk in batch] == ["0", "1", "2", "3", "4"]


async def test_coalescing_gives_empty_batches_in_silence_and_loses_nothing():
    gate = asyncio.Event()
    batches = coalesce(numbered(4, gate, after=2), interval=0, beat=0.01)
    seen = []
    async for batch in batches:
        seen.append([chunk.text for chunk in batch])
        if seen[-2:] == [[], []]:
            gate.set()
    assert [text for batch in seen for text in batch] == ["0", "1", "2", "3"]
    assert [] in seen
    assert [batch async for batch in coalesce(numbered(0), beat=3600)] == []


async def test_coalescing_holds_a_bounded_number():
    count = 0

    async def endless():
        nonlocal count
        while True:
            count += 1
            yield Chunk("x")
            await asyncio.sleep(0)

    batches = coalesce(endless(), interval=3600)
    await anext(batches)
    batch = await anext(batches)
    assert len(batch) == _MOST
    for _ in range(3 * _MOST):
        await asyncio.sleep(0)
    assert count <= 2 * _MOST + 2
    await batches.aclose()


async def test_coalescing_passes_the_error_on_after_the_chunks_before_it():
    seen = []
    with pytest.raises(ExpertUnavailable):
        async for batch in coalesce(numbered(3, error=ExpertUnavailable("down")), interval=0):
            seen += [chunk.text for chunk in batch]
    assert seen == ["0", "1", "2"]


async def test_closing_a_coalesced_stream_closes_the_stream():
    expert = scripted(text="word " * 10_000)
    batches = coalesce(expert.stream(STREAMED), interval=0)
    await anext(batches)
    await batches.aclose()
    assert expert.counts.cancelled == 1


async def test_an_emit_for_those_who_want_the_answer_only():
    assert await ignore(Delta("a", Chunk("x"))) is None
