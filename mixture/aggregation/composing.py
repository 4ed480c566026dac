"""The query for the expert that writes one text out of several proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.aggregation.exhibits import exhibits, order_of, room
from mixture.aggregation.majority import Majority
from mixture.prompts import COMPOSE, COMPOSING
from mixture.types import Completion, Message, Query, TextPart, Verdict, Weights, Writer


class Composing:
    """An aggregator that votes, or has one text written out of all proposals (Aggregate-and-Synthesize: Wang et al.
    2024, arXiv 2406.04692).
    """

    def __init__(self, votes: Majority) -> None:
        self._votes = votes

    async def aggregate(
        self,
        query: Query,
        proposals: Sequence[Completion],
        weights: Weights = None,
        writer: Writer | None = None,
        *,
        pending: Sequence[str] = (),
    ) -> Verdict:
        """The proposal chosen by vote, or the query for `writer`."""
        if writer is None:
            return await self._votes.aggregate(query, proposals, weights, pending=pending)
        return composed(query, proposals, writer)

    async def supports(self, query: Query, proposals: Sequence[Completion]) -> Sequence[float | None]:
        """See `mixture.types.Aggregator`."""
        return await self._votes.supports(query, proposals)

    async def close(self) -> None:
        """Let go of what the vote started."""
        await self._votes.close()


def composed(query: Query, proposals: Sequence[Completion], writer: Writer) -> Verdict:
    """The verdict that `writer` is to write. Its query is the whole conversation with the proposals behind it: layers
    and the writer share the conversation as the beginning of their prompts, which upstreams keep in their caches.
    """
    texts = [proposal.text for proposal in proposals]
    labels = [str(number) for number in range(1, len(texts) + 1)]
    instruction = COMPOSE.format(count=len(texts), task=COMPOSING[writer.method], code="", proposals="")
    free = room(query, writer.card.context_window)
    shown = exhibits(texts, order_of(query, len(texts)), labels, None if free is None else free - len(instruction))
    said = COMPOSE.format(count=len(texts), task=COMPOSING[writer.method], code=shown.code, proposals=shown.text)
    cut = f"{shown.shortened} of {len(texts)} proposals were shortened to fit what {writer.card.name} can read"
    return Verdict(
        writer=writer.card.name,
        query=replace(query, messages=appended(query.messages, said), purpose=writer.purpose),
        order=shown.order,
        why=f"{writer.method} of {len(texts)} proposals",
        degraded=cut if shown.shortened else None,
    )


def appended(messages: tuple[Message, ...], text: str) -> tuple[Message, ...]:
    """`messages` with `text` at the end of the user's message that ends them, or as one."""
    last = messages[-1]
    if last.role != "user":
        return (*messages, Message("user", text.lstrip()))
    content = last.content + text if isinstance(last.content, str) else (*last.content, TextPart(text.lstrip()))
    return (*messages[:-1], replace(last, content=content))
