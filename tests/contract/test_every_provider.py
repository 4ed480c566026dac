"""What every expert keeps to, whatever is behind it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from mixture.providers import PROVIDERS
from mixture.streams import chunks, complete
from mixture.types import Expert, Tool
from tests.contract.conftest import closed
from tests.contract.subjects import CALLS, KEY, SUBJECTS, TEXTS, Place, speaking
from tests.contract.upstream import upstream as running


async def collected(expert, query):
    async with aclosing(chunks(expert, query)) as stream:
        return [chunk async for chunk in stream]


async def test_is_an_expert_with_a_card(expert, subject):
    assert isinstance(expert, Expert)
    card = expert.card
    assert card.name in ("subject", "role")
    assert card.provider and card.location in ("embedded", "local", "external")
    assert (card.location == "embedded") == (subject.dialect is None)


async def test_pieces_join_to_the_whole(expert, subject):
    pieces = await collected(expert, replace(subject.query, stream=True))
    whole = await collected(expert, subject.query)
    text = "".join(chunk.text for chunk in pieces)
    assert text == "".join(chunk.text for chunk in whole) != ""
    assert len(whole) == 1
    if subject.dialect is not None:
        assert [chunk.text for chunk in pieces if chunk.text] == list(TEXTS)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_last_chunk_ends_the_answer_and_counts_it(expert, subject, stream):
    *earlier, last = await collected(expert, replace(subject.query, stream=stream))
    assert last.finish_reason == "stop"
    assert all(chunk.usage is None and chunk.finish_reason is None for chunk in earlier)
    if subject.dialect is not None:
        assert last.usage == subject.dialect.usage
    else:
        assert last.usage is not None


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_are_called(expert, subject, upstream, stream):
    if "tools" not in expert.card.abilities:
        pytest.skip("calls no tools")
    if subject.dialect is not None:
        upstream.answers(speaking(subject.dialect, CALLS))
    tools = tuple(Tool(name, "What it does", {"type": "object", "properties": {}}) for _, name, _ in CALLS)
    completion = await complete(expert, replace(subject.query, tools=tools, stream=stream))
    assert completion.finish_reason == "tool_calls"
    assert [call.name for call in completion.tool_calls] == ["weather", "clock"]
    assert [call.arguments.replace(" ", "") for call in completion.tool_calls] == ['{"city":"Bern"}', "{}"]
    assert len({call.id for call in completion.tool_calls}) == 2
    assert all(call.id for call in completion.tool_calls)


async def test_answers_at_once_do_not_mix(expert, subject):
    alone = (await complete(expert, subject.query)).text
    queries = [replace(subject.query, stream=bool(i % 2)) for i in range(8)]
    answers = await asyncio.gather(*(complete(expert, query) for query in queries))
    assert {answer.text for answer in answers} == {alone}


async def test_closing_the_stream_ends_it(expert, subject):
    stream = chunks(expert, replace(subject.query, stream=True))
    await anext(stream)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert (await complete(expert, subject.query)).text


@pytest.mark.parametrize("closing", [True, False])
def test_works_again_in_another_event_loop(subject, tmp_path, closing):
    made: list[Expert] = []

    async def once(port: int) -> tuple[str, int]:
        async with running(port) as upstream:
            made[:] = made or [subject.make(Place(upstream, tmp_path))]
            subject.ready(upstream)
            text = (await complete(made[0], subject.query)).text
            if closing:
                await closed(made[0])
            return text, upstream.port

    text, port = asyncio.run(once(0))
    assert asyncio.run(once(port)) == (text, port)
    if not closing:
        asyncio.run(closed(made[0]))


async def test_no_secret_shows(expert):
    for shown in (repr(expert), str(expert), repr(vars(expert)), repr(expert.card)):
        assert KEY not in shown


def test_every_provider_is_here():
    apart = {"vllm", "lora"}  # they run in replicas only: tests/engine asks them
    assert {subject.name for subject in SUBJECTS} == set(PROVIDERS) - apart
