"""What a configuration may say of one expert."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from pydantic import Field, model_validator

from mixture.config.engine import EngineConfig
from mixture.config.section import Positive, Section
from mixture.types import Ability, Location

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]


class PriceConfig(Section):
    """US dollars per million tokens."""

    input: Annotated[float, Field(ge=0)]
    """For tokens of the prompt."""
    output: Annotated[float, Field(ge=0)]
    """For tokens of the answer, reasoning included."""
    cached_input: Annotated[float, Field(ge=0)] | None = None
    """For tokens of the prompt that the upstream had in its cache; `input` when left out."""
    cache_write: Annotated[float, Field(ge=0)] | None = None
    """For tokens of the prompt that the upstream puts into its cache; `input` when left out."""
    date: datetime.date | None = None
    """The day on which the price was read; one that is older than 90 days is warned of."""


class SamplingConfig(Section):
    """Sampling that a persona sets where the request does not."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 for the likeliest token each time."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of probability from which tokens are drawn."""
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    """The most that an answer may have."""
    seed: int | None = None
    """For answers that can be had again."""


class Resilience(Section):
    """How calls to an expert are protected. Set for all experts under `defaults`, or for one expert."""

    num_retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Further attempts after a failure that may pass, with exponential backoff, jitter and `Retry-After`."""
    timeout: Positive = 120.0
    """Seconds for the whole answer, retries included."""
    first_token_timeout: Positive = 60.0
    """Seconds until the first chunk of a streamed answer."""
    heartbeat_timeout: Annotated[float, Field(ge=3)] = 5.0
    """Seconds without a sign of life from an expert that runs apart, whose process gives one each second, after which
    it is taken to be gone: what had not begun is asked again elsewhere, what had begun ends with an error."""
    allowed_fails: Annotated[int, Field(ge=1)] = 3
    """Failures in a row after which the expert is left alone for `cooldown_time`."""
    cooldown_time: Positive = 30.0
    """Seconds that an expert which failed too often is left alone; then one call tries it again."""
    max_concurrency: Annotated[int, Field(ge=1)] = 256
    """Calls at once; further ones wait, within their time."""


class ResilienceOverride(Section):
    """The fields of `Resilience` that one expert sets for itself."""

    num_retries: Annotated[int, Field(ge=0, le=10)] | None = None
    """This expert's own, in place of `defaults`; so with the next six."""
    timeout: Positive | None = None
    """See `defaults`."""
    first_token_timeout: Positive | None = None
    """See `defaults`."""
    heartbeat_timeout: Annotated[float, Field(ge=3)] | None = None
    """See `defaults`."""
    allowed_fails: Annotated[int, Field(ge=1)] | None = None
    """See `defaults`."""
    cooldown_time: Positive | None = None
    """See `defaults`."""
    max_concurrency: Annotated[int, Field(ge=1)] | None = None
    """See `defaults`."""


class ExpertConfig(ResilienceOverride):
    """One expert."""

    name: Name
    """The name that clients send as `model`."""
    provider: str
    """A provider's name (`openai`, `anthropic`, `vllm`, `lora`, `symbolic`, `extractive`, `recorded`, `persona`,
    `scripted`) or a preset of the catalogue (`deepseek`, `mistral`, `ollama`, ...)."""
    model: str | None = None
    """The upstream's name of the model; the expert's name when left out. For `vllm` a folder or a name on the Hugging
    Face hub, for `lora` the folder of the adapter."""
    base_url: str | None = None
    """Where the upstream listens, up to and with its version (`https://host/v1`); the preset's when left out."""
    api_key: str | None = Field(default=None, repr=False)
    """Best written as `${VARIABLE}`. Left out, the preset's variable is read."""
    description: str | None = None
    """For people and for routers: what the expert is good at, in a sentence."""
    skills: tuple[str, ...] | None = None
    """Domains and topics that the router may send here."""
    examples: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=2_000)], ...], Field(max_length=64)] = ()
    """Requests that the expert suits, for `router.kind: embedding`."""
    price: PriceConfig | None = None
    """Overrides the catalogue's price."""
    tokenizer: str | None = None
    """What counts tokens where the upstream does not report them (a stream broke off): a `tokenizer.json`, `words` or
    `characters` (a token is four); MiniLM's tokenizer when left out."""
    context_window: Annotated[int, Field(gt=0)] | None = None
    """Tokens of prompt and answer together; the catalogue's when left out."""
    abilities: tuple[Ability, ...] | None = None
    """What it can do beside plain chat; the provider's or the catalogue's when left out."""
    location: Location | None = None
    """Whether requests leave the process (`local`) or the machine (`external`)."""
    expert: Name | None = None
    """For a persona: the expert that it is. For `lora`: the `vllm` expert whose weights it adapts."""
    system_prompt: str | None = None
    """For a persona: its system prompt."""
    sampling: SamplingConfig | None = None
    """For a persona: its sampling."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What only this provider understands, checked by the provider."""
    engine: EngineConfig | None = None
    """For `vllm`: how the engine is run, and how many of it."""
    hosted: bool = False
    """Run the expert as a Ray Serve deployment of its own, which `deployments:` can scale; otherwise it is called from
    the gateway itself."""

    @property
    def apart(self) -> bool:
        """Whether it runs in a deployment of its own."""
        return self.hosted or self.provider == "vllm"

    @model_validator(mode="after")
    def _belongs_together(self) -> ExpertConfig:
        if self.provider in ("persona", "lora") and self.expert is None:
            what = "a persona needs `expert`" if self.provider == "persona" else "an adapter needs `expert`"
            raise ValueError(f"{what}: the name of the expert that it is")
        if self.provider != "persona" and (self.system_prompt or self.sampling):
            raise ValueError("`system_prompt` and `sampling` belong to `provider: persona`")
        if self.provider not in ("persona", "lora") and self.expert:
            raise ValueError("`expert` belongs to `provider: persona` and `provider: lora`")
        if self.provider in ("persona", "lora") and self.hosted:
            raise ValueError(f"a {self.provider} runs where it is asked: set `hosted` on the expert that it is")
        return self

    @model_validator(mode="after")
    def _engine_is_whole(self) -> ExpertConfig:
        if self.provider == "vllm" and self.base_url:
            raise ValueError("`vllm` runs an engine here; a vLLM that runs already is `provider: vllm-server`")
        if self.provider in ("vllm", "lora") and not self.model:
            raise ValueError(f"`{self.provider}` needs `model`: where its weights are")
        if self.provider != "vllm" and self.engine is not None:
            raise ValueError("`engine` belongs to `provider: vllm`")
        return self
