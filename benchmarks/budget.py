"""Budgets under load: does a key ever spend more than it may, is a call ever lost, do the tokens agree?

Five hundred ensemble requests at once, through two gateways, against a budget for a hundred: `overshoot_usd` is what
was spent beyond it. Then again with upstreams that fail, hang and break off, plain and streamed, while the ledger's
process is killed: `lost_calls` are calls that the upstreams saw and the ledger has not (or the other way),
`token_difference` is by how much their counts of tokens differ. All of it on SQLite and, where it is installed, on
PostgreSQL; each key is the worst of both. `hot_path_us` is the processor time that noting a call adds to
it, in microseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import Engine, func, select

from benchmarks.postgres import binaries, postgres
from benchmarks.processes import Running, serving
from benchmarks.reporting import finish, options, progress, table
from commands.processes import descendants
from mixture.config import LedgerConfig
from mixture.ledger import Book, Limits, Recorder, keys
from mixture.ledger.database import connect
from mixture.ledger.tables import CALLS
from mixture.metering import Meter
from mixture.simulation import StandIn
from mixture.types import Call, ExpertCard, Message, Price, Query, Usage

PROMPT = "Say a few words please."
ANSWER = "one two three four"
USD_PER_TOKEN = 1e-6
EXPERTS = ("first", "second", "third")
ENSEMBLE_USD = len(EXPERTS) * (5 + 4) * USD_PER_TOKEN
"""What an ensemble costs: five words to read and four to write, for each expert."""
FAILING = {"error": "ExpertUnavailable", "probability": 0.5}
PATIENCE = 120.0


@dataclass
class Seen:
    """What became of requests, and what the upstreams and the ledger say of them."""

    statuses: Counter[int] = field(default_factory=Counter)
    budget: float = 0.0
    spent: float = 0.0
    upstream_calls: int = 0
    ledger_calls: int = 0
    upstream_tokens: int = 0
    ledger_tokens: int = 0
    killed: int = 0

    @property
    def overshoot(self) -> float:
        """US dollars beyond the budget."""
        return max(0.0, self.spent - self.budget)


@contextmanager
def upstreams(healthy: bool) -> Iterator[dict[str, StandIn]]:
    """Three that answer; or one that answers and three that fail now and then, hang, and break off."""
    with ExitStack() as stack:
        if healthy:
            yield {name: stack.enter_context(StandIn(text=ANSWER, delay=0.02)) for name in EXPERTS}
            return
        yield {
            "first": stack.enter_context(StandIn(text=ANSWER, delay=0.02)),
            "failing": stack.enter_context(
                StandIn(text=ANSWER, failure={"error": "ExpertUnavailable", "probability": 0.5})
            ),
            "hanging": stack.enter_context(StandIn(text=ANSWER, delay=600)),
            "breaking": stack.enter_context(StandIn(text=ANSWER, failure={"error": "StreamBroken", "after": 2})),
        }


def configuration(made: dict[str, StandIn], url: str) -> dict[str, Any]:
    """A server over these upstreams, whose votes wait for everybody, so that no call is cut short on its way."""
    price = {"input": USD_PER_TOKEN * 1e6, "output": USD_PER_TOKEN * 1e6}
    experts = [
        {
            "name": name,
            "provider": "openai",
            "model": "stand-in",
            "base_url": upstream.base_url,
            "api_key": "none",
            "price": price,
            "tokenizer": "words",
            "num_retries": 0,
            "allowed_fails": 100_000,
            "max_concurrency": 2_000,
            **({"timeout": 3.0} if name == "hanging" else {}),
        }
        for name, upstream in made.items()
    ]
    return {
        "experts": experts,
        "strategies": {"voting": {"early_stop": False, "min_successful_responses": 1}},
        "server": {"log": "off"},
        "ledger": {"url": url, "patience": PATIENCE},
    }


def parallel(server: Running, key: str, bodies: list[dict[str, Any]], kill: Callable[[], None] | None) -> Counter[int]:
    """The statuses of all `bodies`, sent at once. `kill` is called when a fifth of them is answered."""
    statuses: Counter[int] = Counter()

    async def ask(session: aiohttp.ClientSession, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as answer:
            await answer.read()
            statuses[answer.status] += 1
        if kill is not None and statuses.total() == max(1, len(bodies) // 5):
            await asyncio.to_thread(kill)

    async def all_of_them() -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE * 2)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            await asyncio.gather(*(ask(session, body) for body in bodies))

    asyncio.run(all_of_them())
    return statuses


def ensembles(count: int) -> list[dict[str, Any]]:
    """Requests to all experts at once."""
    return [_body("voting") for _ in range(count)]


def mishaps(count: int) -> list[dict[str, Any]]:
    """Ensembles of all experts, and single ones, plain and streamed."""
    models = ("voting", "failing", "breaking", "voting", "first")
    return [_body(models[n % 5], stream=n % 3 == 0) for n in range(count)]


def _body(model: str, stream: bool = False) -> dict[str, Any]:
    messages = [{"role": "user", "content": PROMPT}]
    return {"model": model, "messages": messages, "max_tokens": 4, "stream": stream}


def killer(server: Running, seen: Seen) -> Callable[[], None]:
    """Kills the ledger's process."""

    def kill() -> None:
        for pid in descendants(server.pid):
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"ServeReplica" in title and b"ledger" in title:
                os.kill(pid, signal.SIGKILL)
                seen.killed += 1

    return kill


