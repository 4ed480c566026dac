"""Keys with limits, over HTTP: what they may use and spend, and whose costs they see."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest

from deployments.http.app import create_app
from mixture.config import LedgerConfig
from mixture.ledger import Book, Limits, Recorder, keys
from mixture.ledger.database import connect
from mixture.providers.scripted import scripted
from mixture.types import Price
from tests.serve.gateway.inprocess import KEY, config_of, listening, mixture_of

PRICE = Price(0.0, 1_000.0)
"""A thousandth of a dollar a word of the answer."""
WORDS = [{"role": "user", "content": "say two words"}]


class Servers:
    """Gateways in this process, with one ledger."""

    def __init__(self, folder):
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.book = Book(self.url)
        self.engine = connect(self.url)
        self.folder = folder / "journal"
        self.experts = [
            scripted("plain", "two words", price=PRICE),
            scripted("other", "two words", price=PRICE),
            scripted("third", "two words", price=PRICE),
            scripted("free", "of a price"),
            scripted("breaks", "one two three four", price=PRICE, failure={"error": "StreamBroken", "after": 2}),
        ]

    def make(self, name="k", models=None, **limits):
        """A key, and its id."""
        key, made = keys.create(self.engine, name, models=models, limits=Limits(**limits))
        return key, made.id

    @asynccontextmanager
    async def gateway(self, patience=5.0, **fields):
        """One more gateway."""
        config = config_of(self.experts, defaults={"num_retries": 0, "allowed_fails": 100}, **fields)
        recorder = Recorder(self.book, self.folder, LedgerConfig(patience=patience, answer_tokens=4))
        app = create_app(mixture_of(self.experts, config, recorder), None, config.server, [KEY])
        async with listening(app) as url, httpx2.AsyncClient(base_url=url, timeout=60) as http:
            yield Gateway(http)

    def spent(self, key):
        """What a key spent in all, by the database."""
        return next(total for made, _, _, total in keys.listed(self.engine) if made.id == key)


class Gateway:
    """A client of one gateway."""

    def __init__(self, http):
        self.http = http

    async def ask(self, key, model="plain", **more):
        body = {"model": model, "messages": WORDS, "max_tokens": 2, **more}
        return await self.http.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})

    async def get(self, key, path):
        answer = await self.http.get(path, headers={"authorization": f"Bearer {key}"})
        return answer.json() if answer.status_code == 200 else answer.status_code

    async def until(self, key, status):
        """Ask until the answer has this status."""
        async with asyncio.timeout(20):
            while True:
                answer = await self.ask(key)
                if answer.status_code == status:
                    return answer
                await asyncio.sleep(0.02)

    async def entered(self, key, calls):
        """The usage of a key, once so many calls are in the ledger."""
        async with asyncio.timeout(20):
            while True:
                rows = (await self.get(key, "/v1/mixture/usage?by=expert,outcome"))["data"]
                if sum(row["calls"] for row in rows) >= calls:
                    return rows
                await asyncio.sleep(0.02)


@pytest.fixture
def servers(tmp_path):
    made = Servers(tmp_path)
    yield made
    made.book.close()
    made.engine.dispose()


async def test_a_key_that_was_made_opens_every_gateway_and_one_that_was_revoked_none(servers):
    async with servers.gateway() as one, servers.gateway() as two:
        key, name = servers.make()
        for gateway in (one, two):
            await gateway.until(key, 200)
        keys.revoke(servers.engine, name)
        for gateway in (one, two):
            await gateway.until(key, 401)
        assert (await one.ask(KEY)).status_code == 200


async def test_a_key_that_was_made_signs_in_to_the_documentation_on_every_gateway_until_it_is_revoked(servers):
    key, name = servers.make(models=["plain"])
    other, _ = servers.make("other")
    async with servers.gateway() as one, servers.gateway() as two:
        for gateway in (one, two):
            await gateway.until(key, 200)
            await gateway.until(other, 200)
        page = await one.http.post("/docs", data={"key": key})
        value = page.headers["set-cookie"].split(";")[0].partition("=")[2]
        assert (page.status_code, key in value) == (303, False)
        one.http.cookies.clear()

        async def asked(gateway, cookie, method="GET", path="/v1/models", **more):
            headers = {"cookie": f"mixture_session={cookie}", "origin": str(gateway.http.base_url).rstrip("/")}
            return await gateway.http.request(method, path, headers=headers, **more)

        for gateway in (one, two):
            assert "swagger-ui" in (await asked(gateway, value, path="/docs")).text
            assert {entry["id"] for entry in (await asked(gateway, value)).json()["data"]} == {"plain"}
        body = {"model": "plain", "messages": WORDS}
        assert (await asked(two, value, "POST", "/v1/chat/completions", json=body)).status_code == 200
        assert (
            await asked(two, value, "POST", "/v1/chat/completions", json={**body, "model": "other"})
        ).status_code == 404
        stolen = (
            (await two.http.post("/docs", data={"key": other})).headers["set-cookie"].split(";")[0].partition("=")[2]
        )
        two.http.cookies.clear()
        forged = f"{name}.{stolen.partition('.')[2]}"
        for wrong in (forged, name, f"{name}.", value[:-1], f"{value}0", "."):
            assert (await asked(one, wrong)).status_code == 401
        keys.revoke(servers.engine, name)
        for gateway in (one, two):
            await gateway.until(key, 401)
            assert (await asked(gateway, value)).status_code == 401


async def test_each_call_is_a_row_and_a_tenant_sees_its_own(servers):
    alice, bob = servers.make("alice"), servers.make("bob")
    async with servers.gateway() as gateway:
        await gateway.ask(alice[0], "voting", mixture={"experts": ["plain", "other"]})
        await gateway.ask(alice[0], "breaks", stream=True)
        await gateway.ask(bob[0], "plain")
        await gateway.ask(bob[0], "free")
        (row,) = [row for row in await gateway.entered(alice[0], 3) if row["expert"] == "breaks"]
        assert (row["outcome"], row["completion_tokens"], row["estimated"]) == ("error", 2, 1)
        rows = await gateway.entered(bob[0], 2)
        assert {(row["expert"], row["cost_usd"], row["unpriced"]) for row in rows} == {
            ("plain", 0.002, 0),
            ("free", 0.0, 1),
        }
        everybody = (await gateway.get(KEY, "/v1/mixture/usage?by=key,strategy"))["data"]
        assert {(row["name"], row["strategy"]) for row in everybody} == {
            ("alice", "voting"),
            ("alice", "expert"),
            ("bob", "expert"),
        }
        mine = (await gateway.get(bob[0], "/v1/mixture/usage?by=request,key"))["data"]
        assert {row["name"] for row in mine} == {"bob"}
        assert await gateway.get(bob[0], "/v1/mixture/usage?by=everything") == 400


async def test_parallel_ensembles_never_spend_more_than_the_budget(servers):
    ensemble = {"experts": ["plain", "other", "third"]}
    key, name = servers.make(usd_per_day=0.006 * 20)
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(servers.gateway(patience=30)) for _ in range(2)]
        asked = [gateways[n % 2].ask(key, "voting", mixture=ensemble) for n in range(100)]
        answers = await asyncio.gather(*asked)
        statuses = [answer.status_code for answer in answers]
        assert {*statuses} == {200, 402}
        assert all(a.json()["error"]["code"] == "budget_exceeded" for a in answers if a.status_code == 402)
        reported = sum(a.json()["mixture"]["cost_usd"] for a in answers if a.status_code == 200)
    assert servers.spent(name) == pytest.approx(reported)
    assert reported <= 0.12 + 1e-9
    assert statuses.count(200) >= 18, "money that was set aside and not spent is there for those who wait"


async def test_a_budget_holds_back_what_a_broken_stream_may_cost_and_settles_what_it_did(servers):
    key, name = servers.make(usd_total=0.01)
    async with servers.gateway() as gateway:
        answers = [await gateway.ask(key, "breaks", stream=True, max_tokens=4) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 402, 402]
    assert servers.spent(name) == pytest.approx(0.008)


async def test_an_answer_without_a_maximum_is_capped_within_a_budget(servers):
    key, _ = servers.make(usd_total=1.0)
    async with servers.gateway() as gateway:
        answer = (await gateway.ask(key, max_tokens=None)).json()
        assert servers.experts[0].queries[-1].sampling.max_tokens == 4
        assert answer["mixture"]["cost_usd"] == 0.002


async def test_an_unknown_price_is_no_price_of_nothing(servers):
    key, _ = servers.make(usd_total=1.0)
    async with servers.gateway() as gateway:
        answer = await gateway.ask(key, "free")
        assert answer.status_code == 402
        assert "price" in answer.json()["error"]["message"]
        assert servers.experts[3].counts.started == 0


async def test_a_key_sees_and_asks_what_it_may_and_no_more(servers):
    aliases = {"fast": {"expert": "other"}, "jury": {"strategy": "voting", "experts": ["plain", "third"]}}
    key, _ = servers.make(models=["plain", "voting", "fast", "cascade"])
    async with servers.gateway(aliases=aliases, fallback_order=["breaks", "third", "plain"]) as gateway:
        listed = (await gateway.get(key, "/v1/models"))["data"]
        assert {entry["id"] for entry in listed} == {"plain", "voting", "fast", "cascade"}
        assert next(entry["experts"] for entry in listed if entry["id"] == "voting") == ["plain"]
        assert set((await gateway.get(key, "/v1/mixture/strategies"))["experts"]) == {"plain"}
        for model in ("other", "jury", "auto", "mixture/third", "nobody"):
            assert (await gateway.ask(key, model)).status_code == 404, model
            assert await gateway.get(key, f"/v1/models/{model}") == 404
        for model in ("plain", "mixture/plain", "fast", "voting", "cascade"):
            assert (await gateway.ask(key, model)).status_code == 200, model
        wished = await gateway.ask(key, "voting", mixture={"experts": ["plain", "other"]})
        assert (wished.status_code, wished.json()["error"]["param"]) == (400, "mixture.experts")
        assert [e.counts.started for e in servers.experts] == [4, 1, 0, 0, 0]


async def test_requests_a_minute_hold_over_all_gateways(servers, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000_050.0)
    key, _ = servers.make(requests_per_minute=7)
    async with servers.gateway() as one, servers.gateway() as two:
        answers = await asyncio.gather(*((one, two)[n % 2].ask(key) for n in range(20)))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (7, 13)
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert int(refused.headers["retry-after"]) == 30
        assert refused.headers["x-ratelimit-limit-requests"] == "7"
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        assert refused.headers["x-ratelimit-reset-requests"] == "30s"
        monkeypatch.setattr("time.time", lambda: 1_000_000_081.0)
        assert (await one.ask(key)).status_code == 200


async def test_tokens_a_minute_and_requests_at_once(servers, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000_050.0)
    key, _ = servers.make(tokens_per_minute=25)
    async with servers.gateway() as gateway:
        first = await gateway.ask(key)
        assert first.headers["x-ratelimit-limit-tokens"] == "25"
        statuses = [(await gateway.ask(key)).status_code for _ in range(6)]
        assert 429 in statuses
        assert statuses == sorted(statuses)


async def test_requests_at_once_hold_over_all_gateways(servers):
    key, _ = servers.make(concurrency=2)
    servers.experts[0].gate = gate = asyncio.Event()
    async with servers.gateway() as one, servers.gateway() as two:
        tasks = [asyncio.create_task((one, two)[n % 2].ask(key)) for n in range(6)]
        pending = set(tasks)
        while len(pending) > 2:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        gate.set()
        statuses = sorted([(await task).status_code for task in tasks])
        assert statuses == [200, 200, 429, 429, 429, 429]
        await two.until(key, 200)


async def test_without_the_ledger_the_owner_is_answered_and_a_budget_is_not_trusted(servers, monkeypatch):
    key, _ = servers.make(usd_total=1.0)
    async with servers.gateway(patience=0.3) as gateway:
        whole = servers.book.report

        async def gone(told):
            from mixture.errors import Overloaded

            raise Overloaded("gone")

        monkeypatch.setattr(servers.book, "report", gone)
        assert (await gateway.ask(KEY)).status_code == 200
        refused = await gateway.ask(key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger")
        monkeypatch.setattr(servers.book, "report", whole)
        assert len(await gateway.entered(KEY, 1)) == 1
