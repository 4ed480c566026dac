"""What is asked: messages, sampling, tools, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mixture.types.answer import ExpertCard
    from mixture.types.caller import Caller

Role = Literal["system", "user", "assistant", "tool"]
Ability = Literal["tools", "vision", "json", "n", "stop", "seed", "logprobs", "embeddings"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text inside a message with several parts."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image: a `data:` or `https:` URL, and the detail wished for (`auto`, `low`, `high`)."""

    url: str
    detail: str | None = None


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. `arguments` is the JSON text as the model wrote it, which may be invalid JSON.

    Inside a `Chunk` it is a fragment: `index` says which call it belongs to, `id` and `name` come with the first
    fragment and are empty after it, and `arguments` is to be appended.
    """

    id: str
    name: str
    arguments: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, in OpenAI's roles (`developer` is read as `system`)."""

    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The message's text, its parts joined by newlines; images leave nothing."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The message's images, in order."""
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, ImagePart))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools may, must or must not be called; `name` is set when `mode` is `function`."""

    mode: Literal["auto", "none", "required", "function"] = "auto"
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The form that the answer must have; `schema` is set when `type` is `json_schema`."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. None means: the expert's own default. `extra` holds further fields of OpenAI's request
    that are passed through as they are (`reasoning_effort`, `logit_bias`, `top_k`, ...).
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int = 1
    logprobs: bool = False
    top_logprobs: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the whole tree of calls made for a query may take. `deadline` is in seconds since the epoch, so that it
    means the same in every process. `quality` (0..1) is the share of the best expert's quality to be kept at the least
    cost.
    """

    max_cost_usd: float | None = None
    deadline: float | None = None
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved piece of text: where it stands (`source`, character `offset`) and how well it fits (`score`, the
    cosine of its vector and the question's). `document` is the id of its document in `collection`, `heading` what it
    stands under there. `private` ones are not for external experts, and `readers`, where it is set, names the experts
    that may read it.
    """

    text: str
    source: str
    offset: int
    score: float
    heading: str = ""
    document: str = ""
    collection: str = ""
    private: bool = False
    readers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of an expert or of a strategy.

    `stream` says that the asker wants the answer in pieces as it is written; an expert may then still answer in one
    piece. `purpose` says which part the answer plays in the whole (`answer`, `proposer`, `judge`, ...): it is recorded
    with the call and never changes the answer; so does `persona`, the card under which the expert answers when it is
    asked as one of its personas. `session` keeps a conversation with its expert. `passages` were found for it: an
    expert is shown those that it may read. `caller` is whose query it is, where that is known.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    limits: Limits = Limits()
    passages: tuple[Passage, ...] = ()
    stream: bool = False
    purpose: str = "answer"
    session: str | None = None
    request_id: str | None = None
    persona: ExpertCard | None = None
    caller: Caller | None = None

    @property
    def text(self) -> str:
        """The text of the last message from the user: what is being asked now."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text
        return ""

    @property
    def needs(self) -> frozenset[Ability]:
        """The abilities that an expert must have to answer this query as it was asked."""
        needs: set[Ability] = set()
        if self.tools and (self.tool_choice is None or self.tool_choice.mode != "none"):
            needs.add("tools")
        if any(message.images for message in self.messages):
            needs.add("vision")
        if self.response_format is not None and self.response_format.type != "text":
            needs.add("json")
        if self.sampling.n > 1:
            needs.add("n")
        if self.sampling.stop:
            needs.add("stop")
        if self.sampling.seed is not None:
            needs.add("seed")
        if self.sampling.logprobs:
            needs.add("logprobs")
        return frozenset(needs)
