"""The test double that ships: an expert that says and does what its options tell, and counts what happened to it."""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from mixture import errors
from mixture.config import ExpertConfig, Section
from mixture.providers import Context, card, checked
from mixture.types import Ability, Chunk, ExpertCard, FinishReason, Location, Price, Query, ToolCall, Usage

ErrorName = Literal[
    "ExpertUnavailable", "ExpertTimeout", "RateLimited", "Declined", "StreamBroken", "InvalidQuery", "QueryTooLarge"
]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]

ABILITIES: frozenset[Ability] = frozenset({"tools", "vision", "json", "n", "stop", "seed", "logprobs"})


class Failure(Section):
    """When and how the expert fails."""

    error: ErrorName = "ExpertUnavailable"
    message: str = "scripted failure"
    code: str | None = None
    retry_after: Seconds | None = None
    after: Count = 0
    """Tokens that come before the failure."""
    calls: Count | None = None
    """Only the first so many calls fail; None means every one."""
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0

    def raised(self, name: str) -> errors.MixtureError:
        """The error, as expert `name` raises it."""
        kind: type[errors.MixtureError] = getattr(errors, self.error)
        return kind(self.message, code=self.code, retry_after=self.retry_after, expert=name)


class ScriptedUsage(Section):
    """Token counts to report, whatever was said."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cached_tokens: Count = 0
    cache_write_tokens: Count = 0
    reasoning_tokens: Count = 0


class ScriptedCall(Section):
    """A tool call to answer with; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"


class Script(Section):
    """The options of a scripted expert."""

    text: str | tuple[str, ...] | dict[str, str] = "ok"
    """What is said: one text; or several, each answer taking the next and then from the start; or pattern -> text,
    where the first regular expression that is found in the last user message decides (none: an empty answer)."""
    delay: Seconds = 0.0
    """Seconds before the first token."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Tokens a second; None means as fast as they are taken."""
    chunk_tokens: Annotated[int, Field(ge=1)] = 1
    """Tokens in each streamed chunk. A token is a word with the blanks after it."""
    failure: Failure | None = None
    seed: int = 0
    """Of the failures' probability."""
    usage: ScriptedUsage | Literal["counted", "none"] = "counted"
    tool_calls: tuple[ScriptedCall, ...] = ()
    """Called when the query offers tools; the text is said before them."""
    finish_reason: FinishReason | None = None
    raw: bool = False
    """Whether `mixture simulate` says the text as it stands also where a request asks for JSON; otherwise it puts it
    into the form that is asked for."""

    @field_validator("text")
    @classmethod
    def _patterns_compile(cls, text: str | tuple[str, ...] | dict[str, str]) -> str | tuple[str, ...] | dict[str, str]:
        for pattern in text if isinstance(text, dict) else ():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return text

    def said(self, asked: str, number: int) -> str:
        """The text of the answer with this number (from 0) to what was `asked`."""
        if isinstance(self.text, str):
            return self.text
        if isinstance(self.text, dict):
            return next((said for pattern, said in self.text.items() if re.search(pattern, asked)), "")
        return self.text[number % len(self.text)] if self.text else ""

    def failing(self, call: int, chance: random.Random) -> Failure | None:
        """How the call with this number (from 1) fails; None when it does not."""
        failure = self.failure
        if failure is None or (failure.calls is not None and call > failure.calls):
            return None
        return failure if chance.random() < failure.probability else None


@dataclass(slots=True)
class Counts:
    """What happened: calls by how far they came, and tokens that were handed out."""

    started: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    tokens: int = 0


