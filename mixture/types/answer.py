"""What is answered and decided: chunks, completions, usage, prices, routes, plans, reports."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mixture.types.query import Ability, Passage, Query, ToolCall

Location = Literal["embedded", "local", "external"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Outcome = Literal["ok", "error", "timeout", "cancelled", "declined"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls. `prompt_tokens` includes `cached_tokens` and `cache_write_tokens`;
    `completion_tokens` includes `reasoning_tokens`. `estimated` marks counts that the upstream did not report.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated or other.estimated,
        )

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. A cache price left out is the input price. `derived` marks one that nobody
    charges: it follows from what hours of GPUs cost and what was computed in them.
    `date` is the day on which it was read, where that is known.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    derived: bool = False
    date: datetime.date | None = None

    def cost(self, usage: Usage) -> float:
        """What `usage` costs, in US dollars."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        plain = usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens
        total = plain * self.input + usage.cached_tokens * cached + usage.cache_write_tokens * written
        return (total + usage.completion_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class ExpertCard:
    """What is known of an expert. `price` None means unknown, which is never read as free. `skills` are domains and
    topics (`math`, `code`, `finance`), `examples` requests that it suits; `location` says whether data leaves the
    process or the machine.
    """

    name: str
    provider: str
    model: str = ""
    description: str = ""
    skills: tuple[str, ...] = ()
    price: Price | None = None
    context_window: int | None = None
    abilities: frozenset[Ability] = frozenset()
    location: Location = "external"
    examples: tuple[str, ...] = ()
    tokenizer: str | None = None
    """What its tokens are counted with where the upstream does not report them; see `mixture.tokenizing`."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer as it is written. `index` says which of `n` choices it belongs to; `usage` counts the whole
    call up to here: it comes with the last chunk and, from upstreams that keep count, with earlier ones too; `logprobs`
    holds entries in OpenAI's form.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    index: int = 0
    logprobs: tuple[Mapping[str, Any], ...] = ()
    annotations: tuple[Mapping[str, Any], ...] = ()

    @property
    def says(self) -> bool:
        """Whether it is a part of the answer, or its end, and not a count alone."""
        return bool(self.text or self.tool_calls or self.finish_reason or self.logprobs or self.annotations)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the `n` answers of a completion."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    logprobs: tuple[Mapping[str, Any], ...] = ()
    annotations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many experts were asked, how many answered, and how many of those agree with the answer given."""

    asked: int
    answered: int
    agreed: int


@dataclass(frozen=True, slots=True)
class Source:
    """A proposal that an answer was made of: its `number` in the answer's annotations, who made it, and how many of
    the answer's sentences it supports.
    """

    number: int
    expert: str
    sentences: int = 0


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How an answer was made of proposals: `method` is `voting`, `selection`, `synthesis` or `fusion`; `by` names the
    expert that judged or wrote, None when no expert was asked; `layers` counts the rounds of proposals. `supported` is
    the share of the answer's sentences that a proposal supports, where it was looked for, in 0..1.
    """

    method: str
    by: str | None = None
    layers: int = 1
    sources: tuple[Source, ...] = ()
    supported: float | None = None


@dataclass(frozen=True, slots=True)
class FieldVote:
    """The vote on one field of a JSON answer: the share of the proposals that say what was chosen (0..1), and how many
    they are; for a list how many name each of its items, in their order.
    """

    agreement: float
    support: int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer. `expert` wrote it; `usage` is that of its own call (the sum over all calls is in the `Report`).
    `degraded` says, when it is set, what could not be had (an ensemble that became one expert, a missing proposal).
    `confidence` is a calibrated probability that the answer is right, where one can be given; `aggregation` says how it
    was made of proposals, where it was.
    """

    expert: str
    choices: tuple[Choice, ...] = (Choice(),)
    usage: Usage = Usage()
    agreement: float | None = None
    quorum: Quorum | None = None
    degraded: str | None = None
    confidence: float | None = None
    aggregation: Aggregation | None = None
    fields: Mapping[str, FieldVote] | None = None
    """The votes on the fields of a JSON answer, by path, where it was voted on field by field."""

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.choices[0].text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The first choice's tool calls."""
        return self.choices[0].tool_calls

    @property
    def finish_reason(self) -> FinishReason:
        """The first choice's finish reason."""
        return self.choices[0].finish_reason


@dataclass(frozen=True, slots=True)
class Call:
    """One upstream attempt as it was billed: a retry, a cancelled and a failed one each have theirs.
    `cost_usd` None means that the price is unknown; `derived` that it was worked out, see `Price`.
    """

    expert: str
    purpose: str
    usage: Usage
    cost_usd: float | None
    latency_ms: float
    outcome: Outcome
    error: str | None = None
    ttft_ms: float | None = None
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A router's decision: experts in the order of preference, and the reasons in words and as signals. `ordered` says
    that the order behind the first is a choice too; otherwise the others are asked cheapest first.

    `signals["candidates"]` lists what was known of each expert: `expert`, `quality` (the predicted probability of a
    good answer, None where nothing was learned), `cost_usd` and `latency_ms` (expected for this request on an idle
    expert, None where unknown), `waiting` and `available` (see `Load`), and `left_out` (the reason, or None).
    """

    experts: tuple[str, ...]
    why: str
    signals: Mapping[str, Any] = field(default_factory=dict)
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Subtask:
    """A node of a plan: the text to answer, what it needs, and the ids of the subtasks it waits for."""

    id: str
    text: str
    skill: str | None = None
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A request taken apart: a directed acyclic graph of subtasks. One subtask means: left whole. `why` says who made
    the plan; `degraded`, when it is set, what could not be had for it. `final` is the id of the subtask that gives the
    answer once the others are done; None means that the answer is all of their answers.
    """

    subtasks: tuple[Subtask, ...]
    final: str | None = None
    why: str = ""
    degraded: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """An aggregator's decision: the index of the `chosen` proposal, or a ready query for the `writer` expert.
    `confidence` is a calibrated probability that the chosen one is right, where one can be given; `lead` says by how
    many votes its answer is ahead of any other, where they can be counted, and `decided` that it stays ahead whatever
    those say who have not answered yet. `order` holds the index of the proposal under each number of `query`;
    `degraded` says, when it is set, what could not be had.
    """

    chosen: int | None = None
    agreement: float | None = None
    agreed: int = 0
    writer: str | None = None
    query: Query | None = None
    why: str = ""
    confidence: float | None = None
    lead: int = 0
    decided: bool = False
    order: tuple[int, ...] = ()
    degraded: str | None = None
    text: str | None = None
    """What is said in place of the chosen proposal's own text: JSON merged of all, with the votes on its `fields`."""
    fields: Mapping[str, FieldVote] | None = None


Adjustment = Literal[
    "shrunk", "grown", "capped", "cancelled", "hedged", "retried", "replaced", "woken", "recalled", "confined"
]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An event: something was done otherwise than the model's name says. Fewer experts are asked (`shrunk`) or more
    (`grown`), an answer's tokens are limited (`capped`), calls are stopped whose answers are not needed (`cancelled`),
    a second expert is asked beside a slow one (`hedged`), further ones instead of those that failed (`retried`), or
    another one takes on a failed one's part (`replaced`); one had to be started first (`woken`), a part is given that
    was answered before (`recalled`), or not every expert may read what was found in documents (`confined`). `experts`
    are those concerned.
    """

    kind: Adjustment
    why: str
    experts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """What a request might cost and what it did, in US dollars. `reserved_usd` is the sum of what was held back before
    each call; `spent_usd` what the calls then cost, those that failed or were cancelled included.
    """

    max_cost_usd: float
    reserved_usd: float
    spent_usd: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """The experiment that a request belongs to: its `name` (the alias that was asked for), the `arm` that answered
    (`control` or `candidate`), and the `model` that this is.
    """

    name: str
    arm: str
    model: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """Where an answer comes from that was not made for this request: the same request before (`exact` in this process,
    `shared` in another one), the same request that was being answered (`flight`), or one that means the same
    (`semantic`, with its `similarity`). `usage` and `cost_usd` are what it took then, the cost None where it is not
    known; `age_s` is how many seconds ago it was answered, `experts` who did.
    """

    kind: Literal["exact", "flight", "shared", "semantic"]
    age_s: float = 0.0
    experts: tuple[str, ...] = ()
    usage: Usage = Usage()
    cost_usd: float | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was done for a request and what it cost: the `mixture` field of an answer.

    `usage` is the sum over every call that was made; nothing where the answer was `recalled`. `cost_usd` is the sum of
    the known costs; `cost_complete` is false when a call's price is unknown, so that unknown is never read as nothing.
    """

    strategy_requested: str
    strategy_executed: str
    calls: tuple[Call, ...] = ()
    route: Route | None = None
    plan: Plan | None = None
    agreement: float | None = None
    quorum: Quorum | None = None
    degraded: str | None = None
    confidence: float | None = None
    aggregation: Aggregation | None = None
    fields: Mapping[str, FieldVote] | None = None
    recalled: Recalled | None = None
    passages: tuple[Passage, ...] = ()
    adjustments: tuple[Adjusted, ...] = ()
    budget: Budget | None = None
    experiment: Experiment | None = None
    usage: Usage = Usage()
    cost_usd: float = 0.0
    cost_complete: bool = True
    latency_ms: float = 0.0

    @property
    def cached(self) -> bool:
        """Whether the answer was made for another request than this one."""
        return self.recalled is not None
