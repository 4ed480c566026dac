"""The one-method protocols that everything else implements, and the panel that a strategy works with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from mixture.types.answer import Chunk, Completion, ExpertCard, Plan, Route, Verdict
from mixture.types.caller import Caller
from mixture.types.events import Emit
from mixture.types.load import Loads
from mixture.types.query import Passage, Query


@runtime_checkable
class Expert(Protocol):
    """Whatever can answer a query."""

    @property
    def card(self) -> ExpertCard:
        """What is known of this expert."""
        ...

    def stream(self, query: Query) -> AsyncIterator[Chunk]:
        """The answer in pieces, the last of which carries `finish_reason` and, where known, `usage`.

        Closing the iterator stops the work upstream. Raises `mixture.errors.ExpertUnavailable` (another expert may
        do better) or `InvalidQuery` (no expert will).
        """
        ...


class Router(Protocol):
    """Chooses experts for a query."""

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The experts to ask, best first, chosen among `cards` (never empty). `loads` is their state at this moment,
        as whoever asks sees it: a router may run in another process.
        """
        ...


class Decomposer(Protocol):
    """Takes a request apart."""

    async def decompose(self, query: Query) -> Plan:
        """A plan of at least one subtask."""
        ...


Weights = Mapping[str, float] | Literal["learned"] | None
"""What an expert's vote counts, by its name (1 where it is not named); or what was learned, where something was; or
None for one vote each.
"""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who is to write one text out of proposals, and how: `synthesis` writes anew and may correct them, `fusion` puts
    together what they say. `purpose` is that of the call.
    """

    card: ExpertCard
    method: Literal["synthesis", "fusion"] = "synthesis"
    purpose: str = "writer"


class Aggregator(Protocol):
    """Puts proposals together."""

    async def aggregate(
        self,
        query: Query,
        proposals: Sequence[Completion],
        weights: Weights = None,
        writer: Writer | None = None,
        *,
        pending: Sequence[str] = (),
    ) -> Verdict:
        """The decision over `proposals` (never empty): one of them or, with a `writer`, the query to ask it. `pending`
        are the experts who may still answer: the verdict of a vote says whether they can change it.
        """
        ...

    async def supports(self, query: Query, proposals: Sequence[Completion]) -> Sequence[float | None]:
        """For each of `proposals` how far the others agree with it, in 0..1. None for all when there is only one."""
        ...


class Scorer(Protocol):
    """Judges a single proposal."""

    async def score(self, query: Query, completion: Completion) -> float:
        """How good `completion` is as an answer to `query`, in 0..1."""
        ...


class Retriever(Protocol):
    """Finds what documents say about a text, in sentences."""

    async def retrieve(self, text: str, k: int, caller: Caller) -> Sequence[Passage]:
        """At most `k` sentences, best first, out of the documents that `caller` may use."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One L2-normalised vector a text, in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that a strategy may use: experts by name, and the parts that decide."""

    experts: Mapping[str, Expert]
    router: Router
    decomposer: Decomposer
    aggregator: Aggregator
    scorer: Scorer
    retriever: Retriever | None = None
    embedder: Embedder | None = None
    busy: Callable[[], float] | None = None
    """The share of the places for requests that are taken where this runs, in 0..1; None: nobody counts."""


Strategy = Callable[[Query, Panel, Emit], Awaitable[Completion]]
