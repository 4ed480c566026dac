"""What the contract suite needs to know of each provider. A new provider is a function and a line in `SUBJECTS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mixture.config import ExpertConfig, SamplingConfig
from mixture.providers import Context, create
from mixture.types import Caller, Expert, Message, Passage, Query
from tests.contract.dialects import AnthropicDialect, Dialect, OpenAIDialect
from tests.contract.upstream import Upstream, Wire, streamed

KEY = "contract.0123456789abcdef"
TEXTS = ("Hello", " there,\n", "wörld ", "👋.")
CALLS = (("call_a", "weather", '{"city": "Bern"}'), ("call_b", "clock", "{}"))


@dataclass(frozen=True)
class Place:
    """Where an expert is tried."""

    upstream: Upstream
    folder: Path


@dataclass(frozen=True)
class Subject:
    """One provider: how to make its expert, and a query that the expert answers."""

    name: str
    make: Callable[[Place], Expert]
    question: str = "Say hello."
    dialect: Dialect | None = None
    """For those that call an upstream: what it speaks."""

    @property
    def query(self) -> Query:
        return Query((Message("user", self.question),))

    def ready(self, upstream: Upstream) -> None:
        """Let the upstream give a good answer, in pieces where it is asked for them."""
        if self.dialect is not None:
            upstream.answers(speaking(self.dialect))


def speaking(dialect: Dialect, calls: tuple[tuple[str, str, str], ...] = ()) -> Callable[[Wire], object]:
    """An answer with `TEXTS`, and with `calls` of tools."""

    async def answer(wire: Wire) -> None:
        if wire.request.body.get("stream"):
            await wire.send(*streamed(dialect.pieces(TEXTS, calls)))
        else:
            await wire.send(dialect.whole("".join(TEXTS), calls))

    return answer


def openai(place: Place, timeout: float | None = None) -> Expert:
    config = ExpertConfig(
        name="subject", provider="openai", base_url=f"{place.upstream.url}/v1", api_key=KEY, timeout=timeout
    )
    return create(config, Context())


def anthropic(place: Place, timeout: float | None = None) -> Expert:
    config = ExpertConfig(
        name="subject", provider="anthropic", base_url=place.upstream.url, api_key=KEY, timeout=timeout
    )
    return create(config, Context())


def persona(place: Place, timeout: float | None = None) -> Expert:
    config = ExpertConfig(
        name="role",
        provider="persona",
        expert="subject",
        system_prompt="You are brief.",
        sampling=SamplingConfig(temperature=0.1),
    )
    return create(config, Context(experts={"subject": openai(place, timeout)}))


def scripted(place: Place) -> Expert:
    options = {"text": "".join(TEXTS), "tool_calls": [{"name": name, "arguments": text} for _, name, text in CALLS]}
    return create(ExpertConfig(name="subject", provider="scripted", options=options), Context())


def recorded(place: Place) -> Expert:
    file = place.folder / "answers.parquet"
    pq.write_table(pa.table({"prompt": ["Say hello."], "response": ["".join(TEXTS)]}), file)
    return create(ExpertConfig(name="subject", provider="recorded", options={"file": str(file)}), Context())


def extractive(place: Place) -> Expert:
    class Found:
        async def retrieve(self, text: str, k: int, caller: Caller) -> list[Passage]:
            return [Passage("Hello there, wörld.", "greetings.md", 0, 0.9)]

    return create(ExpertConfig(name="subject", provider="extractive"), Context(retriever=Found()))


def symbolic(place: Place) -> Expert:
    return create(ExpertConfig(name="subject", provider="symbolic"), Context())


REMOTE = (
    Subject("openai", openai, dialect=OpenAIDialect()),
    Subject("anthropic", anthropic, dialect=AnthropicDialect()),
    Subject("persona", persona, dialect=OpenAIDialect()),
)
EMBEDDED = (
    Subject("scripted", scripted),
    Subject("recorded", recorded),
    Subject("extractive", extractive, "How do I say hello?"),
    Subject("symbolic", symbolic, "What is 15% of 80?"),
)
SUBJECTS = (*REMOTE, *EMBEDDED)
