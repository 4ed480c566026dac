"""How many proposals are asked for: by how busy everybody is, and by who can be done in time."""

import asyncio
import time

import pytest

from mixture.config import Resilience
from mixture.dispatch.elastic import BUSY, IDLE, elastic
from mixture.providers.scripted import scripted
from mixture.streams import complete
from mixture.types import Adjusted, Limits, Message, Query, Routed
from mixture.wrappers import wrap

ASKED = "How many legs do 3 spiders have?"


@pytest.mark.parametrize(
    ("bounds", "pressure", "number"),
    [
        ((None, None), 0.0, 5),
        ((None, None), 9.0, 5),
        ((2, 8), 0.0, 8),
        ((2, 8), IDLE, 8),
        ((2, 8), BUSY, 2),
        ((2, 8), 9.0, 2),
        ((2, 8), (IDLE + BUSY) / 2, 5),
        ((2, None), 0.0, 5),
        ((None, 8), 9.0, 5),
        ((9, 3), 9.0, 5),  # bounds on the wrong side of what is wanted change nothing
    ],
)
def test_how_many(bounds, pressure, number):
    assert elastic(5, *bounds, pressure) == number


def test_busier_is_never_more():
    numbers = [elastic(5, 1, 9, pressure / 20) for pressure in range(30)]
    assert numbers == sorted(numbers, reverse=True)
    assert set(numbers) >= {1, 5, 9}


def adjusted(done):
    return [(event.kind, *event.experts) for event in done.events if isinstance(event, Adjusted)]


def places(name, most=1):
    """An expert with so many places, behind its wrappers."""
    made = wrap(scripted(name, "24", gate=(gate := asyncio.Event())), Resilience(num_retries=0, max_concurrency=most))
    return made, gate


async def test_idle_experts_are_asked_more(run):
    done = await run("voting", *(scripted(name, "24") for name in "abcd"), asked=ASKED, n=2, max_proposals=4)
    assert adjusted(done)[0] == ("grown", "c", "d")
    (route,) = [event.route for event in done.events if isinstance(event, Routed)]
    assert "4 instead of 2 proposals: experts are idle (0.00 calls for each place)" in route.why
    assert done.completion.degraded is None


async def test_the_busiest_are_left_out(run):
    made = {name: places(name) for name in "abcd"}
    query = Query((Message("user", "occupied"),))
    held = [asyncio.ensure_future(complete(made[name][0], query)) for name in "ab"]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for name in "cd":
        made[name][1].set()
    done = await run("voting", *(expert for expert, _ in made.values()), asked=ASKED, min_proposals=2)
    # two of four places are taken: 0.5 calls for each, a third of the way from idle to busy
    assert adjusted(done)[0] == ("shrunk", "b")
    for _, gate in made.values():
        gate.set()
    await asyncio.gather(*held)
    assert done.completion is not None


async def test_a_busy_gateway_counts_too(run):
    experts = [scripted(name, "24") for name in "abcd"]
    done = await run("voting", *experts, asked=ASKED, min_proposals=2, parts={"busy": lambda: 1.0})
    assert adjusted(done) == [("shrunk", "c", "d")]
    assert done.completion.degraded is None


@pytest.mark.parametrize(("busy", "layers"), [(0.0, 3), (1.0, 1), ((IDLE + BUSY) / 2, 2)])
async def test_layers_follow_how_busy_everybody_is(run, busy, layers):
    experts = [scripted(name, "The sky is blue.") for name in "abw"]
    bounds = {"layers": 2, "min_layers": 1, "max_layers": 3, "proposer_models": ("a", "b"), "aggregator_model": "w"}
    done = await run("mixture_of_agents", *experts, asked="Why?", parts={"busy": lambda: busy}, **bounds)
    assert len(experts[0].queries) == done.completion.aggregation.layers == layers
    (route,) = [event.route for event in done.events if isinstance(event, Routed)]
    assert (f"{layers} instead of 2 layers" in route.why) == (layers != 2)
    assert done.completion.degraded is None


async def test_who_was_too_slow_lately_is_not_asked(run):
    slow = wrap(scripted("c", "24", delay=2.5), Resilience())
    await asyncio.gather(*(complete(slow, Query((Message("user", "hi"),))) for _ in range(5)))
    query = Query((Message("user", ASKED),), limits=Limits(deadline=time.time() + 2.4))
    done = await run("voting", scripted("a", "24"), scripted("b", "24"), slow, query=query)
    assert adjusted(done) == [("shrunk", "c")]
    assert "c not asked: slower lately than the" in done.completion.degraded
    ample = Query((Message("user", ASKED),), limits=Limits(deadline=time.time() + 60))
    assert adjusted(await run("best_of_n", scripted("a", "24"), slow, query=ample)) == []


async def test_when_all_are_slow_all_are_asked(run):
    slow = [wrap(scripted(name, "24", delay=0.2), Resilience()) for name in "ab"]
    for expert in slow:
        await asyncio.gather(*(complete(expert, Query((Message("user", "hi"),))) for _ in range(5)))
    query = Query((Message("user", ASKED),), limits=Limits(deadline=time.time() + 0.1))
    done = await run("voting", *slow, query=query)
    assert adjusted(done) == []