class Scripted:
    """An expert that follows a script. `counts` and `queries` (the latest hundred) tell what was asked of it.

    `gate`, when it is given, is waited for before the first token: tests hold a call there without sleeping.
    """

    def __init__(self, card: ExpertCard, script: Script, gate: asyncio.Event | None = None) -> None:
        self.card = card
        self.script = script
        self.gate = gate
        self.counts = Counts()
        self.queries: deque[Query] = deque(maxlen=100)
        self._said = 0
        self._random = random.Random(script.seed)
        self._waiting: list[tuple[dict[str, int], asyncio.Future[None]]] = []

    async def reached(self, **counts: int) -> None:
        """Wait until every count named is at least so high: `await expert.reached(started=1)`."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((counts, future))
        self._wake()
        await future

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The scripted answer. Raises what the script's failure says."""
        self.queries.append(query)
        self._count("started")
        outcome = "cancelled"
        try:
            async with aclosing(self._answer(query, self.script.failing(self.counts.started, self._random))) as chunks:
                async for chunk in chunks:
                    yield chunk
            outcome = "finished"
        except errors.MixtureError:
            outcome = "failed"
            raise
        finally:
            self._count(outcome)

    async def _answer(self, query: Query, failure: Failure | None) -> AsyncGenerator[Chunk, None]:
        await asyncio.sleep(self.script.delay)
        if self.gate is not None:
            await self.gate.wait()
        left = failure.after if failure else None
        produced = 0
        for index in range(query.sampling.n):
            tokens, reason = self._tokens(query)
            for piece in self._pieces(tokens[:left], query):
                if self.script.rate:
                    await asyncio.sleep(len(piece) / self.script.rate)
                produced += len(piece)
                self._count("tokens", len(piece))
                if query.stream:
                    yield _chunk(piece, query, index)
            if failure:
                raise failure.raised(self.card.name)
            last = index == query.sampling.n - 1
            body = _chunk([] if query.stream else tokens, query, index)
            yield self._closing(body, query, reason, self._usage(query, produced) if last else None)

    def _tokens(self, query: Query) -> tuple[list[str], FinishReason]:
        text = self.script.said(query.text, self._said)
        self._said += 1
        return cut(text, query.sampling.stop, query.sampling.max_tokens)

    def _closing(self, body: Chunk, query: Query, reason: FinishReason, usage: Usage | None) -> Chunk:
        calls = tuple(
            ToolCall(f"call_{self.counts.started}_{i}", call.name, call.arguments, i)
            for i, call in enumerate(self.script.tool_calls if "tools" in query.needs else ())
        )
        reason = self.script.finish_reason or ("tool_calls" if calls else reason)
        return Chunk(body.text, calls, usage, reason, body.index, body.logprobs)

    def _pieces(self, tokens: list[str], query: Query) -> Iterator[list[str]]:
        size = self.script.chunk_tokens if query.stream else max(1, len(tokens))
        return (tokens[i : i + size] for i in range(0, len(tokens), size))

    def _usage(self, query: Query, produced: int) -> Usage | None:
        usage = self.script.usage
        if isinstance(usage, ScriptedUsage):
            return Usage(**usage.model_dump())
        if usage == "none":
            return None
        return Usage(sum(len(message.text.split()) for message in query.messages), produced)

    def _count(self, what: str, more: int = 1) -> None:
        setattr(self.counts, what, getattr(self.counts, what) + more)
        self._wake()

    def _wake(self) -> None:
        for entry in self._waiting[:]:
            wanted, future = entry
            if all(getattr(self.counts, what) >= least for what, least in wanted.items()):
                self._waiting.remove(entry)
                if not future.done():
                    future.set_result(None)


def tokens_of(text: str) -> list[str]:
    """The text cut into words, each with the blanks after it: what counts as tokens here."""
    return re.findall(r"\S+\s*|^\s+", text)


def cut(text: str, stops: Sequence[str], most: int | None) -> tuple[list[str], FinishReason]:
    """The tokens of `text` up to the first of `stops`, at most `most`, and why they end."""
    for stop in stops:
        text = text.partition(stop)[0]
    tokens = tokens_of(text)
    if most is not None and len(tokens) > most:
        return tokens[:most], "length"
    return tokens, "stop"


def _chunk(tokens: list[str], query: Query, index: int) -> Chunk:
    logprobs: tuple[dict[str, Any], ...] = ()
    if query.sampling.logprobs:
        logprobs = tuple(
            {"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": []} for token in tokens
        )
    return Chunk("".join(tokens), index=index, logprobs=logprobs)


def make(config: ExpertConfig, context: Context) -> Scripted:
    """An expert that follows `config.options`. Raises ConfigError when one is wrong."""
    script = checked(config, Script)
    return Scripted(card(config, abilities=ABILITIES, location="embedded"), script)


def scripted(
    name: str = "scripted",
    text: str | tuple[str, ...] | dict[str, str] = "ok",
    *,
    skills: tuple[str, ...] = (),
    price: Price | None = None,
    abilities: frozenset[Ability] = ABILITIES,
    context_window: int | None = None,
    location: Location = "embedded",
    gate: asyncio.Event | None = None,
    **options: Any,
) -> Scripted:
    """A scripted expert for tests; `options` are those of `Script`, such as `failure={"error": "RateLimited"}`."""
    facts = ExpertCard(
        name, "scripted", name, "", skills, price, context_window, abilities, location, tokenizer="characters"
    )
    return Scripted(facts, Script(text=text, **options), gate)
