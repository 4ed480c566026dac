"""decomposition: who answers which part when, who writes the whole, and what becomes of failures."""

import asyncio

import pytest

from mixture.config import StrategyOptions
from mixture.errors import InvalidQuery, NoAnswer, Overloaded, StreamBroken
from mixture.metering import metered
from mixture.providers.scripted import scripted
from mixture.strategies import create
from mixture.types import (
    Delta,
    ExpertCard,
    ImagePart,
    Limits,
    Message,
    Plan,
    Planned,
    Price,
    Proposed,
    Query,
    ResponseFormat,
    Routed,
    Sampling,
    Subtask,
    TextPart,
    Tool,
)

ASKED = "Explain what inflation is and write a Python function that reverses a list"


class Given:
    """A decomposer with one plan for everything."""

    def __init__(self, *subtasks, final=None, why="", degraded=None):
        self.plan = Plan(subtasks, final, why, degraded)

    async def decompose(self, query):
        return self.plan


class Down:
    async def decompose(self, query):
        raise Overloaded("the decomposer is not available at the moment")


def part(name, text="Explain inflation", *before, skill=None):
    return Subtask(name, text, skill, before)


def three(**of_coder):
    """One who answers the first part, one who answers the second, one who writes (he is asked about the whole)."""
    return (
        scripted("analyst", "prices rise", skills=("finance",)),
        scripted("coder", {"^Write a Python": "def f(): ...", "^Explain": "one answer"}, skills=("code",), **of_coder),
    )


def told(events):
    """The events in short, each with its subtask."""
    said = []
    for event in events:
        match event:
            case Routed(route, None):
                said.append(("routed", *route.experts))
            case Routed(route, subtask):
                said.append(("routed", subtask, *route.experts))
            case Planned(plan):
                said.append(("planned", *(subtask.id for subtask in plan.subtasks)))
            case Proposed(expert, None, error, subtask):
                said.append(("failed", subtask, expert, error))
            case Proposed(expert, completion, None, subtask):
                said.append(("proposed", subtask, expert, completion.text))
            case Delta(expert, chunk):
                said.append(("delta", expert, chunk.text))
    return said


def answer_of(done):
    return "".join(event.chunk.text for event in done.events if isinstance(event, Delta))


async def test_the_parts_are_answered_and_one_expert_writes_the_whole(run):
    done = await run("decomposition", *three(), asked=ASKED)
    assert told(done.events) == [
        ("routed", "analyst", "coder"),
        ("planned", "1", "2"),
        ("routed", "1", "analyst", "coder"),
        ("routed", "2", "coder", "analyst"),
        ("proposed", "1", "analyst", "prices rise"),
        ("proposed", "2", "coder", "def f(): ..."),
        ("delta", "coder", "one "),
        ("delta", "coder", "answer"),
        ("delta", "coder", ""),
    ]
    assert (done.completion.text, done.completion.expert, done.completion.degraded) == ("one answer", "coder", None)


async def test_the_writer_gets_the_request_with_the_numbered_results(run):
    analyst, coder = three()
    conversation = (Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "hello"))
    query = Query((*conversation, Message("user", ASKED)), Sampling(max_tokens=100), stream=True)
    await run("decomposition", analyst, coder, query=query)
    part, whole = coder.queries
    assert (part.purpose, part.stream, part.sampling.max_tokens) == ("subtask 2", False, 50)
    assert ASKED in part.messages[0].text
    assert (whole.purpose, whole.stream, whole.sampling.max_tokens) == ("aggregator", True, 100)
    assert whole.messages[1:] == query.messages[1:]
    assert whole.messages[0].text.startswith("Be brief.\n\n")
    assert (
        "Result 1, for the part: Explain what inflation is\n<result>\nprices rise\n</result>" in whole.messages[0].text
    )
    assert "Result 2, for the part: Write a Python function that reverses a list\n<result>\ndef f()" in (
        whole.messages[0].text
    )


async def test_without_a_stream_it_is_the_same(run):
    done = await run("decomposition", *three(), asked=ASKED, stream=False)
    assert done.completion.text == "one answer"
    assert [event[0] for event in told(done.events)] == ["routed", "planned", "routed", "routed", *["proposed"] * 2]


async def test_ready_parts_run_at_once_and_the_others_wait_for_what_they_need(run):
    gate = asyncio.Event()
    slow = scripted("slow", "slow answer", skills=("finance",), gate=gate)
    coder = scripted("coder", {"^Write": "code", "^Explain": "whole"}, skills=("code",))
    plan = Given(
        part("a", "Write Python tests", "b", "c"),
        part("b", "Explain what a mortgage is"),
        part("c", "Write Python code"),
    )
    task = asyncio.ensure_future(run("decomposition", slow, coder, asked=ASKED, parts={"decomposer": plan}))
    await asyncio.gather(slow.reached(started=1), coder.reached(finished=1))
    assert [query.text for query in coder.queries] == ["Write Python code"]
    gate.set()
    done = await task
    assert [event[1] for event in told(done.events) if event[0] == "proposed"] == ["c", "b", "a"]
    given = coder.queries[1]
    assert given.text == "Write Python tests"
    assert "slow answer\n\ncode" in given.messages[0].text
    assert done.completion.text == "whole"


