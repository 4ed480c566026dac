"""Usage is what the upstreams counted, to the token, also of calls that were stopped or broke off."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from mixture import Mixture
from mixture.errors import MixtureError
from mixture.simulation import StandIn
from mixture.trace import Trace
from mixture.types import Delta

ASK = "How many are there, would you say?"
ANSWER = "The answer is 42"


@asynccontextmanager
async def panel(upstreams: Mapping[str, StandIn], **alias: object) -> AsyncGenerator[Mixture, None]:
    """A mixture of experts that count as they go, with the alias `panel`."""
    experts = [
        {
            "name": name,
            "provider": "openai",
            "model": name,
            "base_url": upstream.base_url,
            "api_key": "none",
            "options": {"running_usage": True},
        }
        for name, upstream in upstreams.items()
    ]
    config = {"experts": experts, "aliases": {"panel": alias}, "defaults": {"num_retries": 0}}
    mixture = Mixture.from_config(config)
    yield mixture
    await mixture.close()


# The others take long enough that the third has begun, and told its first count, on a machine that is busy, too.
CASES = {
    "stopped before its first token": ({"delay": 0.4}, {"rate": 0.2}, "cancelled"),
    "stopped while it wrote": ({"delay": 1.8}, {"rate": 0.8}, "cancelled"),
    "broke off": ({"delay": 0.4}, {"failure": {"error": "StreamBroken", "after": 3}}, "error"),
}


@pytest.mark.parametrize("case", CASES)
async def test_of_a_vote(case):
    quick, third, outcome = CASES[case]
    said = "one two three four five six"
    with (
        StandIn(text=ANSWER, **quick) as one,
        StandIn(text=ANSWER, **quick) as two,
        StandIn(text=said, **third) as three,
    ):
        names = {"one": one, "two": two, "three": three}
        async with panel(names, strategy="voting", experts=list(names), early_stop=0.5) as mixture:
            answer = await mixture.answer(ASK, "panel")
        calls = {call.expert: call for call in answer.report.calls}
        counted = {name: (u.stats.prompt_tokens, u.stats.completion_tokens) for name, u in names.items()}
    assert calls["three"].outcome in (outcome, "cancelled")  # what breaks off may have been stopped before
    assert not any(call.usage.estimated for call in calls.values())
    taken = {name: (call.usage.prompt_tokens, call.usage.completion_tokens) for name, call in calls.items()}
    assert taken == counted
    usage = answer.report.usage
    assert usage.prompt_tokens == sum(prompt for prompt, _ in counted.values())
    assert usage.completion_tokens == sum(completion for _, completion in counted.values())


async def test_of_a_hedge():
    with StandIn(text="word " * 20, rate=0.2) as slow, StandIn(text=ANSWER) as quick:
        names = {"slow": slow, "quick": quick}
        hedged = {"strategy": "cascade", "fallback_order": list(names), "hedge": 300}
        async with panel(names, **hedged) as mixture:
            *_, answer = [event async for event in mixture.stream(ASK, "panel")]
        counted = [(u.stats.prompt_tokens, u.stats.completion_tokens) for u in names.values()]
    assert answer.completion.text == ANSWER
    taken = {call.expert: (call.usage.prompt_tokens, call.usage.completion_tokens) for call in answer.report.calls}
    assert taken == dict(zip(names, counted, strict=True))


PROSE = (
    "The harbour was quiet when the last boat came in, and nobody on the long stone pier spoke a word until its ropes "
    "were made fast. An old man counted the boxes of fish twice, wrote the number into his book, and said that it had "
    "been a better day than most. Behind him the lamps went on one after another along the street, and from the house "
    "at the corner came the smell of bread, as it did every evening at this hour of the year."
)
UNTOLD = {
    "broke off": ({"failure": {"error": "StreamBroken", "after": 60}}, None, "error"),
    "the client left": ({"rate": 150}, 40, "cancelled"),
}


@pytest.mark.parametrize("case", UNTOLD)
@pytest.mark.parametrize(("tokenizer", "off"), [("words", 0.1), (None, 0.25)])
async def test_what_an_upstream_never_counted_is_estimated_marked_and_near_what_it_sent(case, tokenizer, off):
    behaviour, leaves, outcome = UNTOLD[case]
    with StandIn(text=PROSE, **behaviour) as upstream:
        expert = {
            "name": "one",
            "provider": "openai",
            "base_url": upstream.base_url,
            "api_key": "none",
            "tokenizer": tokenizer,
            "price": {"input": 1, "output": 1},
        }
        mixture, trace, pieces = Mixture.from_config({"experts": [expert], "defaults": {"num_retries": 0}}), Trace(), 0
        with suppress(MixtureError):
            async with aclosing(mixture.stream(f"Go on as this begins. {PROSE}", "one", trace=trace)) as events:
                async for event in events:
                    pieces += isinstance(event, Delta)
                    if pieces == leaves:
                        break
        await mixture.close()
        sent = upstream.stats.prompt_tokens, upstream.stats.completion_tokens
    (call,) = trace.calls
    assert (call.outcome, call.usage.estimated) == (outcome, True)
    assert sent[1] >= 40
    assert (call.usage.prompt_tokens, call.usage.completion_tokens) == pytest.approx(sent, rel=off)
    assert call.cost_usd == pytest.approx(sum(sent) / 1e6, rel=off)
    assert trace.report().usage.estimated
