"""specialist: what is taken apart, what streams when, and what becomes of failures."""

import asyncio

import pytest

from mixture.errors import InvalidQuery, NoAnswer, StreamBroken
from mixture.providers.scripted import scripted
from mixture.types import Message, Plan, Planned, Query, ResponseFormat, Sampling, Subtask, Tool

ASKED = "Explain what inflation is and write a Python function that reverses a list"


def two(**of_finance):
    return (
        scripted("analyst", "prices rise", skills=("finance",), **of_finance),
        scripted("coder", "def f(): ...", skills=("code",)),
    )


async def test_each_operation_goes_to_its_expert_and_the_answers_come_in_order(run):
    done = await run("specialist", *two(), asked=ASKED)
    assert done.told == [
        ("routed", "analyst", "coder"),
        ("planned",),
        ("routed", "1", "analyst", "coder"),
        ("routed", "2", "coder", "analyst"),
        ("delta", "analyst", "prices "),
        ("delta", "analyst", "rise"),
        ("delta", "coder", "\n\ndef "),
        ("delta", "coder", "f(): "),
        ("delta", "coder", "..."),
        ("end", "coder", "", "stop"),
    ]
    assert done.completion.text == "prices rise\n\ndef f(): ..."
    assert done.completion.expert == "analyst+coder"
    assert done.completion.degraded is None


async def test_what_is_sent_is_what_is_returned_with_or_without_a_stream(run):
    streamed = await run("specialist", *two(), asked=ASKED)
    plain = await run("specialist", *two(), asked=ASKED, stream=False)
    sent = "".join(event[2] for event in streamed.told if event[0] in ("delta", "end"))
    assert sent == streamed.completion.text == plain.completion.text
    assert [event[0] for event in plain.told] == ["routed", "planned", "routed", "routed"]


async def test_the_operation_stands_alone_with_the_request_as_context(run):
    analyst, coder = two()
    conversation = (Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "hello"))
    query = Query((*conversation, Message("user", ASKED)), Sampling(max_tokens=100), stream=True)
    await run("specialist", analyst, coder, query=query)
    (asked,) = coder.queries
    assert asked.text == "Write a Python function that reverses a list"
    assert asked.messages[0].text.startswith("Be brief.\n\n")
    assert ASKED in asked.messages[0].text
    assert asked.messages[1:3] == conversation[1:]
    assert (asked.purpose, asked.sampling.max_tokens) == ("subtask", 50)


async def test_sections_are_written_at_the_same_time_and_held_until_their_turn(run):
    gate = asyncio.Event()
    analyst, coder = two(gate=gate)
    task = asyncio.ensure_future(run("specialist", analyst, coder, asked=ASKED))
    await coder.reached(finished=1)
    assert analyst.counts.finished == 0
    gate.set()
    done = await task
    assert [event[1] for event in done.told if event[0] == "delta"] == ["analyst"] * 2 + ["coder"] * 3


async def test_the_first_section_is_live(panel):
    from mixture.config import StrategyOptions
    from mixture.strategies import create
    from mixture.types import Delta

    gate, first = asyncio.Event(), asyncio.Event()
    analyst, coder = (
        scripted("analyst", "prices rise", skills=("finance",)),
        scripted("coder", skills=("code",), gate=gate),
    )

    async def emit(event):
        if isinstance(event, Delta):
            first.set()

    query = Query((Message("user", ASKED),), stream=True)
    strategy = create("specialist", StrategyOptions())
    task = asyncio.ensure_future(strategy(query, panel(analyst, coder), emit))
    await first.wait()
    assert coder.counts.finished == 0
    gate.set()
    await task


@pytest.mark.parametrize(
    "more",
    [
        {"tools": (Tool("look"),)},
        {"response_format": ResponseFormat("json_object")},
        {"sampling": Sampling(n=2)},
        {"sampling": Sampling(logprobs=True)},
    ],
)
async def test_what_can_not_be_put_together_stays_whole(run, more):
    done = await run("specialist", *two(), query=Query((Message("user", ASKED),), **more))
    assert [event[0] for event in done.told] == ["routed"]
    assert done.completion.expert in ("analyst", "coder")


async def test_a_simple_request_stays_whole(run):
    done = await run("specialist", *two(), asked="What is inflation?")
    assert done.told[0] == ("routed", "analyst", "coder")
    assert not any(isinstance(event, Planned) for event in done.events)


async def test_a_failed_operation_gets_a_second_expert(run):
    done = await run("specialist", *two(failure={"error": "RateLimited"}), asked=ASKED)
    assert done.completion.text == "def f(): ...\n\ndef f(): ..."
    assert done.completion.expert == "coder"
    assert done.completion.degraded is None


