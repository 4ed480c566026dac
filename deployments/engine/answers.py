"""What an engine gives out, as chunks. It knows the shapes of vLLM's outputs, and imports nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import uuid4

from mixture.types import Chunk, FinishReason, ToolCall, Usage

_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length", "repetition": "stop"}
_LEAST = -9999.0
"""What OpenAI's API says for a token that could not come: JSON knows no infinity."""


class Aborted(Exception):
    """The engine ended a choice before it was done."""


class Parser(Protocol):
    """Tells tool calls and reasoning from text: a vLLM `Parser`, one for each choice."""

    reasoning_parser: Any

    def is_reasoning_end(self, token_ids: list[int]) -> bool:
        """Whether reasoning has ended in them."""
        ...

    def parse_delta(
        self,
        delta_text: str,
        delta_token_ids: list[int],
        request: Any,
        prompt_token_ids: list[int] | None = None,
        *,
        finished: bool,
    ) -> Any:
        """The delta as a message (`content`, `reasoning`, `tool_calls`), None while it can't be told."""
        ...

    def parse(
        self,
        model_output: str,
        request: Any,
        enable_auto_tools: bool = False,
        model_output_token_ids: Sequence[int] = (),
    ) -> Any:
        """(reasoning, content, tool calls) of a whole text."""
        ...

    def count_reasoning_tokens(self, token_ids: Sequence[int]) -> int:
        """How many of the tokens are reasoning."""
        ...


class _Choice:
    """One of the answers while it is written."""

    __slots__ = ("called", "ended", "parser", "tokens")

    def __init__(self, parser: Parser | None) -> None:
        self.parser = parser
        self.tokens: list[int] = []
        self.called = False
        self.ended = False


class Reading:
    """Chunks from a request's outputs. `request` is vLLM's own, which its parsers want; `parser` makes one a choice."""

    def __init__(self, request: Any, parser: Callable[[], Parser | None], tokenizer: Any) -> None:
        self._request = request
        self._parser = parser
        self._tokenizer = tokenizer
        self._choices: dict[int, _Choice] = {}
        self._prompt = 0
        self._cached = 0

    def read(self, output: Any) -> Iterator[Chunk]:
        """The chunks of one output of a request that streams (`RequestOutputKind.DELTA`), the last with the tokens so
        far, so that a call that is cancelled is known by its count too. Raises Aborted.
        """
        self._count(output)
        made = [chunk for piece in output.outputs if (chunk := self._delta(piece, output.prompt_token_ids)) is not None]
        if made or output.finished:
            counted = self.usage() if output.finished else self._running()
            made[-1:] = [_with(made[-1], counted) if made else Chunk(usage=counted)]
        yield from made

    def whole(self, output: Any) -> Iterator[Chunk]:
        """The chunks of the one output of a request that does not stream, one a choice. Raises Aborted."""
        self._count(output)
        made = [self._finished(piece) for piece in output.outputs]
        yield from (*made[:-1], _with(made[-1], self.usage()))

    def reasoned(self, prompt: list[int]) -> bool | None:
        """Whether the prompt leaves no reasoning open, so that a grammar holds from the first token; None where the
        model does not reason.
        """
        parser = self._parser()
        return parser.is_reasoning_end(prompt) if parser is not None and parser.reasoning_parser is not None else None

    def usage(self) -> Usage:
        """The tokens of the whole call."""
        thought = sum(c.parser.count_reasoning_tokens(c.tokens) for c in self._choices.values() if c.parser is not None)
        return replace(self._running(), reasoning_tokens=thought)

    def _running(self) -> Usage:
        """The tokens so far, without a look at which are reasoning: that takes a walk over all of them."""
        written = sum(len(choice.tokens) for choice in self._choices.values())
        return Usage(self._prompt, written, cached_tokens=self._cached)

    def _count(self, output: Any) -> None:
        if output.prompt_token_ids is not None:
            self._prompt = len(output.prompt_token_ids)
        self._cached = output.num_cached_tokens or self._cached

    def _choice(self, index: int) -> _Choice:
        if index not in self._choices:
            self._choices[index] = _Choice(self._parser())
        return self._choices[index]

    def _delta(self, piece: Any, prompt: list[int] | None) -> Chunk | None:
        choice = self._choice(piece.index)
        if choice.ended:
            return None
        tokens = list(piece.token_ids)
        choice.tokens += tokens
        choice.ended = piece.finish_reason is not None
        text, calls = piece.text, ()
        if choice.parser is not None:
            said = choice.parser.parse_delta(piece.text, tokens, self._request, prompt, finished=choice.ended)
            text, calls = (said.content or "", self._allowed(said.tool_calls)) if said is not None else ("", ())
        choice.called = choice.called or bool(calls)
        reason = self._reason(piece.finish_reason, choice.called) if choice.ended else None
        logprobs = self._logprobs(piece)
        if not (text or calls or reason or logprobs):
            return None
        return Chunk(text, tuple(map(_fragment, calls)), None, reason, piece.index, logprobs)

    def _finished(self, piece: Any) -> Chunk:
        choice = self._choice(piece.index)
        choice.tokens = list(piece.token_ids)
        text = piece.text
        calls: tuple[Any, ...] = ()
        if choice.parser is not None:
            _, content, found = choice.parser.parse(
                piece.text, self._request, enable_auto_tools=True, model_output_token_ids=choice.tokens
            )
            text, calls = content or "", tuple(found or ())
        if self._request.parallel_tool_calls is False:
            calls = calls[:1]
        made = tuple(ToolCall(call.id or _id(), call.name, call.arguments, at) for at, call in enumerate(calls))
        reason = self._reason(piece.finish_reason, bool(made))
        return Chunk(text, made, None, reason, piece.index, self._logprobs(piece))

    def _allowed(self, calls: Iterable[Any]) -> tuple[Any, ...]:
        single = self._request.parallel_tool_calls is False
        return tuple(call for call in calls if not (single and call.index > 0))

    def _reason(self, word: str | None, called: bool) -> FinishReason:
        if word in ("abort", "error"):
            raise Aborted(word)
        if called and word != "length":
            return "tool_calls"
        return _REASONS.get(word or "stop", "stop")

    def _logprobs(self, piece: Any) -> tuple[Mapping[str, Any], ...]:
        if not self._request.logprobs or not piece.logprobs:
            return ()
        most = self._request.top_logprobs or 0
        return tuple(
            self._entry(token, likely, most) for token, likely in zip(piece.token_ids, piece.logprobs, strict=True)
        )

    def _entry(self, token: int, likely: Mapping[int, Any], most: int) -> dict[str, Any]:
        """A token in OpenAI's form: itself, and the likeliest in its place, the likeliest first."""
        ranked = sorted(likely.items(), key=lambda item: -item[1].logprob)[:most]
        top = [self._token(other, found) for other, found in ranked]
        return {**self._token(token, likely[token]), "top_logprobs": top}

    def _token(self, token: int, found: Any) -> dict[str, Any]:
        text = found.decoded_token if found.decoded_token is not None else self._tokenizer.decode(token)
        return {"token": text, "logprob": max(found.logprob, _LEAST), "bytes": list(text.encode())}


def _with(chunk: Chunk, usage: Usage) -> Chunk:
    return replace(chunk, usage=usage)


def _fragment(call: Any) -> ToolCall:
    """A piece of a call; its id and name come with the first."""
    function = call.function
    name = (function.name if function is not None else None) or ""
    arguments = (function.arguments if function is not None else None) or ""
    return ToolCall((call.id or _id()) if name else "", name, arguments, call.index)


def _id() -> str:
    return f"call_{uuid4().hex[:24]}"
