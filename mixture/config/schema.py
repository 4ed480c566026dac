"""Everything that a configuration may say, as pydantic models. Unknown fields are refused."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mixture.config.batches import BatchesConfig
from mixture.config.cache import CacheConfig
from mixture.config.documents import DocumentsConfig, RetrievalOptions
from mixture.config.experiment import ExperimentConfig
from mixture.config.expert import ExpertConfig, Name, Resilience
from mixture.config.feedback import FeedbackConfig
from mixture.config.ledger import LedgerConfig
from mixture.config.router import RouterConfig
from mixture.config.section import Positive, Section, Share


def _key(text: str) -> str:
    # An empty one, from a variable that is set to nothing, would open the server to everybody.
    if not re.fullmatch("[!-~]+", text):
        raise ValueError("a key is expected: ASCII characters without spaces, at least one")
    return text


Key = Annotated[str, AfterValidator(_key)]
StrategyName = Literal[
    "auto", "task_based", "specialist", "decomposition", "voting", "cascade", "best_of_n", "mixture_of_agents"
]
AggregationName = Literal["synthesis", "selection", "voting", "fusion"]

OnPartial = Literal["accept", "retry", "reject"]
Hedge = Annotated[Literal["off", "p95"] | Positive, BeforeValidator(lambda value: "off" if value is False else value)]
"""Without quotes YAML reads `off` as false."""

STRATEGY_NAMES: tuple[str, ...] = get_args(StrategyName)
"""The strategies that can be asked for by name. The model `auto` is the configured one: `auto` itself when left out."""


class StrategyOptions(Section):
    """What a strategy may be told; each reads the fields that concern it."""

    experts: tuple[Name, ...] | None = None
    """The experts it may use; all when left out."""
    specialist_map: dict[str, Name] | None = None
    """task_based, specialist, decomposition: kind of task -> expert."""
    fallback_order: tuple[Name, ...] | None = None
    """cascade, task_based, specialist, decomposition: the order in which experts are tried; cheapest first when left
    out."""
    voting_threshold: Share | None = None
    """voting: the share of the answers that must agree; below it the result says degraded."""
    weights: dict[Name, Positive] | Literal["learned"] | None = None
    """voting, cascade: votes that an expert's answer counts, 1 for those not named; `learned` takes them from
    `aggregator.reliability`. One vote each when left out."""
    confidence: Share | None = None
    """cascade: with it the first experts in the order are asked at once, then one after another, until their vote is
    right with this probability or, without `aggregator.reliability`, until this share of the answers agree."""
    lead: Annotated[int, Field(ge=1, le=64)] | None = None
    """cascade: with it so many experts are asked at once, then one after another, until an answer is so many votes
    ahead of any other. One answer is one vote ahead: `lead: 1` compares two with `n: 2` and `early_stop: false`."""
    n: Annotated[int, Field(ge=1, le=64)] | None = None
    """voting, best_of_n, mixture_of_agents: how many proposals; spread over the experts. cascade with `confidence` or
    `lead`: how many experts are asked at first; 2, or `lead`, when left out."""
    min_proposals: Annotated[int, Field(ge=1, le=64)] | None = None
    """voting, best_of_n, mixture_of_agents: so few proposals are asked for while every place of the experts, or of the
    gateway, is taken, and in a straight line more the less busy they are. Always as many as wanted when left out."""
    max_proposals: Annotated[int, Field(ge=1, le=64)] | None = None
    """voting, best_of_n, mixture_of_agents: so many proposals are asked for while experts are idle. As many as wanted
    when left out."""
    min_successful_responses: Annotated[int, Field(ge=1)] | None = None
    """voting, best_of_n, mixture_of_agents: fewer proposals than this are no ensemble: the best of what came is the
    answer, marked degraded. 2 when left out."""
    proposer_models: tuple[Name, ...] | None = None
    """mixture_of_agents: the experts that propose; one name and `num_proposals_per_model` ask that expert several
    times (Self-MoA). Up to five that suit the request when left out."""
    num_proposals_per_model: Annotated[int, Field(ge=1, le=16)] | None = None
    """mixture_of_agents: proposals of each expert in each layer; 1 when left out."""
    aggregator_model: Name | None = None
    """mixture_of_agents: the expert that writes the answer, or judges the proposals; the router's best when left
    out."""
    layers: Annotated[int, Field(ge=1, le=8)] | None = None
    """mixture_of_agents: rounds of proposals, each of which reads the one before; 1 when left out. The paper counts
    whoever writes the answer as a layer more."""
    min_layers: Annotated[int, Field(ge=1, le=8)] | None = None
    """mixture_of_agents: so few layers while every place of the experts, or of the gateway, is taken; as
    `min_proposals`."""
    max_layers: Annotated[int, Field(ge=1, le=8)] | None = None
    """mixture_of_agents: so many layers while experts are idle; as `max_proposals`."""
    aggregation_strategy: AggregationName | None = None
    """mixture_of_agents: what becomes of the proposals. `synthesis`, which holds when left out, has the answer written
    anew; `fusion` has what they say put together, contradictions named; `selection` has the best one chosen by a judge;
    `voting` takes the answer that most give."""
    use_specialized_prompts: bool | None = None
    """mixture_of_agents: give each proposal a way of its own to go about the request (step by step, sceptical, ...)."""
    judge: Name | None = None
    """best_of_n: the expert that chooses among the proposals; without one they are scored without any call. Nobody
    judges proposals of its own."""
    enhance: bool | None = None
    """task_based, and where a request stays whole: let the expert improve its answer by what is found in the documents,
    in a second call. Not done when left out."""
    max_subtasks: Annotated[int, Field(ge=2, le=64)] | None = None
    """decomposition, specialist: a plan with more subtasks is not followed, the request stays whole; 16 when left out.
    What the decomposer itself makes is limited by `decomposer.max_subtasks`."""
    usd_per_answer: Positive | None = None
    """auto: what one more good answer is worth, in US dollars, when it weighs whether a second opinion is worth its
    price; `router.usd_per_answer` when left out."""
    high_stakes: tuple[str, ...] | None = None
    """auto: kinds of task in which a good answer is worth 20 times as much; medical and legal ones when left out."""
    max_depth: Annotated[int, Field(ge=1, le=64)] | None = None
    """decomposition, specialist: a plan in which more subtasks wait for each other in a row is not followed; 4 when
    left out."""
    quality: Share | None = None
    """task_based, specialist, decomposition: the share of the best expert's quality to be kept at the least cost, for
    requests that don't set it themselves; `router.quality` when left out. It takes a learned router."""
    max_cost_usd: Positive | None = None
    """What all calls for one request may cost together, in US dollars; a request may ask for less, not for more. Where
    it does not suffice fewer experts are asked, and the result says so. A call that may go beyond it is not made; an
    unknown price counts as beyond it."""
    max_latency_ms: Annotated[float, Field(ge=100, le=86_400_000)] | None = None
    """Milliseconds for the whole request; a request may ask for less, not for more."""
    early_stop: bool | Share | None = None
    """voting, best_of_n, mixture_of_agents, cascade: when the calls for further proposals are cancelled. `true`: when
    they can't change the vote any more; a number: also when, of at least two, that share of the answers agree; `false`:
    never. `true` when left out, which for best_of_n and mixture_of_agents, who don't vote, is never."""
    hedge: Hedge | None = None
    """task_based, specialist, decomposition, cascade: when a second expert is asked beside one that has not begun to
    answer; whichever begins first answers, the other is stopped, and both are paid for. `p95`: after the time within
    which 95% of the expert's latest answers had begun (never before 20 were given); a number: after so many
    milliseconds. `off` when left out."""
    on_partial: OnPartial | None = None
    """What happens when fewer proposals come than are needed, or not every part of the request gets an answer. `accept`
    goes on with what came, marked degraded; `retry` asks other experts first; `reject` fails with 502. `accept` when
    left out."""
    retrieval: RetrievalOptions | None = None
    """Passages of documents that are put before the experts."""