def known(server: Running, key: str) -> None:
    """Wait until both gateways know the key: each answers every other look-up, or so."""
    asyncio.run(_known(server, key))


async def _known(server: Running, key: str) -> None:
    in_a_row, deadline = 0, time.monotonic() + PATIENCE
    while in_a_row < 20 and time.monotonic() < deadline:
        headers = {"Authorization": f"Bearer {key}"}
        # a connection of its own each time: any gateway may get it
        async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{server.url}/v1/models") as answer:
            in_a_row = in_a_row + 1 if answer.status == 200 else 0
        await asyncio.sleep(0.05)


def settled(engine: Engine, caller: str, calls: Callable[[], int]) -> tuple[int, int, float]:
    """Calls, tokens and US dollars in the ledger, once it has as many calls as were made, or has not grown for long."""
    wanted = select(
        func.count(),
        func.coalesce(func.sum(CALLS.c.prompt_tokens + CALLS.c.completion_tokens), 0),
        func.coalesce(func.sum(CALLS.c.cost_usd), 0.0),
    ).where(CALLS.c.caller == caller)
    deadline = time.monotonic() + 30
    while True:
        with engine.connect().execution_options(reads=True) as connection:
            row = connection.execute(wanted).one()
        if row[0] >= calls() or time.monotonic() > deadline:
            return int(row[0]), int(row[1]), float(row[2])
        time.sleep(0.2)


def against(url: str, requests: int, healthy: bool, kills: bool) -> Seen:
    """One load on a server of its own with its ledger at `url`."""
    seen = Seen()
    with upstreams(healthy) as made, serving(configuration(made, url), gateways=2) as server:
        engine = connect(url)
        seen.budget = ENSEMBLE_USD * requests / 5 if healthy else 1_000.0
        key, mine = keys.create(engine, "load", limits=Limits(usd_per_day=seen.budget))
        known(server, key)
        bodies = ensembles(requests) if healthy else mishaps(requests)
        seen.statuses = parallel(server, key, bodies, killer(server, seen) if kills else None)

        def upstream_calls() -> int:
            return sum(one.stats.requests for one in made.values())

        seen.ledger_calls, seen.ledger_tokens, seen.spent = settled(engine, mine.id, upstream_calls)
        seen.upstream_calls = upstream_calls()
        seen.upstream_tokens = sum(one.stats.prompt_tokens + one.stats.completion_tokens for one in made.values())
        engine.dispose()
    return seen


def hot_path_us(calls: int = 20_000) -> float:
    """Processor time that noting one call takes in the process that makes it, its report to the ledger left out."""

    async def run(folder: Path) -> float:
        recorder = Recorder(Book(None), folder, LedgerConfig())
        card = ExpertCard("first", "openai", "stand-in", price=Price(1.0, 1.0))
        query, meter = Query((Message("user", PROMPT),), request_id="req"), Meter()
        call = Call("first", "answer", Usage(5, 4), 9e-6, 1.0, "ok")
        began = time.process_time()
        for _ in range(calls):
            recorder.end(recorder.begin(card, query, meter, None), call, 9e-6)
        took = time.process_time() - began
        await recorder.close()
        return took / calls * 1e6

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(Path(folder)))


def main() -> None:
    """Every load on every database, printed."""
    chosen = options(__doc__).parse_args()
    requests = 100 if chosen.quick else 500
    found: dict[str, Seen] = {}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {"sqlite": f"sqlite:///{folder}/ledger.db"}
        if binaries() is None:
            progress("PostgreSQL is not installed: SQLite only")
        elif not chosen.quick:
            urls["postgresql"] = stack.enter_context(postgres())
        for name, url in urls.items():
            progress(f"{name}: ensembles against a budget")
            found[f"{name}, budget"] = against(url, requests, healthy=True, kills=not chosen.quick)
            if not chosen.quick:
                progress(f"{name}: mishaps, and the ledger killed")
                found[f"{name}, mishaps"] = against(url, requests, healthy=False, kills=True)
    show(found)
    result = last_line(found) | {"requests": requests, "hot_path_us": round(hot_path_us(), 1)}
    finish("budget", result, save=chosen.save)


def last_line(found: dict[str, Seen]) -> dict[str, Any]:
    """The worst of all loads."""
    return {
        "overshoot_usd": max(seen.overshoot for seen in found.values()),
        "lost_calls": max(abs(seen.upstream_calls - seen.ledger_calls) for seen in found.values()),
        "token_difference": max(abs(seen.upstream_tokens - seen.ledger_tokens) for seen in found.values()),
        "loads": {name: json.loads(json.dumps(vars(seen))) for name, seen in found.items()},
    }


def show(found: dict[str, Seen]) -> None:
    """The table for people."""
    columns = (
        "load",
        "200",
        "402",
        "other",
        "budget $",
        "spent $",
        "calls",
        "in ledger",
        "tokens",
        "in ledger",
        "kills",
    )
    rows = [
        (
            name,
            seen.statuses[200],
            seen.statuses[402],
            seen.statuses.total() - seen.statuses[200] - seen.statuses[402],
            f"{seen.budget:.6f}",
            f"{seen.spent:.6f}",
            seen.upstream_calls,
            seen.ledger_calls,
            seen.upstream_tokens,
            seen.ledger_tokens,
            seen.killed,
        )
        for name, seen in found.items()
    ]
    table("requests at once, and what upstreams and ledger say of them", columns, rows)


if __name__ == "__main__":
    main()