async def test_a_part_that_fails_gets_a_second_expert(run):
    analyst, coder = three()
    analyst.script = scripted(failure={"error": "RateLimited", "message": "wait"}).script
    done = await run("decomposition", analyst, coder, asked=ASKED)
    said = told(done.events)
    assert ("failed", "1", "analyst", "wait") in said
    assert ("proposed", "1", "coder", "one answer") in said
    assert done.completion.degraded is None


async def test_an_empty_answer_is_a_failure(run):
    analyst, coder = three()
    analyst.script = scripted(text=" ").script
    done = await run("decomposition", analyst, coder, asked=ASKED)
    assert ("failed", "1", "analyst", "analyst gave an empty answer") in told(done.events)


async def test_who_declines_is_not_told_of(run):
    analyst, coder = three()
    analyst.script = scripted(failure={"error": "Declined"}).script
    done = await run("decomposition", analyst, coder, asked=ASKED)
    assert not any(event[0] == "failed" for event in told(done.events))
    assert ("proposed", "1", "coder", "one answer") in told(done.events)


class Picky:
    """Fails for queries with this in them."""

    def __init__(self, inner, word, where="text", error="ExpertUnavailable"):
        self.inner, self.card, self.word, self.where, self.error = inner, inner.card, word, where, error
        self.asked = []

    def stream(self, query):
        self.asked.append(query)
        if self.word in getattr(query, self.where):
            return scripted(self.card.name, failure={"error": self.error, "message": "down"}).stream(query)
        return self.inner.stream(query)


async def test_a_part_that_nobody_could_answer_is_left_to_the_writer_and_said(run):
    experts = [Picky(expert, "Python function that reverses a list", "text") for expert in three()]
    plan = Given(part("1", "Explain inflation"), part("2", "Write a Python function that reverses a list"))
    done = await run("decomposition", *experts, asked="Explain both", parts={"decomposer": plan})
    assert done.completion.degraded == ("subtask 2 got no answer (no expert answered (coder: down; analyst: down))")
    whole = next(query for expert in experts for query in expert.asked if query.purpose == "aggregator")
    assert "Result 2, for the part: Write a Python function that reverses a list\n(missing)" in whole.messages[0].text


async def test_what_waits_for_a_part_without_an_answer_goes_ahead(run):
    experts = [Picky(expert, "Explain inflation") for expert in three()]
    plan = Given(part("1", "Explain inflation"), part("2", "Write a Python function", "1"))
    done = await run("decomposition", *experts, asked="Explain both", parts={"decomposer": plan})
    assert ("proposed", "2", "coder", "def f(): ...") in told(done.events)
    assert "subtask 1 got no answer" in done.completion.degraded


async def test_a_part_that_is_refused_as_wrong_is_not_asked_again(run):
    analyst, coder = three()
    picky = Picky(coder, "subtask 2", "purpose", "InvalidQuery")
    done = await run("decomposition", analyst, picky, asked=ASKED)
    assert ("failed", "2", "coder", "down") in told(done.events)
    assert not [event for event in told(done.events) if event[:2] == ("proposed", "2")]
    assert done.completion.text == "one answer"


async def test_nobody_could_answer_anything(run):
    failing = [scripted(name, skills=(name,), failure={"error": "RateLimited"}) for name in ("finance", "code")]
    done = await run("decomposition", *failing, asked=ASKED)
    assert isinstance(done.error, NoAnswer)
    assert [who for who, _ in done.error.causes] == ["subtask 1", "subtask 2"]
    refused = [scripted(name, skills=(name,), failure={"error": "InvalidQuery"}) for name in ("finance", "code")]
    assert isinstance((await run("decomposition", *refused, asked=ASKED)).error, InvalidQuery)


async def test_a_second_writer_takes_over_before_the_first_token(run):
    analyst, coder = three()
    done = await run("decomposition", analyst, Picky(coder, "aggregator", "purpose"), asked=ASKED)
    assert answer_of(done) == done.completion.text == "prices rise"
    assert done.completion.expert == "analyst"
    assert done.completion.degraded is None


