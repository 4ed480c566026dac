"""What the endpoints answer, for the OpenAPI document. The encoders write these by hand: they run for every token."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class CallReport(BaseModel):
    """One upstream attempt."""

    name: str
    role: str
    usage: dict[str, Any]
    cost_usd: float | None
    latency_ms: float
    ttft_ms: float | None
    outcome: Literal["ok", "error", "timeout", "cancelled", "declined"]
    error: str | None


class MixtureReport(BaseModel):
    """What was done for a request and what it cost. `cost_usd` is the sum of the costs that are known;
    `cost_complete` says whether that is all of them.
    """

    strategy_requested: str
    strategy_executed: str
    experts: list[CallReport]
    route: dict[str, Any] | None
    plan: list[dict[str, Any]] | None
    agreement: float | None
    quorum: dict[str, int] | None
    degraded: str | None
    fields: dict[str, dict[str, Any]] | None = None
    cached: bool
    cache: dict[str, Any] | None = None
    passages: list[dict[str, Any]] | None
    cost_usd: float
    cost_complete: bool
    latency_ms: float
    proposals: list[dict[str, Any]] | None = None


class FunctionCallAnswer(BaseModel):
    """Which function to call, with which arguments (JSON text)."""

    name: str
    arguments: str


class ToolCallAnswer(BaseModel):
    """A tool that the model wants to be called."""

    id: str
    type: Literal["function"]
    function: FunctionCallAnswer


class AnswerMessage(BaseModel):
    """The answer's message."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: list[ToolCallAnswer] | None = None
    annotations: list[dict[str, Any]] | None = None


class AnswerChoice(BaseModel):
    """One of the `n` answers."""

    index: int
    message: AnswerMessage
    logprobs: dict[str, Any] | None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]


class AnswerUsage(BaseModel):
    """Tokens, summed over every call that was made."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]
    completion_tokens_details: dict[str, int]


class ChatAnswer(BaseModel):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[AnswerChoice]
    usage: AnswerUsage
    system_fingerprint: str | None
    mixture: MixtureReport


class MessageAnswer(BaseModel):
    """An Anthropic message."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "refusal"]
    stop_sequence: str | None
    usage: dict[str, int]
    mixture: MixtureReport


class EmbeddingAnswer(BaseModel):
    """One vector: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsAnswer(BaseModel):
    """Vectors in the order of the texts."""

    object: Literal["list"]
    data: list[EmbeddingAnswer]
    model: str
    usage: dict[str, int]


class EstimateAnswer(BaseModel):
    """What would be done for a request. Costs are US dollars; what is unknown is null."""

    object: Literal["mixture.estimate"]
    strategy_requested: str
    strategy: str
    why: str
    route: dict[str, Any]
    signals: dict[str, Any]
    candidates: list[dict[str, Any]]
    plan: list[dict[str, Any]] | None
    calls: list[dict[str, Any]]
    expected_calls: float
    expected_cost_usd: float
    cost_complete: bool
    expected_quality: float | None
    not_asked: list[str]
    took_ms: float


class FeedbackAnswer(BaseModel):
    """What became of a note: whether it was learned from, and why not; `version` is what requests are routed by."""

    object: Literal["mixture.feedback"]
    request_id: str
    expert: str | None
    score: float
    logged: bool
    learned: bool
    why: str
    version: str | None


class UsageRow(BaseModel):
    """Sums over calls, beside what they were summed up by (`day`, `key` with its `name`, `expert`, ...)."""

    model_config = ConfigDict(extra="allow")
    calls: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: float
    """The sum of the known costs, in US dollars."""
    unpriced: int
    """Calls whose cost is not known."""
    estimated: int
    """Calls whose tokens the upstream did not report."""


class UsageAnswer(BaseModel):
    """What was asked and spent."""

    object: Literal["list"]
    data: list[UsageRow]


class CacheFacts(BaseModel):
    """What the cache of the gateway that answers holds for a key, and what became of the key's requests there: kind ->
    outcome -> how many. `semantic` has what was judged of all keys' hits, by domain: how many, how many were false, the
    rate and its upper bound, the threshold, and whether the domain is switched off.
    """

    object: Literal["mixture.cache"]
    entries: int
    bytes: int
    counts: dict[str, dict[str, int]]
    semantic: dict[str, dict[str, Any]] | None


class CacheDeleted(BaseModel):
    """How many answers were forgotten."""

    object: Literal["mixture.cache.deleted"]
    deleted: int


class ModelEntry(BaseModel):
    """A name that can be sent as `model`."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["model"]
    display_name: str
    created_at: str
    lifecycle: Literal["active"]
    kind: Literal["expert", "strategy", "alias", "embedding"]
    description: str
    abilities: list[str]
    supported_parameters: list[str]
    strategy: str | None = None
    experts: list[str] = Field(default_factory=list)
    context_length: int | None = None
    max_input_tokens: int | None = None
    price_usd_per_million_tokens: dict[str, float | bool] | None = None
    price_warning: str | None = None
    """That the price is not known, or was read more than 90 days ago."""
    location: str | None = None


class ModelPage(BaseModel):
    """Every model."""

    object: Literal["list"]
    data: list[ModelEntry]
    has_more: bool
    first_id: str | None
    last_id: str | None


class Strategies(BaseModel):
    """Experts, strategies and aliases."""

    default: str
    experts: dict[str, dict[str, Any]]
    strategies: dict[str, dict[str, Any]]
    aliases: dict[str, dict[str, Any]]
    feedback: dict[str, Any] | None = None


class Health(BaseModel):
    """Whether the server is well."""

    status: str
    version: str


class DocumentEntry(BaseModel):
    """What became of a document."""

    id: str
    outcome: Literal["added", "updated", "unchanged", "deleted", "empty", "failed"]
    passages: int
    error: str | None


class DocumentsAnswer(BaseModel):
    """What became of the documents that were sent, in their order."""

    object: Literal["list"]
    collection: str
    data: list[DocumentEntry]


class KeptDocument(BaseModel):
    """A document that is kept."""

    id: str
    collection: str
    passages: int
    shared: bool
    private: bool
    metadata: dict[str, Any]


class KeptDocuments(BaseModel):
    """The documents that the key may use."""

    object: Literal["list"]
    data: list[KeptDocument]


class FoundPassage(BaseModel):
    """A passage; `score` is the similarity of its meaning and the question's."""

    number: int
    source: str
    document: str
    collection: str
    heading: str
    offset: int
    score: float
    text: str


class SearchAnswer(BaseModel):
    """Passages, best first."""

    object: Literal["list"]
    data: list[FoundPassage]
