"""The level that gateways share: what is found there, and what becomes of one that fails or is late."""

import asyncio
import shutil
import socket
import subprocess
import time

import pytest

from actors.cache import CacheActor
from mixture import Mixture
from mixture.caching.redis import RedisCache
from mixture.config import CacheConfig
from mixture.trace import Trace
from mixture.types import Caller, Message, Query, Sampling

ASK = Query((Message("user", "What is six times seven?"),), sampling=Sampling(temperature=0))


def gateway(shared, **cache):
    experts = [{"name": "a", "provider": "scripted", "options": {"text": ["first", "second", "third"]}}]
    mixture = Mixture.from_config({"experts": experts, "cache": cache})
    mixture.cache.share(shared)
    return mixture


async def asked(mixture, caller="one"):
    trace = Trace(caller=Caller(caller))
    answer = await mixture.answer(ASK, "a", trace=trace)
    await asyncio.gather(*mixture.cache.shared._writing)
    return trace.cache, answer.text


async def check(shared):
    one, two = (gateway(shared, shared_timeout_ms=20_000) for _ in range(2))
    assert await asked(one) == ("miss", "first")
    assert await asked(two) == ("shared", "first")
    assert await asked(two) == ("hit", "first")
    assert await asked(two, "another") == ("miss", "first")
    following = asyncio.create_task(two.cache.follow())
    assert await one.cache.clear("one") == 1
    async with asyncio.timeout(20):
        while True:
            if not two.cache.store.held("one")[0]:
                break
            await asyncio.sleep(0.01)
    following.cancel()
    assert await asked(one) == ("miss", "second")
    assert (await asked(two, "another"))[0] == "hit"


async def test_gateways_share_through_the_actor():
    await check(CacheActor(CacheConfig()))


@pytest.fixture
def redis_url(tmp_path):
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (on Debian: apt-get install redis-server)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until, "redis-server did not start"
                time.sleep(0.02)
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()


async def test_gateways_share_through_redis(redis_url):
    shared = RedisCache(redis_url, 60.0)
    try:
        await check(shared)
        ttl = await shared._client.pttl((await shared._client.keys(b"mixture:cache:*"))[0])
        assert 0 < ttl <= 60_000
    finally:
        await shared.close()


class Failing:
    """Fails, or never answers."""

    def __init__(self, hangs):
        self.hangs, self.asked = hangs, 0

    async def get(self, owner, key):
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        raise ConnectionError("refused")

    async def put(self, owner, key, stored):
        await self.get(owner, key)


@pytest.mark.parametrize("hangs", [False, True])
async def test_what_fails_or_is_late_is_a_miss_and_is_then_left_alone(hangs, caplog):
    shared = Failing(hangs)
    mixture = gateway(shared, shared_timeout_ms=1)
    trace = Trace()
    answer = await mixture.answer(ASK, "a", trace=trace)
    assert (answer.text, trace.cache) == ("first", "miss")
    assert "the shared cache is left alone" in caplog.text
    other = Query((Message("user", "And eight times nine?"),), sampling=Sampling(temperature=0))
    assert (await mixture.answer(other, "a")).text == "second"
    assert shared.asked == 1
    await mixture.close()


async def test_what_it_holds_may_be_anything():
    class Garbage(Failing):
        async def get(self, owner, key):
            return time.time(), b"\x80not an entry"

        async def put(self, owner, key, stored):
            pass

    assert await asked(gateway(Garbage(False))) == ("miss", "first")


async def test_redis_is_configured_by_its_url():
    experts = [{"name": "a", "provider": "scripted"}]
    mixture = Mixture.from_config({"experts": experts, "cache": {"shared": "redis://127.0.0.1:1/0"}})
    assert (await mixture.answer(ASK, "a")).text == "ok"
    assert mixture.cache.shared.failures == 1
    await mixture.close()
