"""A strategy with what documents say about the request: looked up before it, cited after it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mixture.config import DocumentsConfig, RetrievalOptions
from mixture.dispatch.outcomes import reason
from mixture.dispatch.plans import lacking
from mixture.errors import InvalidQuery, MixtureError
from mixture.metering import draws_on
from mixture.retrieval.access import may_read
from mixture.retrieval.citing import citations
from mixture.retrieval.host import DocumentHost, Filter, Search
from mixture.types import (
    LOCAL,
    Adjusted,
    Caller,
    Chunk,
    Completion,
    Delta,
    Emit,
    Event,
    ExpertCard,
    Panel,
    Passage,
    Query,
    Retrieved,
    Strategy,
)

LONGEST = 2_000
"""Characters of a request that passages are looked for with."""
FEW_WORDS = 6
"""Words of a message that is too short to be understood without the one before it."""
REMEMBERED = 5.0
"""Seconds for which it is known whether a caller has documents at all."""
MOST_CALLERS = 1_000


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What is to be retrieved for a request."""

    when: Literal["off", "auto", "always"] = "off"
    collections: tuple[str, ...] | None = None
    k: int = 6
    filter: Filter = field(default_factory=dict)


class Grounding:
    """Puts passages from `documents` before strategies. Those that nobody asked for must be as near as `min_score`."""

    def __init__(self, documents: DocumentHost, min_score: float) -> None:
        self._documents = documents
        self._min_score = min_score
        self._holders: dict[str, tuple[float, bool]] = {}

    def strategy(self, inner: Strategy, wanted: Retrieval) -> Strategy:
        """`inner` with passages, as they are wanted."""

        async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
            try:
                found = await self._found(query, wanted)
            except InvalidQuery:
                raise
            except MixtureError as error:
                return lacking(await inner(query, panel, emit), f"the documents can't be searched ({reason(error)})")
            if not found:
                completion = await inner(query, panel, emit)
                return lacking(completion, "nothing was found in documents") if wanted.when == "always" else completion
            return await _grounded(inner, query, panel, emit, found)

        return inner if wanted.when == "off" else run

    def draws(self, wanted: Retrieval, caller: Caller) -> bool:
        """Whether a request of `caller` may draw on documents, as far as it is known without looking."""
        return wanted.when == "always" or (wanted.when == "auto" and self.held(caller))

    def held(self, caller: Caller) -> bool:
        """Whether there were documents for `caller` when that was last asked."""
        return self._holders.get(caller.id, (0.0, False))[1]

    async def _found(self, query: Query, wanted: Retrieval) -> Sequence[Passage]:
        caller = query.caller or LOCAL
        auto = wanted.when == "auto"
        if auto and (query.messages[-1].role != "user" or not await self._holds(caller)):
            return ()
        search = Search(asked(query)[:LONGEST], caller, wanted.k, wanted.collections, wanted.filter)
        found = await self._documents.search(search)
        return [one for one in found if one.score >= self._min_score] if auto else found

    async def _holds(self, caller: Caller) -> bool:
        """As it was last known while the index can't be asked: who has no documents should not notice."""
        until, holds = self._holders.get(caller.id, (0.0, False))
        if until < time.monotonic():
            try:
                holds = await self._documents.holds(caller)
            except MixtureError:
                if caller.id not in self._holders:
                    raise
            if len(self._holders) >= MOST_CALLERS:
                self._holders.clear()
            self._holders[caller.id] = time.monotonic() + REMEMBERED, holds
        return holds


def retrieval(*layers: RetrievalOptions | None, config: DocumentsConfig) -> Retrieval:
    """What is to be retrieved: what the first of `layers` says that says it, over the defaults of `config`."""
    said = [one for one in layers if one is not None]
    names = next((one.collection for one in said if one.collection is not None), None)
    return Retrieval(
        next((one.when for one in said if one.when is not None), config.retrieval),
        (names,) if isinstance(names, str) else names,
        next((one.k for one in said if one.k is not None), config.k),
        next((one.filter for one in said if one.filter is not None), {}),
    )