async def test_a_later_section_that_breaks_before_its_turn_is_written_again(run):
    gate = asyncio.Event()
    analyst = scripted("analyst", "prices rise", skills=("finance",), gate=gate)
    broken = scripted("coder", "def f", skills=("code",), failure={"error": "StreamBroken", "after": 1, "calls": 1})
    spare = scripted("spare", "spare code", skills=("general",))
    task = asyncio.ensure_future(run("specialist", analyst, broken, spare, asked=ASKED))
    await spare.reached(finished=1)
    gate.set()
    done = await task
    assert done.completion.text == "prices rise\n\nspare code"
    assert "def " not in "".join(event[2] for event in done.told if event[0] == "delta")


async def test_a_section_that_breaks_while_it_is_sent_ends_the_answer_and_the_others(run):
    gate = asyncio.Event()
    coder = scripted("coder", skills=("code",), gate=gate)
    broken = scripted("analyst", "a b", skills=("finance",), failure={"error": "ExpertUnavailable", "after": 1})
    done = await run("specialist", broken, coder, asked=ASKED)
    assert isinstance(done.error, StreamBroken)
    assert done.told[-1] == ("delta", "analyst", "a ")
    assert coder.counts.cancelled == 1


async def test_an_operation_that_nobody_could_do_is_said(run):
    class Picky:
        def __init__(self, inner):
            self.inner, self.card = inner, inner.card

        def stream(self, query):
            kind = {"error": "ExpertUnavailable", "message": "down"} if "Python" in query.text else None
            return scripted(self.card.name, "prices rise", failure=kind).stream(query)

    done = await run("specialist", *(Picky(expert) for expert in two()), asked=ASKED)
    assert done.completion.text == "prices rise"
    assert done.completion.degraded.startswith("operation 2 got no answer (no expert answered (")
    assert done.told[-1] == ("end", "analyst", "", "stop")


async def test_nobody_could_do_anything(run):
    failing = [scripted(name, skills=(name,), failure={"error": "RateLimited"}) for name in ("finance", "code")]
    done = await run("specialist", *failing, asked=ASKED)
    assert isinstance(done.error, NoAnswer)
    assert [who for who, _ in done.error.causes] == ["operation 1", "operation 2"]
    refused = [scripted(name, skills=(name,), failure={"error": "InvalidQuery"}) for name in ("finance", "code")]
    assert isinstance((await run("specialist", *refused, asked=ASKED)).error, InvalidQuery)


async def test_a_section_that_was_cut_cuts_the_whole(run):
    analyst, coder = two()
    coder.script = scripted(text="def f", finish_reason="length").script
    done = await run("specialist", analyst, coder, asked=ASKED)
    assert done.completion.finish_reason == "length"
    assert done.told[-1] == ("end", "coder", "", "length")


class Given:
    def __init__(self, *subtasks):
        self.plan = Plan(subtasks)

    async def decompose(self, query):
        return self.plan


async def test_a_subtask_that_builds_on_another_gets_its_answer(run):
    plan = Given(Subtask("a", "Explain inflation"), Subtask("b", "Write Python code", depends_on=("a",)))
    analyst, coder = two()
    done = await run("specialist", analyst, coder, asked=ASKED, parts={"decomposer": plan})
    assert done.completion.text == "prices rise\n\ndef f(): ..."
    assert "prices rise" in coder.queries[0].messages[0].text


@pytest.mark.parametrize(
    "subtasks",
    [
        (Subtask("a", "x", depends_on=("b",)), Subtask("b", "y")),
        (Subtask("a", "x"), Subtask("a", "y")),
        (Subtask("a", "x"), Subtask("b", "y", depends_on=("c",))),
    ],
)
async def test_a_plan_that_holds_no_water_is_not_followed(run, subtasks):
    done = await run("specialist", *two(), asked=ASKED, parts={"decomposer": Given(*subtasks)})
    assert [event[0] for event in done.told[:2]] == ["routed", "delta"]


async def test_a_long_section_waits_for_its_turn_in_bounded_memory(run, monkeypatch):
    monkeypatch.setattr("mixture.dispatch.sections.MOST", 4)
    gate = asyncio.Event()
    analyst = scripted("analyst", "first", skills=("finance",), gate=gate)
    coder = scripted("coder", "w " * 50, skills=("code",))
    task = asyncio.ensure_future(run("specialist", analyst, coder, asked=ASKED))
    await coder.reached(tokens=5)
    await analyst.reached(started=1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert coder.counts.tokens == 5
    gate.set()
    assert (await task).completion.text == "first\n\n" + "w " * 50
