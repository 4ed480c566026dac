"""The `mixture` object of a request: what one request asks for beside its model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mixture.api.parsing import Body
from mixture.caching import CacheWish
from mixture.config import AggregationName, CollectionName, OnPartial, RetrievalOptions, Scalar
from mixture.models import NO_WISHES, Wishes


class CacheFields(Body):
    """What may be done with the cache for this request."""

    read: bool = True
    """Whether an answer that was given before, or that is being given, may be this one's."""
    write: bool = True
    """Whether this answer may be given again."""
    max_age: Annotated[float, Field(ge=0, le=31_536_000)] | None = None
    """Seconds that an answer may be old."""
    semantic: bool | None = None
    """Whether it may be the answer to a question that means the same; left out: as the server is configured."""


Word = Annotated[str, Field(max_length=512)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Value = bool | Int64 | float | Word
Values = Value | Annotated[list[Value], Field(min_length=1, max_length=64)]
FilterFields = Annotated[dict[Word, Values], Field(max_length=16)] | None


class RetrievalFields(Body):
    """Which passages of documents are put before the experts."""

    when: Literal["auto", "always", "off"] = "always"
    """`auto`: those that are near enough to what is asked."""
    collection: CollectionName | Annotated[list[CollectionName], Field(min_length=1, max_length=64)] | None = None
    """Where is searched; every collection that the key may use when left out."""
    k: Annotated[int, Field(ge=1, le=50)] | None = None
    """Passages, at most."""
    filter: FilterFields = None
    """Only passages whose document has these values in its metadata, or one of them."""

    def options(self) -> RetrievalOptions:
        """As the configuration would say it."""
        names = tuple(self.collection) if isinstance(self.collection, list) else self.collection
        return RetrievalOptions(when=self.when, collection=names, k=self.k, filter=filter_of(self.filter) or None)


def filter_of(fields: FilterFields) -> dict[str, Scalar | tuple[Scalar, ...]]:
    """`fields` as searches take them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in (fields or {}).items()}


class MixtureFields(Body):
    """The fields that this request's model is to be run with. Those not listed are refused."""

    strategy: Annotated[str, Field(max_length=128)] | None = None
    """A strategy's name, or `auto`."""
    experts: Annotated[list[Annotated[str, Field(max_length=128)]], Field(min_length=1, max_length=64)] | None = None
    """The experts that may be asked."""
    voting_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=64)] | None = None
    """How many proposals an ensemble asks for."""
    max_latency_ms: Annotated[float, Field(ge=100, le=86_400_000)] | None = None
    """Milliseconds for the whole request, at least 100. Ensembles go on with what came in time; where nothing did, the
    request fails with 504."""
    max_cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """US dollars for all calls that are made for the request. Strategies ask fewer experts where it does not suffice;
    where not even one can be asked, the request fails with 402."""
    quality: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of the best expert's quality to be kept at the least cost. It takes a learned router; the route says
    what is promised."""
    on_partial: OnPartial | None = None
    """What happens when fewer proposals come than are needed: `accept` what came, `retry` with other experts, or
    `reject`."""
    aggregation_strategy: AggregationName | None = None
    """mixture_of_agents: what becomes of the proposals: `synthesis`, `fusion`, `selection` or `voting`."""
    layers: Annotated[int, Field(ge=1, le=8)] | None = None
    """mixture_of_agents: rounds of proposals, each of which reads the one before."""
    enhance: bool | None = None
    """Let a single expert improve its answer by what is found in the documents, in a second call."""
    expose_proposals: bool | None = None
    """Show the text of each proposal in the report and in the progress of a stream."""
    cache: Annotated[bool | CacheFields, Field(union_mode="left_to_right")] | None = None
    """Whether the answer may come from the cache and be kept there: true, false, or each by itself. Left out: as the
    server is configured, usually for requests with `temperature: 0` or a `seed`."""
    retrieval: bool | Literal["auto", "always", "off"] | RetrievalFields | None = None
    """Whether passages of documents are put before the experts, and which; as configured when left out."""

    def wishes(self) -> Wishes:
        """What they ask for."""
        return Wishes(
            strategy=self.strategy,
            experts=None if self.experts is None else tuple(self.experts),
            voting_threshold=self.voting_threshold,
            n=self.n,
            max_latency_ms=self.max_latency_ms,
            max_cost_usd=self.max_cost_usd,
            quality=self.quality,
            on_partial=self.on_partial,
            aggregation_strategy=self.aggregation_strategy,
            layers=self.layers,
            enhance=self.enhance,
            expose_proposals=bool(self.expose_proposals),
            cache=_cache_wish(self.cache),
            retrieval=_retrieval(self.retrieval),
        )


def _cache_wish(said: bool | CacheFields | None) -> CacheWish | None:
    if said is None or isinstance(said, bool):
        return None if said is None else CacheWish(said, said)
    return CacheWish(said.read, said.write, said.max_age, said.semantic)


def _retrieval(wish: bool | Literal["auto", "always", "off"] | RetrievalFields | None) -> RetrievalOptions | None:
    if isinstance(wish, RetrievalFields):
        return wish.options()
    if isinstance(wish, bool):
        return RetrievalOptions(when="always" if wish else "off")
    return None if wish is None else RetrievalOptions(when=wish)


def wishes_of(fields: MixtureFields | None) -> Wishes:
    """What `fields` ask for. Raises InvalidQuery."""
    return NO_WISHES if fields is None else fields.wishes()
