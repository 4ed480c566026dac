"""What a configuration may say of an engine that the server runs itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from mixture.config.section import Positive, Section, Share

Count = Annotated[int, Field(ge=1)]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]
Strategy = Literal["STRICT_PACK", "PACK", "SPREAD", "STRICT_SPREAD"]
_WORD = "[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
LabelName = Annotated[str, Field(pattern=rf"^(?:{_WORD}/)?{_WORD}$")]
Selector = Annotated[str, Field(pattern=rf"^!?(?:{_WORD}|in\({_WORD}(?:, ?{_WORD})*\))$")]
Labels = dict[LabelName, Selector]
"""Of nodes: names, and what their values must be."""


class AutoscalingConfig(Section):
    """How many replicas an engine has, by its load. Ray Serve's own names and meanings; other fields of its
    `autoscaling_config` are passed on as they are.
    """

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    min_replicas: Annotated[int, Field(ge=0)] = 1
    """0 lets the last replica go when nobody asks; the next request waits while one loads."""
    max_replicas: Count = 1
    """At most so many."""
    target_ongoing_requests: Positive | None = None
    """Requests that a replica should have at once. Left out: half of what the engine computes at once
    (`max_num_seqs`, taken as 64 when it is not set), so that more replicas come before requests wait in the engine."""
    upscale_delay_s: Annotated[float, Field(ge=0)] = 10.0
    """Seconds of load before replicas are added."""
    downscale_delay_s: Annotated[float, Field(ge=0)] = 300.0
    """Seconds of quiet before replicas go. Loading weights again takes long, so this is long."""
    downscaling_factor: Positive = 0.5
    """What part of the way down is gone at a time. Replicas with little to do have fewer requests at once than in
    proportion: with 1 so many of them would go that the rest is overrun, and all come back."""

    @model_validator(mode="after")
    def _in_order(self) -> AutoscalingConfig:
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas is {self.max_replicas}, below min_replicas: {self.min_replicas}")
        return self


class EngineConfig(Section):
    """For `provider: vllm`: the engine that is run for this expert, in replicas of its own."""

    max_model_len: Count | None = None
    """Tokens of prompt and answer together; the model's own limit when left out."""
    dtype: Dtype = "auto"
    """Of the weights and the KV cache; the model's own when left out."""
    max_num_seqs: Count | None = None
    """Requests that a replica computes at once."""
    chat_template: str | None = None
    """A Jinja template or a file with one, in place of the model's own."""
    tool_parser: str | None = None
    """vLLM's name of the parser that reads this model's tool calls (`hermes`, `llama3_json`, ...). Without one the
    expert takes no tools."""
    reasoning_parser: str | None = None
    """vLLM's name of the parser that tells this model's reasoning from its answer."""
    gpus: Annotated[float, Field(ge=0)] | None = None
    """GPUs for each of the engine's workers: whole ones, a fraction of one, or 0 for the CPU. Left out: one where the
    cluster has GPUs, else the CPU."""
    accelerator_type: str | None = None
    """Ray's name of the GPU that it must be (`H100`, `L4`, ...)."""
    tensor_parallel_size: Count = 1
    """GPUs over which each layer is split."""
    pipeline_parallel_size: Count = 1
    """Groups of GPUs over which the layers are dealt out."""
    placement: Strategy = "STRICT_PACK"
    """Where the workers of a replica go. STRICT_PACK: on one node. The others are Ray's placement groups."""
    max_replicas_per_node: Annotated[int, Field(ge=1, le=100)] | None = None
    """At most so many replicas on one node, so that one that is lost takes few of them with it. Not with workers over
    several nodes."""
    labels: Labels = Field(default_factory=dict)
    """Of the nodes that it may run on, by Ray's names: `{ray.io/market-type: spot}`, `ray.io/accelerator-type`,
    `ray.io/availability-zone`, or what `labels` in the cluster's file sets. Also `!spot`, `in(a,b)`, `!in(a,b)`."""
    fallback_labels: tuple[Labels, ...] = ()
    """Where no node with `labels` has a place: a node with the first of these that has one, as in
    `[{ray.io/market-type: on-demand}]`. Not with workers over several nodes."""
    cpus: Positive = 0.1
    """Processors reserved for a replica; where it computes on the CPU, also its threads, one at least."""
    kv_cache_bytes: Count | None = None
    """Memory of the KV cache. Left out: on a GPU what `gpu_memory_utilization` leaves, on the CPU 1 GiB."""
    gpu_memory_utilization: Share | None = None
    """Share of a GPU's memory that a worker may use. Left out: 0.9, times `gpus` where that is a fraction."""
    usd_per_gpu_hour: Positive | None = None
    """US dollars for an hour of one of its GPUs, of a whole replica where it runs on the CPU. What a token costs
    follows from it and from the tokens that the engine computes in a second, and is marked as derived; a `price` of the
    expert goes before it."""
    tokens_per_second: Positive | None = None
    """Tokens that a replica writes in a second at its usual load, all requests together: what is reckoned with until it
    was measured. Left out: the price is unknown until then."""
    replicas: Count | None = None
    """So many, always; or `autoscaling_config`."""
    autoscaling_config: AutoscalingConfig | None = None
    """Replicas by load."""
    warmup_limit_s: Positive = 600.0
    """Seconds that a request waits, where its own limits allow it, while the engine is started because no replica runs.
    When the last start took longer than that, requests go to other experts at once, and the engine is started
    meanwhile."""
    direct: bool = True
    """Gateways read answers over connections of their own to the replicas, which brings the first token sooner. Each
    replica listens on a port that the system chooses; where it can't be reached, Ray Serve carries the answers."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the replicas (`HF_HUB_OFFLINE: "1"`, ...)."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Further engine arguments by vLLM's own names (`quantization`, `enforce_eager`, `trust_remote_code`, ...), checked
    where vLLM is installed."""

    @property
    def least_replicas(self) -> int:
        """Replicas that are always there."""
        return self.autoscaling_config.min_replicas if self.autoscaling_config is not None else self.replicas or 1

    @property
    def workers(self) -> int:
        """Workers of one replica, each with `gpus`."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    @property
    def spans(self) -> bool:
        """Whether the workers of one replica may stand on several nodes."""
        return self.workers > 1 and self.placement != "STRICT_PACK" and self.gpus != 0

    @model_validator(mode="after")
    def _holds_together(self) -> EngineConfig:
        if self.replicas is not None and self.autoscaling_config is not None:
            raise ValueError("`replicas` and `autoscaling_config` exclude each other")
        if self.gpus is not None and self.gpus > 1:
            raise ValueError("gpus: is for each worker, 1 at most: use tensor_parallel_size or pipeline_parallel_size")
        if self.workers > 1 and self.gpus is not None and 0 < self.gpus < 1:
            raise ValueError("gpus: workers of one model need whole GPUs each")
        if self.spans and self.max_replicas_per_node is not None:
            raise ValueError("`max_replicas_per_node` is for replicas on one node (`placement: STRICT_PACK`)")
        if self.spans and self.fallback_labels:
            raise ValueError("`fallback_labels` are for replicas on one node (`placement: STRICT_PACK`)")
        if self.fallback_labels and not self.labels:
            raise ValueError("`fallback_labels` need `labels`, to which they are the second choice")
        return self
