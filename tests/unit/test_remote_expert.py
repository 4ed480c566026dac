"""An expert in another process, on a machine that may vanish: it closes nothing then and is not heard any more."""

from __future__ import annotations

import asyncio
import time

import pytest

from deployments import expert as hosting
from deployments.choosing import FORGIVEN, PROMPT, Listening
from deployments.expert import batches
from deployments.heartbeat import LATE
from deployments.remote import RemoteExpert
from mixture.errors import ReplicaBroke, ReplicaLost
from mixture.providers.scripted import scripted
from mixture.streams import chunks
from mixture.types import Message, Query

SILENCE = 0.3
QUERY = Query((Message("user", "hello"),), stream=True)


class Response:
    """What a handle gives for a call: `said` as it comes; then nothing any more where the machine has `vanished`, or
    what Ray raises for a process that `died`.
    """

    def __init__(self, said, end):
        self.said, self.end, self.cancelled = said, end, False

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await anext(self.said)
        except StopAsyncIteration:
            if self.end == "vanished":
                await asyncio.Event().wait()
            if self.end == "died":
                raise ConnectionError from None
            raise

    def cancel(self):
        self.cancelled = True


class Replicas:
    """A handle whose calls go to one machine after the other: each is an expert, how many of its batches come, and
    what has become of it then.
    """

    def __init__(self, *machines):
        self.machines, self.responses = list(machines), []

    def options(self, **_):
        return self

    def remote(self, query):
        expert, most, end = self.machines.pop(0)
        self.responses.append(Response(self._first(expert, query, most), end))
        return self.responses[-1]

    async def _first(self, expert, query, most):
        count = 0
        async for batch in batches(chunks(expert, query), "words", interval=0):
            if count == most:
                return
            count += 1
            yield batch


async def answer_of(replicas, pause=0.0):
    remote, texts = RemoteExpert(scripted().card, replicas, SILENCE), []
    async for chunk in remote.stream(QUERY):
        texts.append(chunk.text)
        await asyncio.sleep(pause)
    return "".join(texts)


async def test_what_had_not_begun_on_a_machine_that_vanished_is_asked_elsewhere():
    replicas = Replicas(
        (scripted(), 0, "vanished"), (scripted(), 0, "vanished"), (scripted(text="still here"), None, "")
    )
    assert await answer_of(replicas) == "still here"
    assert [response.cancelled for response in replicas.responses] == [True, True, True]


async def test_what_had_begun_there_breaks_off():
    replicas = Replicas((scripted(text="one two three", rate=50), 2, "vanished"))
    with pytest.raises(ReplicaBroke, match="the process of expert"):
        await answer_of(replicas)
    assert replicas.responses[0].cancelled


@pytest.mark.parametrize(("most", "kind"), [(0, ReplicaLost), (1, ReplicaBroke)])
async def test_a_process_that_died_says_nothing_of_the_others(most, kind):
    with pytest.raises(kind) as raised:
        await answer_of(Replicas((scripted(text="one two", rate=50), most, "died")))
    assert not raised.value.telling


async def test_an_expert_that_takes_its_time_is_no_machine_that_vanished(monkeypatch):
    monkeypatch.setattr(hosting, "BEAT", SILENCE / 5)
    replicas = Replicas((scripted(text="at last", delay=3 * SILENCE), None, ""))
    assert await answer_of(replicas) == "at last"
    assert len(replicas.responses) == 1


async def test_a_reader_that_takes_its_time_is_none_either():
    assert await answer_of(Replicas((scripted(text="one two", rate=1000), None, "")), 1.5 * SILENCE) == "one two"


async def test_a_process_that_did_not_run_itself_reads_first_what_has_come():
    replicas = Replicas((scripted(text="here", delay=SILENCE / 2), None, ""))
    asking = asyncio.ensure_future(answer_of(replicas))
    await asyncio.sleep(SILENCE / 4)
    time.sleep(SILENCE + LATE + 0.1)  # noqa: ASYNC251  the loop stands still
    assert await asking == "here"
    assert len(replicas.responses) == 1


class Replica:
    def __init__(self, name):
        self.replica_id = name


class Choosing:
    """What Serve's request routers do about it: nothing."""

    def initialize_state(self):
        pass

    def on_send_request(self, replica_id):
        pass

    def on_new_queue_len_info(self, replica_id, number):
        pass

    def update_replicas(self, replicas):
        pass


class Listener(Listening, Choosing):
    pass


@pytest.fixture
def replicas(monkeypatch):
    """A router, its replicas, and a clock that is set by hand."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    router = Listener()
    router.initialize_state()
    return router, [Replica(name) for name in "abc"], clock


def test_a_replica_that_does_not_acknowledge_is_passed_by_for_a_while(replicas):
    router, (a, b, c), clock = replicas
    router.on_send_request("a")
    router.on_send_request("b")
    assert router.without_silent([[a, b]], [a, b, c]) == [[a, b]]
    router.on_new_queue_len_info("b", 1)
    clock[0] += 2 * PROMPT
    assert router.without_silent([[a, b]], [a, b, c]) == [[b]]
    assert router.without_silent([[a], [b, c]], [a, b, c]) == [[b, c]]
    (two,) = router.without_silent([[a]], [a, b, c])
    assert set(two) == {b, c}
    assert router.without_silent([[a]], [a]) == [[a]]
    clock[0] += FORGIVEN
    assert router.without_silent([[a, b]], [a, b, c]) == [[a, b]]
    router.on_send_request("a")
    clock[0] += 2 * PROMPT
    assert router.without_silent([[a, b]], [a, b, c]) == [[b]]
    router.update_replicas([b, c])
    assert router.without_silent([[a, b]], [a, b, c]) == [[a, b]]