async def test_when_nobody_writes_the_parts_are_joined(run):
    experts = [Picky(expert, "aggregator", "purpose") for expert in three()]
    done = await run("decomposition", *experts, asked=ASKED)
    assert answer_of(done) == done.completion.text == "prices rise\n\ndef f(): ..."
    assert done.completion.expert == "analyst+coder"
    assert done.completion.degraded == (
        "the parts were not written into one: no expert answered (coder: down; analyst: down)"
    )


async def test_a_writer_that_breaks_after_its_first_token_ends_the_answer(run):
    class Breaking(Picky):
        def stream(self, query):
            if query.purpose == "aggregator":
                return scripted("coder", "a b", failure={"error": "ExpertUnavailable", "after": 1}).stream(query)
            return self.inner.stream(query)

    analyst, coder = three()
    done = await run("decomposition", analyst, Breaking(coder, ""), asked=ASKED)
    assert isinstance(done.error, StreamBroken)
    assert told(done.events)[-1] == ("delta", "coder", "a ")


async def test_experts_that_only_calculate_or_quote_do_not_write(run):
    class Quoting(Picky):
        def __init__(self, inner, provider):
            super().__init__(inner, "never asked this")
            self.card = ExpertCard(inner.card.name, provider, skills=inner.card.skills)

    analyst, coder = three()
    done = await run("decomposition", Quoting(analyst, "symbolic"), Quoting(coder, "extractive"), asked=ASKED)
    assert done.completion.text == "prices rise\n\ndef f(): ..."
    assert done.completion.degraded == "the parts were not written into one: there is no expert that can write"
    assert "nobody here can write" in done.events[0].route.why


@pytest.mark.parametrize(
    "more",
    [
        {"tools": (Tool("look"),)},
        {"response_format": ResponseFormat("json_object")},
        {"sampling": Sampling(n=2)},
        {"sampling": Sampling(logprobs=True)},
        {"messages": (Message("user", (TextPart(ASKED), ImagePart("data:image/png;base64,AA=="))),)},
    ],
)
async def test_what_can_not_be_put_together_stays_whole(run, more):
    done = await run("decomposition", *three(), query=Query(**({"messages": (Message("user", ASKED),)} | more)))
    assert [event[0] for event in told(done.events)] == ["routed"]
    assert done.completion.degraded is None


async def test_a_simple_request_is_answered_by_task(run):
    done = await run("decomposition", *three(), asked="Explain inflation")
    other = await run("task_based", *three(), asked="Explain inflation")
    assert done.events == other.events
    assert done.completion == other.completion


@pytest.mark.parametrize(
    ("subtasks", "why"),
    [
        ((part("a", "x", "b"), part("b", "y", "a")), "depends_on goes in a circle: "),
        ((part("a", "x", "a"), part("b")), "depends_on goes in a circle: a -> a"),
        ((part("a"), part("a")), "the id 'a' stands 2 times"),
        ((part("a"), part("b", "y", "c")), "subtask 'b' depends on 'c', which does not exist"),
        ((part("a"), part("b", " ")), "subtask 'b' has no text"),
        ((), "there is no subtask"),
        (tuple(part(str(i)) for i in range(17)), "17 subtasks, at most 16 are allowed"),
        (
            tuple(part(str(i), "x", *([str(i - 1)] if i else [])) for i in range(5)),
            "a chain of 5 subtasks, at most 4 may wait for each other",
        ),
    ],
)
async def test_a_plan_that_holds_no_water_is_not_followed(run, subtasks, why):
    done = await run("decomposition", *three(), asked="Explain", parts={"decomposer": Given(*subtasks)})
    assert [event[0] for event in told(done.events)][:2] == ["routed", "delta"]
    assert done.completion.degraded.startswith(f"the plan was not followed ({why}")


async def test_the_options_limit_the_plan(run):
    plan = Given(part("1"), part("2", "Write code", "1"), part("3"))
    for options, why in (({"max_subtasks": 2}, "3 subtasks, at most 2"), ({"max_depth": 1}, "a chain of 2 subtasks")):
        done = await run("decomposition", *three(), asked="Explain", parts={"decomposer": plan}, **options)
        assert why in done.completion.degraded
        assert not any(isinstance(event, Planned) for event in done.events)


@pytest.mark.parametrize("strategy", ["decomposition", "specialist"])
async def test_a_decomposer_that_is_down_is_replaced_by_the_rules(run, strategy):
    done = await run(strategy, *three(), asked=ASKED, parts={"decomposer": Down()})
    assert any(isinstance(event, Planned) for event in done.events)
    assert done.completion.degraded == (
        "the decomposer did not answer (the decomposer is not available at the moment), rules took its place"
    )


async def test_who_planned_stands_in_the_route(run):
    plan = Given(part("1"), part("2", "Write Python code"), why="planned by judge", degraded="half a plan")
    done = await run("decomposition", *three(), asked="Explain", parts={"decomposer": plan})
    assert done.events[0].route.why == (
        "2 subtasks (planned by judge), each with the expert for it; analyst writes the answer"
    )
    assert done.completion.degraded == "half a plan"


