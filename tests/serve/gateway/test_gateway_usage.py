"""Usage is what the upstreams counted, to the token, also of calls that were stopped or broke off."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import pytest

from mixture import Mixture
from mixture.simulation import StandIn

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


CASES = {
    "stopped before its first token": ({"delay": 0.0}, {"rate": 0.2}, "cancelled"),
    "stopped while it wrote": ({"delay": 1.8}, {"rate": 0.8}, "cancelled"),
    "broke off": ({"delay": 0.0}, {"failure": {"error": "StreamBroken", "after": 3}}, "error"),
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
        hedged = {"strategy": "cascade", "fallback_order": list(names), "hedge": 0.3}
        async with panel(names, **hedged) as mixture:
            *_, answer = [event async for event in mixture.stream(ASK, "panel")]
        counted = [(u.stats.prompt_tokens, u.stats.completion_tokens) for u in names.values()]
    assert answer.completion.text == ANSWER
    taken = {call.expert: (call.usage.prompt_tokens, call.usage.completion_tokens) for call in answer.report.calls}
    assert taken == dict(zip(names, counted, strict=True))
