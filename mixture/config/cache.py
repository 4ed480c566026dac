"""What has been answered before, and when it may be given again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mixture.config.section import Positive, Section

Off = BeforeValidator(lambda value: "off" if value is False else value)
"""Without quotes YAML reads `off` as false."""


RedisURL = Annotated[str, Field(pattern=r"^(redis|rediss|unix)://")]


class SemanticConfig(Section):
    """Answers to questions that mean the same as one before. Everything but the words of the last message must be the
    same; a guard compares numbers, names, negations, opposites, units, what is asked for and who does what to whom.
    """

    mode: Annotated[Literal["off", "shadow", "on"], Off] = "off"
    """`shadow` gives no answer from it: what it would have given is compared with what is answered, to measure how
    often it would be wrong."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.6
    """The score from which on an answer is given, 1 being the same question. Where the guard objects, or a word of one
    question has no counterpart in the other, the score is below 0.5. What is judged raises it, for each domain."""
    encoder: Literal["static", "minilm"] = "static"
    """What questions are compared by: `static` takes a tenth of a millisecond, `minilm` some ten and knows more."""
    recheck: Annotated[float, Field(ge=0, le=1)] = 0.02
    """The share of hits that are asked again in the background and compared. Nobody's key pays for it: the calls are
    accounted to `cache-recheck`."""
    max_false_hit_rate: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """The share of false hits that is allowed. A domain that exceeds it is switched off."""
    folder: str | None = None
    """Where all gateways keep what was judged, domains and scores: `cache` in Mixture's own folder (`~/.mixture`) when
    left out; the library keeps it in memory. With gateways on several machines: a folder that all of them see."""


class CacheConfig(Section):
    """Answers that are given again to the same request of the same key."""

    exact: Annotated[Literal["off", "deterministic", "all"], Off] = "deterministic"
    """Which requests get the answer that the same request had: `deterministic` those with `temperature: 0` or a `seed`,
    `all` every one. A request may ask for either with `mixture.cache`, unless it is `off`."""
    ttl: Positive = 3_600.0
    """Seconds for which an answer is kept."""
    max_bytes: Annotated[int, Field(ge=1_000_000)] = 64_000_000
    """Memory that answers may take in one gateway. Where it is used up, the key with the most loses first those that
    were asked for once."""
    max_entry_bytes: Annotated[int, Field(ge=1_000)] = 1_000_000
    """Answers that take more are not kept."""
    key_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of `max_bytes` that the answers of one key may take."""
    shared: Annotated[Literal["off", "actor"] | RedisURL, Off] = Field(default="off", repr=False)
    """Where gateways share their answers: `off` nowhere, `actor` in a process of this cluster, or the URL of a Redis
    (`redis://...`, `rediss://...`, `unix://...`)."""
    shared_timeout_ms: Positive = 20.0
    """Milliseconds that a request waits for what others have answered. What fails or is late is a miss, and for five
    seconds nobody asks."""
    subtasks: bool = True
    """Whether proposals and the parts of a plan are kept as well, in requests that may be cached: what failed is then
    all that is made again."""
    semantic: SemanticConfig = SemanticConfig()
    """Answers to questions that mean the same."""