async def test_a_specialist_map_holds_for_each_part(run):
    done = await run("decomposition", *three(), asked=ASKED, specialist_map={"code": "analyst"})
    assert ("proposed", "2", "analyst", "prices rise") in told(done.events)


async def test_cancelling_stops_every_part(panel):
    gate = asyncio.Event()
    experts = [scripted(name, skills=(name,), gate=gate) for name in ("finance", "code")]
    task = asyncio.ensure_future(_strategy(panel(*experts)))
    await asyncio.gather(*(expert.reached(started=1) for expert in experts))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [expert.counts.cancelled for expert in experts] == [1, 1]


async def test_cancelling_stops_the_writer(panel):
    analyst, coder = three()
    writing = asyncio.Event()

    async def emit(event):
        if isinstance(event, Delta):
            writing.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(_strategy(panel(analyst, coder), emit))
    await writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert coder.counts.cancelled == 1


async def _strategy(panel, emit=None, **options):
    async def ignore(event):
        pass

    query = Query((Message("user", ASKED),), stream=True)
    return await create("decomposition", StrategyOptions(**options))(query, panel, emit or ignore)


def priced(*prices):
    analyst, coder = (scripted("analyst", "prices rise", skills=("finance",), price=prices[0]), three()[1])
    coder.card = scripted("coder", skills=("code",), price=prices[1]).card
    return analyst, coder


async def test_a_plan_that_would_cost_too_much_is_not_followed(run):
    experts = priced(Price(1, 1), Price(1, 1))
    done = await run("decomposition", *experts, asked=ASKED, max_cost_usd=0.001)
    assert not any(isinstance(event, Planned) for event in done.events)
    assert "expected to cost more than 0.001 USD, so it stayed whole" in done.completion.degraded
    limited = Query((Message("user", ASKED),), limits=Limits(max_cost_usd=0.001))
    done = await run("decomposition", *experts, query=limited, max_cost_usd=1)
    assert "expected to cost more than 0.001 USD" in done.completion.degraded


async def test_an_unknown_price_counts_as_too_much(run):
    done = await run("decomposition", *priced(None, None), asked=ASKED, max_cost_usd=1000)
    assert "so it stayed whole" in done.completion.degraded
    analyst, coder = priced(Price(1, 1), None)
    done = await run("decomposition", analyst, coder, asked=ASKED, max_cost_usd=1000)
    assert any(isinstance(event, Planned) for event in done.events)
    assert (coder.counts.started, done.completion.degraded) == (0, None)


async def test_what_was_spent_on_the_parts_is_not_there_for_the_writer(run):
    experts = priced(Price(1, 1), Price(1, 1))
    experts[0].script = scripted(usage={"completion_tokens": 4000}).script
    with metered([]):
        done = await run("decomposition", *experts, asked=ASKED, wrapped=True, max_cost_usd=0.004)
    assert done.completion.text == "ok\n\ndef f(): ..."
    assert done.completion.degraded == "the parts were not written into one: 0.004 USD leave nothing for a writer"


async def test_a_second_expert_that_is_too_dear_is_not_asked(run):
    analyst, coder = priced(Price(1, 1), Price(1, 1))
    spare = scripted("spare", "dear", price=Price(1000, 1000))
    analyst.script = scripted(failure={"error": "RateLimited", "message": "wait"}).script
    with metered([]):
        done = await run("decomposition", analyst, spare, coder, asked=ASKED, wrapped=True, max_cost_usd=0.01)
    assert spare.counts.started == 0
    assert ("proposed", "1", "coder", "one answer") in told(done.events)


HOPS = "Who wrote the books that inspired The Lion King?"


async def test_whoever_writes_the_answer_does_the_final_subtask(run):
    expert = scripted("one", {"^Find": "Hamlet", "^Who": "Shakespeare"})
    done = await run("decomposition", expert, asked=HOPS)
    assert told(done.events) == [
        ("routed", "one"),
        ("planned", "1", "2"),
        ("routed", "1", "one"),
        ("routed", "2", "one"),
        ("proposed", "1", "one", "Hamlet"),
        ("delta", "one", "Shakespeare"),
        ("delta", "one", ""),
    ]
    find, write = expert.queries
    assert (find.text, find.purpose) == ("Find the books that inspired The Lion King", "subtask 1")
    assert (write.text, write.purpose) == (HOPS, "aggregator")
    assert "<result>\nHamlet\n</result>" in write.messages[0].text


async def test_steps_of_one_question_are_no_sections_of_an_answer(run):
    done = await run("specialist", *three(), asked=HOPS)
    assert not any(isinstance(event, Planned) for event in done.events)
