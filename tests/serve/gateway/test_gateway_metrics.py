"""`/metrics`: the sums of all gateways, in Prometheus' format."""

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.ledger import LedgerActor
from deployments.http.app import create_app
from mixture.counters import COUNTERS, Counters
from mixture.errors import Overloaded
from mixture.providers.scripted import scripted
from mixture.types import Price
from tests.serve.gateway.inprocess import KEY, config_of, listening, mixture_of

ASK = {"model": "plain", "messages": [{"role": "user", "content": "one two three"}]}
HEADERS = {"authorization": f"Bearer {KEY}"}


def app(teller=None, **server):
    experts = [scripted("plain", "the answer", price=Price(1.0, 2.0)), scripted("free", "of a price")]
    config = config_of(experts, server={"log": "off", **server})
    return create_app(mixture_of(experts, config), None, config.server, [KEY], teller=teller)


async def scraped(http, **headers):
    answer = await http.get("/metrics", headers=headers or HEADERS)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


@pytest.fixture(autouse=True)
def nothing_counted(monkeypatch):
    for name in COUNTERS.sums:
        monkeypatch.setitem(COUNTERS.sums, name, {})


async def test_requests_calls_tokens_and_costs_are_counted():
    async with listening(app(LedgerActor())) as url, httpx2.AsyncClient(base_url=url, headers=HEADERS) as http:
        for model in ("plain", "free", "nobody"):
            await http.post("/v1/chat/completions", json={**ASK, "model": model})
        sums = await scraped(http)
    assert sums["mixture_requests_total", ("outcome", "ok"), ("strategy", "expert")] == 2
    assert sums["mixture_requests_total", ("outcome", "not_found"), ("strategy", "none")] == 1
    assert sums["mixture_upstream_requests_total", ("expert", "plain"), ("outcome", "ok")] == 1
    assert sums["mixture_tokens_total", ("expert", "plain"), ("kind", "prompt")] == 3
    assert sums["mixture_tokens_total", ("expert", "plain"), ("kind", "completion")] == 2
    assert sums["mixture_cost_usd_total", ("expert", "plain")] == pytest.approx(7e-6)
    assert ("mixture_cost_usd_total", ("expert", "free")) not in sums
    assert sums["mixture_unpriced_total", ("expert", "free")] == 1
    assert sums["mixture_overhead_seconds_count",] == sums["mixture_overhead_seconds_bucket", ("le", "+Inf")] == 2


async def test_any_gateway_tells_the_sums_of_all():
    ledger, elsewhere = LedgerActor(), Counters()
    elsewhere.count("mixture_cache_total", 5, kind="exact", outcome="hit")
    await ledger.tell("another gateway", elsewhere.copy())
    async with listening(app(ledger)) as url, httpx2.AsyncClient(base_url=url) as http:
        sums = await scraped(http)
    assert sums["mixture_cache_total", ("kind", "exact"), ("outcome", "hit")] == 5


class Gone:
    async def tell(self, who, sums):
        raise Overloaded("the ledger is not available at the moment")


async def test_without_the_ledger_it_tells_its_own():
    async with listening(app(Gone())) as url, httpx2.AsyncClient(base_url=url, headers=HEADERS) as http:
        await http.post("/v1/chat/completions", json=ASK)
        assert (await scraped(http))["mixture_requests_total", ("outcome", "ok"), ("strategy", "expert")] == 1


async def test_it_wants_a_key_unless_it_is_opened():
    async with listening(app()) as url, httpx2.AsyncClient(base_url=url) as http:
        assert (await http.get("/metrics")).status_code == 401
    async with listening(app(open_metrics=True)) as url, httpx2.AsyncClient(base_url=url) as http:
        assert (await http.get("/metrics")).status_code == 200
