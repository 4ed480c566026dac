"""Passages put before an expert, and kept from one that may not read them: the only place where they become a prompt.

What a request draws on is known to its meter, so that no call that is made for it, by whichever part, gets to an
expert that may not read what another one has read: a judge or a writer would see it in the proposals.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from mixture.aggregation.composing import appended
from mixture.aggregation.exhibits import code_of, quoted, room
from mixture.errors import Declined
from mixture.metering import material
from mixture.prompts import CITED, SOURCES, UNCITED
from mixture.retrieval.access import may_read
from mixture.streams import chunks
from mixture.types import Chunk, Expert, ExpertCard, Passage, Query
from mixture.wrappers.wrapper import Wrapper

LONGEST_NAME = 200
"""Characters of a document's name that are shown."""


class Grounded(Wrapper):
    """Shows `inner` the passages of a query that it may read, numbered, in at most `share` of the room in its context
    window. Raises Declined, without a call, when the request draws on a passage that it may not read. Experts inside
    this process (`embedded`) are no language models and get their queries as they are.
    """

    __slots__ = ("_share",)

    def __init__(self, inner: Expert, share: float) -> None:
        super().__init__(inner)
        self._share = share

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`."""
        card = query.persona or self.card
        if not all(may_read(card, passage) for passage in material()):
            raise Declined(
                f"{card.name} may not read the documents that this request draws on", code="confined", expert=card.name
            )
        if query.passages and self.card.location != "embedded":
            query = shown_to(query, card, self._share)
        async with aclosing(chunks(self.inner, query)) as stream:
            async for chunk in stream:
                yield chunk


def grounded(expert: Expert, share: float) -> Expert:
    """`expert` with passages shown to it. A persona comes back as it is: the expert that it is has that already."""
    return expert if hasattr(expert, "base") else Grounded(expert, share)


def shown_to(query: Query, card: ExpertCard, share: float) -> Query:
    """`query` with those of its passages before the expert that it may read and that fit. Each keeps its number."""
    readable = [(n, one) for n, one in enumerate(query.passages, 1) if may_read(card, one)]
    free = room(query, card.context_window)
    shown = readable if free is None else _fitting(readable, free * share)
    if not shown:
        return query
    code = code_of([text for _, one in shown for text in (one.text, one.source, one.heading)])
    sources = "\n".join(quoted(f"source {number}: {_named(one)}", one.text, code) for number, one in shown)
    how = UNCITED if query.needs & {"json", "tools"} else CITED
    said = SOURCES.format(code=code, sources=sources, how=how)
    return replace(query, messages=appended(query.messages, said))


def _fitting(passages: Sequence[tuple[int, Passage]], room: float) -> list[tuple[int, Passage]]:
    """Those of `passages`, best first, that fit into `room` characters together."""
    left, shown = room, []
    for number, passage in passages:
        size = len(passage.text) + LONGEST_NAME
        if size <= left:
            shown.append((number, passage))
            left -= size
    return shown


def _named(passage: Passage) -> str:
    """Where a passage stands, in one line."""
    where = f"{passage.source}, {passage.heading}" if passage.heading else passage.source
    return " ".join(where.split())[:LONGEST_NAME]
