from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from mixture.config import ConfigError, ExpertConfig
from mixture.errors import Declined
from mixture.providers import Context
from mixture.providers.symbolic import Symbolic, make
from mixture.providers.symbolic.workers import Bounds, Workers
from mixture.streams import chunks, complete
from mixture.types import Message, Query, Sampling

SLOW = "integrate sin(x)^50*e^(x^3)*ln(x)"
"""What keeps SymPy busy for minutes."""
OTHERS: set[int] = set()
"""The workers that were there when the test began."""


def ask(text: str, **sampling: object) -> Query:
    return Query((Message("user", text),), sampling=Sampling(**sampling))  # type: ignore[arg-type]


def created(**options: object) -> Symbolic:
    return make(ExpertConfig(name="symbolic", provider="symbolic", options=options), Context())


@pytest.fixture(autouse=True)
def _others() -> Iterator[None]:
    """Whatever ran in this process before: its workers are not the ones that are looked at here."""
    OTHERS.update(workers())
    yield
    OTHERS.clear()


def children() -> set[int]:
    """The worker processes that this test started and that are still there."""
    return workers() - OTHERS


def workers() -> set[int]:
    """The worker processes of this process."""
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listed.splitlines())
    return {int(pid) for pid, parent, *args in rows if int(parent) == os.getpid() and "symbolic.worker" in args[0]}


@pytest.fixture(params=[60.0])
async def expert(request: pytest.FixtureRequest) -> AsyncIterator[Symbolic]:
    made = created(timeout=request.param)
    yield made
    await made.close()
    assert not children()


async def test_one_chunk_with_usage_and_no_price(expert: Symbolic) -> None:
    found = [chunk async for chunk in expert.stream(ask("what is 15% of 80 plus 3/7?"))]
    assert [chunk.text for chunk in found] == ["15% of 80 + 3/7 = 87/7 ≈ 12.4286"]
    usage = found[0].usage
    assert usage is not None and usage.estimated and usage.prompt_tokens == 7 and usage.completion_tokens == 8
    assert found[0].finish_reason == "stop"
    assert expert.card.price is not None and expert.card.price.cost(usage) == 0
    assert expert.card.location == "embedded"


async def test_a_warm_one_has_its_process_already(expert: Symbolic) -> None:
    await expert.warm()
    started = children()
    assert len(started) == 1
    assert (await complete(expert, ask("1 + 1"))).text == "1 + 1 = 2"
    assert children() == started


async def test_many_at_once(expert: Symbolic) -> None:
    answers = await asyncio.gather(*(complete(expert, ask(f"{n} * {n}")) for n in range(20)))
    assert [answer.text for answer in answers] == [f"{n}*{n} = {n * n}" for n in range(20)]
    assert len(children()) == 2


@pytest.mark.parametrize("expert", [2.0], indirect=True)
async def test_what_takes_too_long_is_ended_and_the_next_one_is_answered(expert: Symbolic) -> None:
    await complete(expert, ask("1 + 1"))
    [first] = children()
    with pytest.raises(Declined, match="longer than is allowed") as caught:
        await complete(expert, ask(SLOW))
    assert caught.value.code == "too_large"
    assert first not in children()
    assert (await complete(expert, ask("2 + 2"))).text == "2 + 2 = 4"


async def test_leaving_ends_the_work(expert: Symbolic) -> None:
    await complete(expert, ask("1 + 1"))
    [worker] = children()
    stream = chunks(expert, ask(SLOW))
    async with aclosing(stream):
        reading = asyncio.ensure_future(anext(stream))
        while _processor_seconds(worker) < 0.3:  # noqa: ASYNC110 - the other process's time is only to be had by asking
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
    assert reading.cancelled()
    assert worker not in children()


async def test_a_worker_that_died_is_replaced(expert: Symbolic) -> None:
    await complete(expert, ask("1 + 1"))
    [worker] = children()
    os.kill(worker, signal.SIGKILL)
    while worker in children():  # noqa: ASYNC110 - it is reaped by the event loop
        await asyncio.sleep(0)
    assert (await complete(expert, ask("2 + 2"))).text == "2 + 2 = 4"


async def test_memory_is_bounded() -> None:
    made = Symbolic(created().card, Workers(Bounds(seconds=60, mebibytes=90, processes=1)))
    try:
        with pytest.raises(Declined, match="memory"):
            await complete(made, ask("expand (x+y+z)^99"))
        assert (await complete(made, ask("2 + 2"))).text == "2 + 2 = 4"
    finally:
        await made.close()


async def test_after_close_it_can_be_used_again(expert: Symbolic) -> None:
    await complete(expert, ask("1 + 1"))
    await expert.close()
    assert not children()
    assert (await complete(expert, ask("1 + 2"))).text == "1 + 2 = 3"


def test_it_works_in_one_event_loop_after_another() -> None:
    made = created()

    async def once() -> str:
        try:
            return (await complete(made, ask("1 + 1"))).text
        finally:
            await made.close()

    assert asyncio.run(once()) == asyncio.run(once()) == "1 + 1 = 2"
    assert not children()


async def test_declining_starts_no_process() -> None:
    made = created()
    for text in ("hello", "x" * 200_000, "9**9**9**9", ""):
        with pytest.raises(Declined):
            await complete(made, ask(text))
    with pytest.raises(Declined):  # the conversation goes on after a tool's answer
        await complete(made, Query((Message("user", "2 + 2"), Message("tool", "4", tool_call_id="1"))))
    assert not children()


async def test_a_stop_sequence_ends_the_text(expert: Symbolic) -> None:
    assert (await complete(expert, ask("1/3 + 1", stop=(" ≈",), seed=7))).text == "1/3 + 1 = 4/3"


async def test_no_secret_reaches_the_worker(expert: Symbolic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-you")
    await complete(expert, ask("1 + 1"))
    [worker] = children()
    assert b"sk-not-for-you" not in _environment(worker)


def test_no_orphan_is_left_when_the_parent_is_killed() -> None:
    code = (
        "import asyncio\n"
        "from mixture.providers.symbolic.workers import Bounds, Workers\n"
        "from mixture.providers.symbolic.reading import read\n"
        "async def main():\n"
        "    workers = Workers(Bounds(seconds=60))\n"
        "    await workers.run(read('1 + 1').wire())\n"
        "    [s] = workers._sets.values()\n"
        "    print(*[p.pid for p in s._all], flush=True)\n"
        f"    await workers.run(read({SLOW!r}).wire())\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        while _processor_seconds(worker) < 0.3:
            pass
        parent.kill()
    while _alive(worker):  # ends, or the test's own time-out does
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [({"timeout": 0}, r"symbolic\.options\.timeout"), ({"tiemout": 1}, r"symbolic\.options\.tiemout")],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        created(**options)


def test_importing_loads_no_sympy() -> None:
    code = "import sys, mixture.providers.symbolic; print('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def _processor_seconds(pid: int) -> float:
    """How long `pid` has computed since it was first asked about."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds - _first.setdefault(pid, seconds)


_first: dict[int, float] = {}


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
