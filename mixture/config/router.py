"""Who decides which experts a request goes to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mixture.config.expert import Name
from mixture.config.section import Positive, Section, Share

RouterKind = Literal["keyword", "learned", "llm", "embedding"]


class RouterConfig(Section):
    """Who decides which experts a request goes to, and by what rule."""

    kind: RouterKind | None = None
    """`keyword`: by skills and the words of the request. `learned`: by the quality that each expert is predicted to
    reach on the request, its cost and its load. `llm`: an expert chooses, among those that the limits leave.
    `embedding`: by how near the request is to the description, skills and examples of each card. Left out: `learned`
    where there is a `file`, else `keyword`."""
    expert: Name | None = None
    """llm: the expert that chooses. Where it fails or is late, `file` or keywords decide, and the route says so."""
    expert_timeout: Positive = 5.0
    """llm: seconds that it has to choose."""
    encoder: Annotated[str, Field(min_length=1)] | None = None
    """embedding: a folder with a sentence-transformers model, or a package that has one (`get_model_path`), a
    multilingual one for instance; the static encoder that comes with Mixture when left out. learned: the model that
    `mixture calibrate --encoder` was given, such a one or a causal language model of which the lower third is used; it
    costs tens of milliseconds a request, so host the router then."""
    file: str | None = None
    """What `mixture calibrate` wrote. Where it can't be read, routing is by keywords and the route says so."""
    quality: Share | None = None
    """learned: the share of the best expert's quality that is kept at the least cost, for requests that don't set
    `mixture.quality` themselves."""
    routing_threshold: Annotated[float, Field(ge=-1, le=1)] | None = None
    """learned: RouteLLM's rule for two experts: `strong` answers when it is expected to be better than `weak` by at
    least this much. Needs `weak` and `strong`."""
    weak: Name | None = None
    """The cheaper of the two experts of `routing_threshold`."""
    strong: Name | None = None
    """The better of the two experts of `routing_threshold`."""
    usd_per_answer: Annotated[float, Field(ge=0)] = 0.01
    """learned: what one more good answer is worth, in US dollars, where no quality is asked for: a dearer expert is
    asked when it is expected to be better by its price over this."""
    usd_per_second: Annotated[float, Field(ge=0)] = 0.0001
    """learned: what a second less of waiting is worth, in US dollars."""
    sessions: Annotated[int, Field(ge=0)] = 10_000
    """Conversations (`x-session-id`) of which each gateway remembers the expert, so that they stay with it; 0: none
    stays."""
    timeout_ms: Positive = 50.0
    """A router in a process of its own that has not decided after so many milliseconds is passed over: routing is by
    keywords then, and the route says so."""

    @model_validator(mode="after")
    def _is_whole(self) -> RouterConfig:
        if self.kind == "learned" and self.file is None:
            raise ValueError("a learned router needs `file`: write one with `mixture calibrate LOG`")
        if (self.kind == "llm") != (self.expert is not None):
            raise ValueError("`kind: llm` and `expert`, who chooses, need each other")
        if self.encoder is not None and self.chosen not in ("embedding", "learned"):
            raise ValueError("`encoder` belongs to `kind: embedding` or to a learned router's `file`")
        if self.routing_threshold is not None and (self.weak is None or self.strong is None):
            raise ValueError("`routing_threshold` needs `weak` and `strong`: the two experts to choose between")
        if self.weak is not None and self.weak == self.strong:
            raise ValueError("`weak` and `strong` are the same expert")
        return self

    @property
    def chosen(self) -> RouterKind:
        """The kind of router, also where it is left out."""
        return self.kind or ("keyword" if self.file is None else "learned")
