"""What the stand-in answers: a request in OpenAI's form to the pieces of an answer, and those to JSON or SSE."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from mixture.errors import InvalidQuery
from mixture.providers.scripted import Script, ScriptedUsage, cut
from mixture.simulation.schema import example
from mixture.types import FinishReason

_numbers = itertools.count(1)
_cut = lru_cache(maxsize=256)(cut)

DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Choice:
    """One answer: its tokens, or a call of a tool (OpenAI's form), and why it ends."""

    tokens: Sequence[str]
    call: dict[str, Any] | None
    reason: FinishReason


@dataclass(slots=True)
class Reply:
    """A whole answer, before it is written in either form."""

    id: str
    created: int
    model: str
    choices: list[Choice]
    prompt_tokens: int
    usage: dict[str, Any] | None

    @property
    def tokens(self) -> int:
        """The tokens of all choices."""
        return sum(len(choice.tokens) for choice in self.choices)


def reply(body: Any, script: Script, number: int) -> Reply:
    """The answer to `body`, the request with this number (from 0). Raises InvalidQuery."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(item, dict) for item in messages):
        raise InvalidQuery("messages: a list of at least one message is needed")
    texts = [_text(message) for message in messages]
    asked = next((t for t, m in zip(reversed(texts), reversed(messages), strict=True) if m.get("role") == "user"), "")
    count = body.get("n") or 1
    choices = [_choice(body, script, asked, number * count + index) for index in range(count)]
    prompt_tokens = sum(len(text.split()) for text in texts)
    usage = _usage(script, prompt_tokens, sum(len(choice.tokens) for choice in choices))
    name = f"chatcmpl-{next(_numbers)}"
    return Reply(name, int(time.time()), str(body.get("model", "")), choices, prompt_tokens, usage)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content if isinstance(part, dict))


def _choice(body: Mapping[str, Any], script: Script, asked: str, number: int) -> Choice:
    call = _call(body, script)
    if call is not None:
        return Choice((), call, "tool_calls")
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    stop = body.get("stop") or ()
    said = script.said(asked, number)
    text = said if script.raw else _formatted(said, body.get("response_format"))
    tokens, reason = _cut(text, (stop,) if isinstance(stop, str) else tuple(stop), most)
    return Choice(tokens, None, script.finish_reason or reason)


def _call(body: Mapping[str, Any], script: Script) -> dict[str, Any] | None:
    """The call of a tool, where the request demands one or the script has one for it."""
    tools, choice = body.get("tools"), body.get("tool_choice")
    if not tools or choice == "none":
        return None
    if script.tool_calls:
        wanted = script.tool_calls[0]
        return _function(wanted.name, wanted.arguments)
    if choice is None or choice == "auto":
        return None
    functions = [tool["function"] for tool in tools]
    named = choice["function"]["name"] if isinstance(choice, dict) else functions[0]["name"]
    parameters = next((f.get("parameters") or {} for f in functions if f["name"] == named), {})
    return _function(named, orjson.dumps(example(parameters)).decode())


def _function(name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{next(_numbers)}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _formatted(text: str, wanted: Mapping[str, Any] | None) -> str:
    """The text in the form that the request wants."""
    if wanted is None or wanted.get("type") == "text":
        return text
    if wanted.get("type") == "json_object":
        return orjson.dumps({"answer": text}).decode()
    return orjson.dumps(example(wanted["json_schema"].get("schema") or {})).decode()


def counts(prompt: int, completion: int) -> dict[str, Any]:
    """A `usage` of so many tokens."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _usage(script: Script, prompt: int, completion: int) -> dict[str, Any] | None:
    if script.usage == "none":
        return None
    if not isinstance(script.usage, ScriptedUsage):
        return counts(prompt, completion)
    given = script.usage
    return {
        "prompt_tokens": given.prompt_tokens,
        "completion_tokens": given.completion_tokens,
        "total_tokens": given.prompt_tokens + given.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": given.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": given.reasoning_tokens},
    }


def whole(answer: Reply) -> bytes:
    """The answer as one JSON body."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": None if choice.call else "".join(choice.tokens)}
            | ({"tool_calls": [choice.call]} if choice.call else {}),
            "finish_reason": choice.reason,
        }
        for index, choice in enumerate(answer.choices)
    ]
    body = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": choices,
    }
    return orjson.dumps(body | ({"usage": answer.usage} if answer.usage else {}))


def events(
    answer: Reply, chunk_tokens: int, include_usage: bool, counting: bool = False
) -> Iterator[tuple[int, bytes]]:
    """The answer as server-sent events, each with the number of tokens in it; with `counting` each tells the tokens so
    far. The last one is not `DONE`.
    """
    sent = 0
    start = orjson.dumps(
        {"id": answer.id, "object": "chat.completion.chunk", "created": answer.created, "model": answer.model}
    )[:-1]

    def event(index: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = orjson.dumps({"index": index, "delta": delta, "finish_reason": reason})
        counted = (
            b',"usage":%b' % orjson.dumps(counts(answer.prompt_tokens, sent)) if counting and answer.usage else b""
        )
        return b'data: %b,"choices":[%b]%b}\n\n' % (start, choice, counted)

    for index, choice in enumerate(answer.choices):
        yield 0, event(index, {"role": "assistant", "content": None if choice.call else ""})
        if choice.call:
            yield 0, event(index, {"tool_calls": [{"index": 0, **choice.call}]})
        for place in range(0, len(choice.tokens), chunk_tokens):
            tokens = choice.tokens[place : place + chunk_tokens]
            sent += len(tokens)
            yield len(tokens), event(index, {"content": "".join(tokens)})
        yield 0, event(index, {}, choice.reason)
    if include_usage and answer.usage:
        yield 0, b'data: %b,"choices":[],"usage":%b}\n\n' % (start, orjson.dumps(answer.usage))
