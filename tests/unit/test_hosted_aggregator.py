"""The aggregator as a deployment hosts it: what it says crosses, and what SymPy found with it."""

import asyncio
from types import SimpleNamespace

import pytest

from deployments.aggregator import HostedAggregator
from deployments.remote import RemoteAggregator
from mixture.aggregation import equality
from mixture.config import AggregatorConfig
from mixture.types import Choice, Completion, Message, Query

QUERY = Query((Message("user", "Which number is it?"),))
SAID = [
    Completion(f"e{n}", (Choice(rf"The answer is \boxed{{{text}}}"),))
    for n, text in enumerate(("355/113", r"\pi", r"\pi"))
]


class Handle:
    """A handle to an aggregator in this process."""

    def __init__(self, aggregator):
        self.aggregator = aggregator

    def options(self, method_name):
        method = getattr(self.aggregator, method_name)
        return SimpleNamespace(remote=lambda *given, **named: asyncio.ensure_future(method(*given, **named)))


@pytest.fixture
async def aggregator(monkeypatch):
    monkeypatch.setattr(equality, "SECONDS", 60.0)
    equality._facts.clear()
    hosted = HostedAggregator(SimpleNamespace(options=lambda **_: None), AggregatorConfig())
    yield RemoteAggregator(Handle(hosted))
    await hosted._aggregator.close()


async def test_its_verdict_crosses(aggregator):
    verdict = await aggregator.aggregate(QUERY, SAID)
    assert (verdict.chosen, verdict.agreed) == (1, 2)


async def test_what_it_knows_of_support_crosses(aggregator):
    assert await aggregator.supports(QUERY, SAID) == [0.0, 0.5, 0.5]
