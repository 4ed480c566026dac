"""OpenAI's chat request: every field that it has, what of it is supported, and the query that it means.

Source: `openai/types/chat/completion_create_params.py` of openai-python 3.52; the sampling fields at the end are
vLLM's. Fields that ask for nothing of the answer are taken and left; those that can't be fulfilled are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from mixture.api.openai_messages import ChatMessage, message_of
from mixture.api.openai_tools import (
    AllowedTools,
    ChatTool,
    NamedTool,
    ResponseFormatFields,
    format_of,
    tool_choice_of,
    tools_of,
)
from mixture.api.parsing import Body, Refused, check_count, parse
from mixture.api.wishes import MixtureFields, wishes_of
from mixture.errors import InvalidQuery
from mixture.models import Wishes
from mixture.types import Query, Sampling

Penalty = Annotated[float, Field(ge=-2, le=2)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000)]
Stop = Annotated[str, Field(min_length=1, max_length=1_000)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class StreamOptions(Body):
    """How the stream is written."""

    include_usage: bool | None = None
    """Send a last chunk with the usage."""
    include_obfuscation: bool | None = None


class ChatRequest(Body):
    """A chat request."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    model: Annotated[str, Field(min_length=1, max_length=256)] = "auto"
    """An expert, a strategy, an alias, or `auto`."""
    mixture: MixtureFields | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    logprobs: bool | None = None
    max_completion_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    parallel_tool_calls: bool | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: Penalty | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    response_format: ResponseFormatFields | None = None
    seed: Int64 | None = None
    stop: Annotated[Stop | Annotated[list[Stop], Field(max_length=16)] | None, Field(union_mode="left_to_right")] = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    tool_choice: Annotated[
        Literal["none", "auto", "required"] | NamedTool | AllowedTools | None, Field(union_mode="left_to_right")
    ] = None
    tools: Annotated[list[ChatTool], Field(max_length=512)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    user: str | None = None

    audio: Refused = None
    """Not supported: refused."""
    function_call: Refused = None
    """Deprecated by OpenAI and refused: use `tool_choice`."""
    functions: Refused = None
    """Deprecated by OpenAI and refused: use `tools`."""
    modalities: Annotated[Any, WithJsonSchema({"type": "array", "items": {"const": "text"}, "maxItems": 1})] = None
    """Only `["text"]`."""
    moderation: Refused = None
    """Not supported: refused."""
    store: Annotated[Any, WithJsonSchema({"enum": [False, None]})] = None
    """Nothing is stored: `true` is refused."""
    web_search_options: Refused = None
    """Not supported: refused."""

    top_k: Annotated[int, Field(ge=-1, le=1_000_000)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=100)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: list[Int64] | None = None
    skip_special_tokens: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, taken in: what is asked, of which model, with what wishes, and how the answer is to be sent."""

    model: str
    query: Query
    wishes: Wishes
    include_usage: bool = False


_PASSED = (
    "logit_bias", "parallel_tool_calls", "prediction", "reasoning_effort", "verbosity", "top_k", "min_p",
    "repetition_penalty", "min_tokens", "ignore_eos", "stop_token_ids", "skip_special_tokens", "chat_template_kwargs",
)  # fmt: skip
_REFUSED = {
    "audio": "audio is not supported",
    "function_call": "deprecated and not supported; use `tool_choice`",
    "functions": "deprecated and not supported; use `tools`",
    "moderation": "not supported",
    "web_search_options": "not supported",
}
_SPECIAL = frozenset((*_PASSED, *_REFUSED, "modalities", "store"))


def parse_chat(
    body: bytes, max_messages: int = 2_000, *, request_id: str | None = None, session: str | None = None
) -> Asked:
    """The request in `body`. Raises InvalidQuery, naming the field and what to do."""
    request = parse(body, ChatRequest)
    check_count("messages", len(request.messages), max_messages)
    special = request.model_fields_set & _SPECIAL
    extra = _extra(request, special) if special else {}
    tools = tools_of(request.tools)
    choice, tools = tool_choice_of(request.tool_choice, tools)
    query = Query(
        messages=tuple(message_of(message, index) for index, message in enumerate(request.messages)),
        sampling=_sampling(request, extra),
        tools=tools,
        tool_choice=choice,
        response_format=format_of(request.response_format),
        stream=bool(request.stream),
        request_id=request_id,
        session=session,
    )
    return Asked(request.model, query, wishes_of(request.mixture), _wants_usage(request))


def _sampling(request: ChatRequest, extra: dict[str, Any]) -> Sampling:
    stop = request.stop
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidQuery("top_logprobs: needs `logprobs` to be true", param="top_logprobs")
    most = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=most,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        n=request.n or 1,
        logprobs=bool(request.logprobs),
        top_logprobs=request.top_logprobs,
        extra=extra,
    )


def _extra(request: ChatRequest, names: set[str]) -> dict[str, Any]:
    """The fields that are passed through as they are. Raises InvalidQuery for those that are refused."""
    given = {name: value for name in names if (value := getattr(request, name)) is not None}
    for name, why in _REFUSED.items():
        if name in given:
            raise InvalidQuery(f"{name}: {why}", param=name, code="unsupported_parameter")
    if given.get("modalities") not in (None, [], ["text"]):
        raise InvalidQuery('modalities: only ["text"] is supported', param="modalities", code="unsupported_parameter")
    if given.get("store"):
        raise InvalidQuery("store: nothing is stored here; leave it out", param="store", code="unsupported_parameter")
    return {name: given[name] for name in _PASSED if name in given}


def _wants_usage(request: ChatRequest) -> bool:
    if request.stream_options is None:
        return False
    if not request.stream:
        raise InvalidQuery("stream_options: needs `stream` to be true", param="stream_options")
    return bool(request.stream_options.include_usage)