class AliasConfig(StrategyOptions):
    """A model name of the user's own: a strategy with its options, another name for one expert, or an experiment."""

    strategy: StrategyName | None = None
    """The strategy that it stands for."""
    expert: Name | None = None
    """The expert that it is another name for."""
    experiment: ExperimentConfig | None = None
    """Two ways of answering that are compared on its traffic."""
    description: str = ""
    """For people who read the list of models."""

    @model_validator(mode="after")
    def _one_target(self) -> AliasConfig:
        if sum(one is not None for one in (self.strategy, self.expert, self.experiment)) != 1:
            raise ValueError("an alias needs exactly one of `strategy`, `expert` and `experiment`")
        return self


class ServerConfig(Section):
    """The HTTP side."""

    api_keys: tuple[Key, ...] = Field(default=(), repr=False)
    """Keys that clients may send; when there is none, one is made at the first start and printed."""
    max_body_bytes: Annotated[int, Field(gt=0)] = 16_000_000
    """Bodies over this are refused with 413."""
    max_messages: Annotated[int, Field(gt=0)] = 2_000
    """Messages in one conversation; longer ones are refused."""
    keepalive: Positive = 0.5
    """Seconds of silence on a stream after which a comment is sent."""
    max_concurrent_requests: Annotated[int, Field(ge=1)] = 2_000
    """Requests answered at once by one gateway; further ones get 503 with `retry-after`."""
    log: Literal["auto", "json", "text", "off"] = "auto"
    """The request log: readable on a terminal, JSON elsewhere."""
    log_prompts: bool = False
    """Whether the request log holds prompts and answers."""
    open_metrics: bool = False
    """Whether `/metrics` needs no key."""


