"""Ensembles while something is wrong: every fault in turn at fifty requests at once, plain and streamed.

For each: what the clients get, whether it is marked, how long it takes and what it costs; and whether the tokens that
the server reports are those that the stand-ins sent (one that times out has sent none, and its prompt is billed all the
same). Then an ensemble of members of different speed, streamed with the OpenAI SDK: milliseconds to the first byte, the
longest silence, whether the writer's tokens come as it writes them. Keys: `unmarked` (answers with a fault in them that
do not say so), `unanswered`, `hung`, `token_difference` (share of all), `first_byte_ms_p50`, `longest_silence_ms`,
`usage_difference` (tokens).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import aiohttp
import numpy as np
from openai import AsyncOpenAI

from benchmarks.processes import Running, serving
from benchmarks.reporting import finish, options, progress, table
from mixture.simulation import StandIn

AT_ONCE = 50
PATIENCE = 30.0
RIGHT = "Six times seven is worked out first, and so the answer is 42."
REFUSAL = "I'm sorry, but I can't help with that."
WRITTEN = " ".join(f"word{number}" for number in range(40)) + "."
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}

STAND_INS: Mapping[str, dict[str, Any]] = {
    "good": {"text": RIGHT, "delay": 0.05},
    "fine": {"text": RIGHT, "delay": 0.1},
    "late": {"text": RIGHT, "delay": 20.0},
    "empty": {"text": ""},
    "refusing": {"text": REFUSAL},
    "breaking": {"text": RIGHT, "failure": {"error": "StreamBroken", "after": 3}},
    "broken-json": {"text": '{"answer": 42', "raw": True},
    "down": {"failure": {"error": "ExpertUnavailable"}},
    "writer": {"text": WRITTEN, "rate": 50},
    "breaking-writer": {"text": WRITTEN, "rate": 200, "failure": {"error": "StreamBroken", "after": 10}},
    "slow": {"text": RIGHT, "delay": 1.2, "rate": 40},
}
"""The upstreams, by what is the matter with them."""

VOTE = {"strategy": "voting", "early_stop": False}
ALIASES: Mapping[str, dict[str, Any]] = {
    "one times out": {**VOTE, "experts": ["good", "fine", "late"]},
    "one returns nothing": {**VOTE, "experts": ["good", "fine", "empty"]},
    "one refuses": {**VOTE, "experts": ["good", "fine", "refusing"]},
    "one breaks off": {**VOTE, "experts": ["good", "fine", "breaking"]},
    "one sends invalid JSON": {**VOTE, "experts": ["good", "fine", "broken-json"]},
    "none counts": {**VOTE, "experts": ["refusing", "empty", "breaking"]},
    "the judge is down": {
        "strategy": "mixture_of_agents",
        "aggregation_strategy": "selection",
        "proposer_models": ["good", "fine"],
        "aggregator_model": "down",
        "experts": ["good", "fine", "down"],
    },
    "the writer fails after ten tokens": {
        "strategy": "mixture_of_agents",
        "proposer_models": ["good", "fine"],
        "aggregator_model": "breaking-writer",
        "experts": ["good", "fine", "breaking-writer", "writer"],
    },
    "live": {
        "strategy": "mixture_of_agents",
        "proposer_models": ["good", "fine", "slow"],
        "aggregator_model": "writer",
        "experts": ["good", "fine", "slow", "writer"],
    },
}
FAULTS = [name for name in ALIASES if name != "live"]


def configuration(stand_ins: Mapping[str, StandIn]) -> dict[str, Any]:
    """A server before all stand-ins, with an alias for each fault."""
    experts = [
        {
            "name": name,
            "provider": "openai",
            "model": name,  # nobody judges what his own model proposed
            "base_url": upstream.base_url,
            "api_key": "none",
            "price": {"input": 1.0, "output": 2.0},
            "num_retries": 0,
            "timeout": 1.0 if name == "late" else 20.0,
            "allowed_fails": 1_000_000,  # the breaker would spare the later requests their fault
        }
        for name, upstream in stand_ins.items()
    ]
    aliases = {_model(name): alias for name, alias in ALIASES.items()}
    return {"experts": experts, "aliases": aliases, "server": {"log": "off"}}


def _model(fault: str) -> str:
    return fault.replace(" ", "-")


@dataclass(slots=True)
class Got:
    """What the clients of one fault got: outcomes, whether answers said that they are degraded, seconds, dollars."""

    outcomes: Counter[str] = field(default_factory=Counter)
    marked: int = 0
    seconds: list[float] = field(default_factory=list)
    cost: float = 0.0
    tokens: int = 0
    said: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, report: Mapping[str, Any] | None, error: str | None) -> None:
        """Count one answer: its text, its report, and the error that ended it."""
        self.outcomes["error" if error else "answer"] += 1
        marked = error or (report or {}).get("degraded")
        self.marked += bool(marked)
        self.said[str(marked)[:110]] += 1
        for call in (report or {}).get("experts", ()):
            self.cost += call["cost_usd"] or 0.0
            self.tokens += call["usage"]["total_tokens"]


async def asked(session: aiohttp.ClientSession, server: Running, fault: str, stream: bool, got: Got) -> None:
    """One request."""
    body: dict[str, Any] = {
        "model": _model(fault),
        "stream": stream,
        "messages": [{"role": "user", "content": "What is six times seven?"}],
    }
    if "JSON" in fault:
        body["response_format"] = FORM
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE):
            headers = {"Authorization": f"Bearer {server.key}"}
            async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as response:
                text = await response.text()
        got.add(*(_streamed(text) if stream and response.status == 200 else _plain(text)))
    except TimeoutError:
        got.outcomes["hung"] += 1
    except (aiohttp.ClientError, ValueError, KeyError):
        got.outcomes["unanswered"] += 1
    got.seconds.append(time.perf_counter() - begun)


def _plain(text: str) -> tuple[str, Mapping[str, Any] | None, str | None]:
    body = json.loads(text)
    if "error" in body:
        return "", body.get("mixture"), body["error"]["message"]
    return body["choices"][0]["message"]["content"], body["mixture"], None


def _streamed(text: str) -> tuple[str, Mapping[str, Any] | None, str | None]:
    said, report, error = "", None, None
    for line in text.split("\n"):
        if not line.startswith("data: ") or line == "data: [DONE]":
            continue
        body = json.loads(line.removeprefix("data: "))
        if "error" in body:
            error = body["error"]["message"]
        told = body.get("mixture") or {}
        report = told if "experts" in told and "cost_usd" in told else report
        said += "".join(choice["delta"].get("content") or "" for choice in body.get("choices", ()))
    return said, report, error


async def hit(server: Running, fault: str, stream: bool) -> Got:
    """Fifty requests at once."""
    got = Got()
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(asked(session, server, fault, stream, got))
    return got


def sent(stand_ins: Mapping[str, StandIn]) -> int:
    """Tokens that the stand-ins have seen and sent so far."""
    return sum(upstream.stats.prompt_tokens + upstream.stats.completion_tokens for upstream in stand_ins.values())


@dataclass(slots=True)
class Live:
    """One live stream: milliseconds to the first byte, the longest silence, when each of the writer's tokens came, and
    the usage that was told.
    """

    first_byte_ms: float
    silence_ms: float
    tokens_ms: list[float]
    usage: int


async def live(server: Running) -> Live:
    """An ensemble of members of different speed, streamed with the OpenAI SDK."""
    client = AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0)
    begun = time.perf_counter()
    came: list[float] = []
    tokens: list[float] = []
    usage = 0
    async with client.chat.completions.with_streaming_response.create(
        model="live",
        messages=[{"role": "user", "content": "What is six times seven?"}],
        stream=True,
        stream_options={"include_usage": True},
    ) as response:
        rest = b""
        async for data in response.iter_bytes():
            now = (time.perf_counter() - begun) * 1e3
            came.append(now)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    body = json.loads(line[6:])
                    tokens += [now for choice in body["choices"] if choice["delta"].get("content")]
                    usage = (body.get("usage") or {}).get("total_tokens", usage)
    await client.close()
    silence = max((b - a for a, b in pairwise(came)), default=0.0)
    return Live(came[0], silence, tokens, usage)


def faults(server: Running, stand_ins: Mapping[str, StandIn], names: list[str], quick: bool) -> dict[str, Any]:
    """Every fault in turn, plain and streamed; `quick`: the one or the other."""
    rows, found, total, differing = [], {}, 0, 0
    outcomes: Counter[str] = Counter()
    unmarked = 0
    for number, fault in enumerate(names):
        for stream in (number % 2 == 0,) if quick else (False, True):
            before = sent(stand_ins)
            got = asyncio.run(hit(server, fault, stream))
            time.sleep(0.2)  # calls that were cancelled end a moment later
            upstream = sent(stand_ins) - before
            total, differing = total + upstream, differing + abs(upstream - got.tokens)
            outcomes += got.outcomes
            unmarked += got.outcomes["answer"] + got.outcomes["error"] - got.marked
            name = f"{fault}, {'streamed' if stream else 'plain'}"
            most = got.said.most_common(1)[0][0] if got.said else ""
            progress(f"{name}: {most}")
            rows.append(
                (
                    name,
                    *(got.outcomes[kind] for kind in ("answer", "error", "unanswered", "hung")),
                    got.marked,
                    f"{np.median(got.seconds):.2f}",
                    f"{got.cost / AT_ONCE * 1e6:.0f}",
                    f"{got.tokens - upstream:+d} of {upstream}",
                )
            )
            found[name] = {"outcomes": dict(got.outcomes), "marked": got.marked, "said": most}
    columns = ("50 at once", "answer", "error", "unanswered", "hung", "marked", "s", "USD per million", "tokens told")
    table("Ensembles with a fault", columns, rows)
    return {
        "requests": AT_ONCE * len(rows),
        "unmarked": unmarked,
        "unanswered": outcomes["unanswered"],
        "hung": outcomes["hung"],
        "token_difference": round(differing / max(1, total), 4),
        "faults": found,
    }


def streams(server: Running, stand_ins: Mapping[str, StandIn], times: int) -> dict[str, Any]:
    """The live stream, several times, one after the other."""
    asyncio.run(live(server))
    done, differing = [], 0
    for _ in range(times):
        before = sent(stand_ins)
        done.append(asyncio.run(live(server)))
        differing += abs(done[-1].usage - (sent(stand_ins) - before))
    spread = [one.tokens_ms[-1] - one.tokens_ms[0] for one in done]
    result = {
        "first_byte_ms_p50": round(float(np.median([one.first_byte_ms for one in done])), 1),
        "longest_silence_ms": round(max(one.silence_ms for one in done), 1),
        "writer_spread_ms": round(float(np.median(spread)), 1),
        "writer_chunks": int(np.median([len(one.tokens_ms) for one in done])),
        "usage_difference": differing,
    }
    title = "An ensemble streamed live (the writer writes 40 tokens in 800 ms, after 1.5 s)"
    table(title, ("", "measured"), list(result.items()))
    return result


def main() -> None:
    """Start, break, count."""
    chosen = options(__doc__).parse_args()
    with ExitStack() as stack:
        stand_ins = {name: stack.enter_context(StandIn(**script)) for name, script in STAND_INS.items()}
        server = stack.enter_context(serving(configuration(stand_ins)))
        progress("the server is ready")
        result = streams(server, stand_ins, 3 if chosen.quick else 10)
        result |= faults(server, stand_ins, FAULTS, chosen.quick)
    finish("mishaps", result, save=chosen.save)


if __name__ == "__main__":
    main()
