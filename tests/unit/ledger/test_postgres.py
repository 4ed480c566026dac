"""The ledger on a real PostgreSQL: migrations by several at once, budgets under load, a killed connection."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from benchmarks.postgres import binaries, postgres
from mixture.config import LedgerConfig
from mixture.ledger import Book, Limits, Recorder, keys, store
from mixture.ledger.database import connect
from mixture.ledger.reports import Told
from mixture.ledger.tables import CALLS, KEYS, LEASES
from mixture.metering import Meter
from mixture.types import Call, Caller, ExpertCard, Message, Price, Query, Usage
from tests.unit.ledger.test_store import entry, spent

pytestmark = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def url():
    with postgres() as url:
        yield url


@pytest.fixture
def engine(url):
    engine = connect(url)
    with engine.begin() as connection:
        for table in (CALLS, KEYS, LEASES):
            connection.execute(table.delete())
        connection.execute(text("DELETE FROM spending"))
        connection.execute(text("DELETE FROM holders"))
    yield engine
    engine.dispose()


def test_several_may_bring_the_tables_up_to_date_at_once(url):
    with ThreadPoolExecutor(4) as pool:
        for engine in pool.map(connect, [url] * 4):
            assert store.total(engine) >= 0
            engine.dispose()


def test_calls_are_entered_once_and_ends_count_before_unknown(engine):
    store.enter(engine, Told("dead", 0, (entry(1, cost=1.0, outcome="unknown"), entry(2)), over=True))
    for number in (1, 2):
        store.enter(engine, Told("dead", number, (entry(1), entry(2))))
    assert (store.total(engine), spent(engine)) == (2, 0.5)


def test_two_ledgers_on_one_database_lease_no_dollar_twice(engine, url):
    _, key = keys.create(engine, "k", limits=Limits(usd_per_day=1.0))

    def lease(number):
        other = connect(url)
        grants, _ = store.enter(other, Told(f"g{number}", 1, wants={key.id: 0.3}))
        other.dispose()
        return grants[key.id].usd

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(lease, range(6))) == pytest.approx(1.0)


async def test_a_database_that_breaks_the_connection_loses_no_call(engine, url, tmp_path):
    book = Book(url)
    recorder = Recorder(book, tmp_path, LedgerConfig())
    card = ExpertCard("a", "openai", "m", price=Price(1.0, 1.0))
    query, meter = Query((Message("user", "hello"),)), Meter(caller=Caller("someone"))
    for number in range(30):
        begun = recorder.begin(card, query, meter, None)
        recorder.end(begun, Call("a", "answer", Usage(3, 4), 7e-6, 1.0, "ok"), 7e-6)
        if number % 10 == 5:
            await asyncio.sleep(0.15)
            with engine.begin() as connection:
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                connection.execute(text(f"{others} AND backend_type = 'client backend'"))
    async with asyncio.timeout(30):
        while store.total(engine) < 30:
            await recorder.report()
    await recorder.close()
    book.close()
    with engine.connect() as connection:
        tokens = select(func.sum(CALLS.c.prompt_tokens + CALLS.c.completion_tokens))
        assert connection.scalar(tokens) == 30 * 7
