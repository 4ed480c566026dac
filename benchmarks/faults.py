"""An upstream dies in the middle of a load: does every request still get an answer or a well-formed error?

Five hundred requests, plain, streamed and to ensembles, to a server with three upstreams; one of them is killed when
two fifths of the requests have been sent. Keys: `unanswered` (the connection broke or ended early), `malformed`
(neither an answer nor an error in OpenAI's form), `hung` (nothing within a minute).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import aiohttp

from benchmarks.processes import Running, serving, simulating
from benchmarks.reporting import finish, options, table

AT_ONCE = 32
PATIENCE = 60.0
UPSTREAMS = ("doomed", "second", "third")
KINDS: tuple[tuple[str, str, bool], ...] = (
    ("one expert, plain", "doomed", False),
    ("one expert, streamed", "doomed", True),
    ("cascade, plain", "cascade", False),
    ("cascade, streamed", "cascade", True),
    ("voting, plain", "voting", False),
    ("voting, streamed", "voting", True),
    ("best_of_n, plain", "best_of_n", False),
    ("best_of_n, streamed", "best_of_n", True),
)
"""What is asked in turn: its name here, the model, whether it is streamed."""


def configuration(upstreams: dict[str, Running]) -> dict[str, Any]:
    """A server before all upstreams, the doomed one first in every order."""
    experts = [
        {
            "name": name,
            "provider": "openai",
            "model": "stand-in",
            "base_url": f"{server.url}/v1",
            "api_key": "none",
            "price": {"input": place + 1, "output": place + 1},
        }
        for place, (name, server) in enumerate(upstreams.items())
    ]
    return {"experts": experts, "server": {"log": "off"}}


def is_error(body: Any) -> bool:
    """Whether a body is an error in OpenAI's form."""
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and bool(error.get("message")) and "type" in error


def plain_outcome(status: int, text: str) -> str:
    """What a whole answer is: answered, refused (well-formed) or malformed."""
    try:
        body = json.loads(text)
    except ValueError:
        return "malformed"
    if status == 200:
        choices = body.get("choices") or [{}]
        return "answered" if (choices[0].get("message") or {}).get("content") else "malformed"
    return "refused" if is_error(body) else "malformed"


def streamed_outcome(text: str) -> str:
    """What a stream is: answered, broken off with a well-formed error, unanswered or malformed."""
    data = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    try:
        bodies = [json.loads(item) for item in data if item != "[DONE]"]
    except ValueError:
        return "malformed"
    if any(is_error(body) for body in bodies):
        return "refused"
    if "[DONE]" not in data:
        return "unanswered"
    said = [c["delta"].get("content") for body in bodies for c in body["choices"]]
    ended = any(c.get("finish_reason") for body in bodies for c in body["choices"])
    return "answered" if any(said) and ended else "malformed"


async def ask(session: aiohttp.ClientSession, server: Running, model: str, stream: bool) -> str:
    """One request, and what became of it."""
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Say some words."}]}
    headers = {"Authorization": f"Bearer {server.key}"}
    try:
        async with asyncio.timeout(PATIENCE):
            async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as response:
                text = await response.text()
                if stream and response.status == 200:
                    return streamed_outcome(text)
                return plain_outcome(response.status, text)
    except TimeoutError:
        return "hung"
    except aiohttp.ClientError:
        return "unanswered"


async def run(server: Running, requests: int, kill: Callable[[], None]) -> Counter[tuple[str, str]]:
    """Send `requests` in turn, `AT_ONCE` at once, and kill after two fifths. Counts (kind, outcome)."""
    outcomes: Counter[tuple[str, str]] = Counter()
    waiting = iter(range(requests))

    async def work(session: aiohttp.ClientSession) -> None:
        for number in waiting:
            if number == requests * 2 // 5:
                kill()
            kind, model, stream = KINDS[number % len(KINDS)]
            outcomes[kind, await ask(session, server, model, stream)] += 1

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work(session))
    return outcomes


def main() -> None:
    """Start, load, kill, count."""
    chosen = options(__doc__).parse_args()
    requests = 200 if chosen.quick else 500
    with ExitStack() as stack:
        words = ("--tokens", "40", "--rate", "100")
        upstreams = {name: stack.enter_context(simulating(*words)) for name in UPSTREAMS}
        server = stack.enter_context(serving(configuration(upstreams)))
        doomed = upstreams["doomed"].pid
        outcomes = asyncio.run(run(server, requests, lambda: os.kill(doomed, signal.SIGKILL)))
    columns = ("answered", "refused", "unanswered", "malformed", "hung")
    rows = [(kind, *(outcomes[kind, outcome] for outcome in columns)) for kind, _, _ in KINDS]
    table("what became of the requests (refused: a well-formed error)", ("asked", *columns), rows)
    totals: Counter[str] = Counter()
    for (_, outcome), count in outcomes.items():
        totals[outcome] += count
    result = {"requests": sum(totals.values()), **{outcome: totals[outcome] for outcome in columns}}
    finish("faults", result, save=chosen.save)


if __name__ == "__main__":
    main()
