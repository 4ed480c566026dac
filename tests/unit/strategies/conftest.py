"""A strategy run over scripted experts, with everything it emits."""

from dataclasses import dataclass, field

import pytest

from mixture.aggregation import make_aggregator, make_scorer
from mixture.config import Resilience, StrategyOptions
from mixture.planning import RuleDecomposer
from mixture.routing.keyword import KeywordRouter
from mixture.strategies import create, direct
from mixture.types import Chunk, Delta, Message, Panel, Proposed, Query, Routed, Scored
from mixture.wrappers import wrap


@dataclass
class Run:
    """What a strategy did: `completion`, or what it raised."""

    events: list = field(default_factory=list)
    completion: object = None
    error: Exception | None = None

    @property
    def told(self):
        """The events in short, in their order."""
        return [short(event) for event in self.events]


def short(event):
    match event:
        case Routed(route, None):
            return ("routed", *route.experts)
        case Routed(route, subtask):
            return ("routed", subtask, *route.experts)
        case Proposed(expert, None, error):
            return ("failed", expert, error)
        case Proposed(expert, completion):
            return ("proposed", expert, completion.text)
        case Scored(expert, score):
            return ("scored", expert, round(score, 2))
        case Delta(expert, Chunk(text=text, finish_reason=None)):
            return ("delta", expert, text)
        case Delta(expert, Chunk(text=text, finish_reason=reason)):
            return ("end", expert, text, reason)
        case other:
            return (type(other).__name__.lower(),)


@pytest.fixture
def panel():
    def make(*experts, wrapped=False, **parts):
        protected = [wrap(e, Resilience(num_retries=0)) for e in experts] if wrapped else experts
        defaults = {
            "router": KeywordRouter(),
            "decomposer": RuleDecomposer(),
            "aggregator": make_aggregator(None),
            "scorer": make_scorer(),
        }
        return Panel(experts={e.card.name: e for e in protected}, **(defaults | parts))

    return make


@pytest.fixture
def run(panel):
    async def go(name, *experts, asked="hello there", stream=True, wrapped=False, parts=None, query=None, **options):
        made = Run()
        strategy = direct(options["expert"]) if name == "direct" else create(name, StrategyOptions(**options))

        async def emit(event):
            made.events.append(event)

        asked_query = query or Query((Message("user", asked),), stream=stream)
        try:
            made.completion = await strategy(asked_query, panel(*experts, wrapped=wrapped, **(parts or {})), emit)
        except Exception as error:
            made.error = error
        return made

    return go