class LimitsConfig(Section):
    """What holds for every request, strategies and single experts alike, unless an alias or strategy says otherwise."""

    max_cost_usd: Positive | None = None
    """What all calls for one request may cost together, in US dollars."""
    max_latency_ms: Annotated[float, Field(ge=100, le=86_400_000)] | None = None
    """Milliseconds for the whole request."""
    on_partial: OnPartial | None = None
    """See `strategies.NAME`."""


class DecomposerConfig(Section):
    """Who takes requests apart, for the strategies that have them taken apart."""

    expert: Name | None = None
    """The expert that writes plans; where it fails, and when none is named, rules make them without a model."""
    max_subtasks: Annotated[int, Field(ge=2, le=32)] = 6
    """Subtasks that a plan may have. The rules leave a request whole that seems to have more."""


class AggregatorConfig(Section):
    """How answers are put together."""

    reliability: str | None = None
    """A file with how far each expert is to be believed, learned from outcome logs. With it answers that can be counted
    come with a confidence, and votes can be weighed as was learned."""


class Config(Section):
    """A whole configuration."""

    experts: tuple[ExpertConfig, ...] = ()
    """The experts, each with a name of its own."""
    discover: bool | None = None
    """Add what is found: keys in the environment, local servers, the embedded experts. Left out: only when `experts`
    is empty."""
    strategy: StrategyName = "auto"
    """What the model `auto` and a request without a model mean. `auto` chooses a strategy for each request."""
    strategies: dict[str, StrategyOptions] = Field(default_factory=dict)
    """Defaults for each strategy by its name."""
    specialist_map: dict[str, Name] = Field(default_factory=dict)
    """Kind of task -> expert, for every strategy that does not set its own."""
    fallback_order: tuple[Name, ...] = ()
    """The order of a cascade, for every strategy that does not set its own."""
    limits: LimitsConfig = LimitsConfig()
    """What every request may cost and how long it may take."""
    aliases: dict[Name, AliasConfig] = Field(default_factory=dict)
    """Model names of the user's own."""
    defaults: Resilience = Resilience()
    """How calls to every expert are protected."""
    server: ServerConfig = ServerConfig()
    """The HTTP side."""
    documents: DocumentsConfig = DocumentsConfig()
    """The documents that answers draw on."""
    router: RouterConfig = RouterConfig()
    """Who decides which experts a request goes to."""
    feedback: FeedbackConfig = FeedbackConfig()
    """What users say of answers, and what is learned from it."""
    ledger: LedgerConfig = LedgerConfig()
    """What calls cost, and keys with budgets."""
    batches: BatchesConfig = BatchesConfig()
    """Files of requests that are answered beside live traffic."""
    cache: CacheConfig = CacheConfig()
    """Answers that are given again."""
    decomposer: DecomposerConfig = DecomposerConfig()
    """Who takes requests apart."""
    aggregator: AggregatorConfig = AggregatorConfig()
    """How answers are put together."""
    scorer: str | None = None
    """What `best_of_n` scores with: `package.module:factory` of a class of your own with
    `async score(query, completion)` in 0..1; completeness, finish reason and tool use when left out."""
    hosted: tuple[Literal["router", "decomposer", "aggregator"], ...] = ()
    """Deciding parts that run as Ray Serve deployments of their own. Worth a hop of a millisecond or two when a part
    computes for longer than that; the built-in ones take microseconds and run in the gateway."""

    @property
    def discovers(self) -> bool:
        """Whether experts are looked for."""
        return not self.experts if self.discover is None else self.discover

    @model_validator(mode="after")
    def _names_hold_together(self) -> Config:
        from mixture.config.checks import faults_of  # it reads these models

        faults = faults_of(self)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def resilience(self, expert: ExpertConfig) -> Resilience:
        """The protection of `expert`: its own settings over `defaults`."""
        own = {name: value for name in Resilience.model_fields if (value := getattr(expert, name)) is not None}
        return self.defaults.model_copy(update=own)