def asked(query: Query) -> str:
    """What is looked for: the last message from the user, after the one before it where it says little by itself."""
    said = [message.text for message in query.messages if message.role == "user"]
    if len(said) > 1 and len(said[-1].split()) < FEW_WORDS:
        return f"{said[-2]}\n{said[-1]}"
    return said[-1] if said else ""


async def _grounded(strategy: Strategy, query: Query, panel: Panel, emit: Emit, found: Sequence[Passage]) -> Completion:
    passages, panel, told = confined(found, panel)
    if told is not None:
        await emit(told)
    if not passages:
        return lacking(await strategy(query, panel, emit), told.why if told else "nothing may be read")
    await emit(Retrieved(passages))
    draws_on(passages)
    citing = Citing(emit, passages)
    return await citing.close(await strategy(replace(query, passages=passages), panel, citing))


def confined(found: Sequence[Passage], panel: Panel) -> tuple[tuple[Passage, ...], Panel, Adjusted | None]:
    """The passages that a request may draw on, the panel of those who may read all of them, and what is to be told.

    Where some may be read by some experts only, these are the panel: what others would be shown may have come from the
    passages. Where nobody who could answer may read them, they are left out.
    """
    cards = {name: expert.card for name, expert in panel.experts.items()}
    able = {name for name, card in cards.items() if all(may_read(card, one) for one in found)}
    if len(able) == len(cards):
        return tuple(found), panel, None
    if any(_general(cards[name]) for name in able) or not any(_general(card) for card in cards.values()):
        kept = {name: expert for name, expert in panel.experts.items() if name in able}
        if kept:
            why = "only these experts may read the documents that bear on the request"
            return tuple(found), replace(panel, experts=kept), Adjusted("confined", why, tuple(kept))
    open_to_all = tuple(one for one in found if all(may_read(card, one) for card in cards.values()))
    count = len(found) - len(open_to_all)
    why = f"{count} passages were left out: no expert that could answer may read them"
    return open_to_all, panel, Adjusted("confined", why)


def _general(card: ExpertCard) -> bool:
    """Whether it is a language model: the experts inside the process calculate or quote."""
    return card.location != "embedded"


class Citing:
    """An `Emit` that keeps back how each choice ends, so that its annotations can go out with its end."""

    def __init__(self, emit: Emit, passages: Sequence[Passage]) -> None:
        self._emit = emit
        self._passages = passages
        self._ends: dict[int, Delta] = {}
        self._begun: dict[int, str] = {}

    async def __call__(self, event: Event) -> None:
        """Pass on what there is to read."""
        if not isinstance(event, Delta):
            return await self._emit(event)
        chunk = event.chunk
        if chunk.finish_reason is not None or chunk.usage is not None:
            self._ends[chunk.index] = Delta(event.expert, _end(self._ends.get(chunk.index), chunk))
            chunk = replace(chunk, finish_reason=None, usage=None, annotations=())
        if chunk.text or chunk.tool_calls or chunk.logprobs or chunk.annotations:
            self._begun[chunk.index] = event.expert
            await self._emit(Delta(event.expert, chunk))
        return None

    async def close(self, completion: Completion) -> Completion:
        """`completion` with its citations, which are sent with the ends that were kept back."""
        choices = []
        for index, choice in enumerate(completion.choices):
            notes = citations(choice.text, self._passages)
            choices.append(replace(choice, annotations=(*choice.annotations, *notes)))
            end = self._ends.pop(index, None)
            if end is None and notes and index in self._begun:
                end = Delta(self._begun[index], Chunk(index=index))
            if end is not None:
                annotated = replace(end.chunk, annotations=(*end.chunk.annotations, *notes))
                await self._emit(replace(end, chunk=annotated))
        for end in self._ends.values():
            await self._emit(end)
        return replace(completion, choices=tuple(choices))


def _end(before: Delta | None, chunk: Chunk) -> Chunk:
    """The end of a choice, which may come in several chunks, without its text."""
    last = before.chunk if before else Chunk()
    return Chunk(
        usage=chunk.usage or last.usage,
        finish_reason=chunk.finish_reason or last.finish_reason,
        index=chunk.index,
        annotations=(*last.annotations, *chunk.annotations),
    )
