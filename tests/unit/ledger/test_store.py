"""The store: each call once, sums that agree, budgets that are never leased twice."""

import time

import pytest
from sqlalchemy import func, select

from mixture.errors import InvalidQuery
from mixture.ledger import Limits, keys, store
from mixture.ledger.entries import Entry
from mixture.ledger.reports import Told
from mixture.ledger.tables import CALLS, LEASES, SPENDING
from mixture.ledger.usage import checked, usage
from mixture.types import Call, Usage


def entry(number, caller="me", cost=0.25, outcome="ok", at=None, **more):
    at = time.time() if at is None else at
    more = {"expert": "a", "strategy": "expert", **more}
    return Entry(f"c-{number}", at, f"r-{number}", 1, caller, model="m", purpose="answer", cost_usd=cost,
                 outcome=outcome, prompt_tokens=3, completion_tokens=2, **more)  # fmt: skip


def scalar(engine, wanted):
    with engine.connect() as connection:
        return connection.scalar(wanted)


def spent(engine):
    return scalar(engine, select(func.sum(SPENDING.c.usd)))


def test_a_call_is_entered_once(engine):
    for number in (1, 2, 2):
        store.enter(engine, Told("gateway", number, (entry(1), entry(2))))
    assert (store.total(engine), spent(engine)) == (2, 0.5)


def test_an_end_takes_the_place_of_an_unknown_one_and_never_the_other_way(engine):
    store.enter(engine, Told("dead", 0, (entry(1, cost=1.0, outcome="unknown"),), over=True))
    assert spent(engine) == 1.0
    store.enter(engine, Told("dead", 1, (entry(1),)))
    store.enter(engine, Told("dead", 0, (entry(1, cost=1.0, outcome="unknown"),), over=True))
    assert spent(engine) == 0.25
    assert scalar(engine, select(CALLS.c.outcome)) == "ok"


def test_a_budget_is_leased_to_its_end_and_no_further(engine):
    _, key = keys.create(engine, "k", limits=Limits(usd_per_day=1.0))
    one, _ = store.enter(engine, Told("one", 1, wants={key.id: 0.6}))
    two, _ = store.enter(engine, Told("two", 1, wants={key.id: 0.6}))
    assert (one[key.id].usd, one[key.id].left) == (0.6, 1.0)
    assert two[key.id].usd == pytest.approx(0.4)
    assert two[key.id].elsewhere == pytest.approx(0.6)
    store.enter(engine, Told("one", 2, (entry(1, key.id, 0.1),), leases={key.id: 0.0}))
    again, _ = store.enter(engine, Told("two", 2, wants={key.id: 0.7}))
    assert again[key.id].usd == pytest.approx(0.5)
    assert again[key.id].left == pytest.approx(0.9)


def test_a_part_that_serves_nobody_is_not_leased(engine):
    _, key = keys.create(engine, "k", limits=Limits(usd_per_day=1.0))
    store.enter(engine, Told("one", 1, wants={key.id: 0.6}))
    two, _ = store.enter(engine, Told("two", 1, wants={key.id: 1.2}, least={key.id: 0.6}))
    assert (two[key.id].usd, two[key.id].elsewhere) == (0.0, pytest.approx(0.6))
    store.enter(engine, Told("one", 2, (entry(1, key.id, 0.1),), leases={key.id: 0.0}))
    again, _ = store.enter(engine, Told("two", 2, wants={key.id: 1.2}, least={key.id: 0.6}))
    assert again[key.id].usd == pytest.approx(0.9)


def test_a_report_that_comes_late_takes_nothing_back(engine):
    _, key = keys.create(engine, "k", limits=Limits(usd_total=1.0))
    store.enter(engine, Told("one", 5, wants={key.id: 0.5}))
    store.enter(engine, Told("one", 4, leases={key.id: 0.0}))
    assert scalar(engine, select(LEASES.c.usd)) == 0.5


def test_what_a_gateway_that_is_gone_held_is_free(engine):
    _, key = keys.create(engine, "k", limits=Limits(usd_per_month=1.0))
    store.enter(engine, Told("one", 1, wants={key.id: 1.0}))
    store.enter(engine, Told("one", 0, (entry(1, key.id, 0.3, "unknown"),), over=True))
    found, _ = store.enter(engine, Told("two", 1, wants={key.id: 1.0}))
    assert found[key.id].usd == pytest.approx(0.7)


def test_what_a_lost_gateway_held_counts_as_spent(engine, monkeypatch):
    _, key = keys.create(engine, "k", limits=Limits(usd_total=1.0))
    store.enter(engine, Told("lost", 1, wants={key.id: 0.75}))
    monkeypatch.setattr(store, "LOST", -1.0)
    found, _ = store.enter(engine, Told("two", 1, wants={key.id: 1.0}))
    assert (found[key.id].usd, spent(engine)) == (0.25, 0.75)


def test_budgets_of_a_day_begin_anew(engine):
    _, key = keys.create(engine, "k", limits=Limits(usd_per_day=1.0, usd_total=3.0))
    yesterday = time.time() - 86_400
    store.enter(engine, Told("one", 1, (entry(1, key.id, 1.0, at=yesterday), entry(2, key.id, 0.5))))
    found, _ = store.enter(engine, Told("one", 2, wants={key.id: 9.0}))
    assert (found[key.id].usd, found[key.id].limit) == (0.5, "day")


def test_usage_is_summed_up_by_what_is_asked_for(engine):
    _, key = keys.create(engine, "alice")
    day = store.day_of(time.time())
    entries = (entry(1, key.id), entry(2, key.id, None, expert="b", estimated=False), entry(3, "other"))
    store.enter(engine, Told("one", 1, entries))
    rows = usage(engine, None, ("key", "expert"), day, day)
    assert {(row["name"], row["expert"], row["calls"], row["cost_usd"], row["unpriced"]) for row in rows} == {
        ("alice", "a", 1, 0.25, 0),
        ("alice", "b", 1, 0.0, 1),
        ("other", "a", 1, 0.25, 0),
    }
    (mine,) = usage(engine, key.id, (), None, None)
    assert (mine["calls"], mine["prompt_tokens"], mine["estimated"]) == (2, 6, 1)
    assert usage(engine, None, ("day",), "2999-01-01", None) == []


@pytest.mark.parametrize(
    ("by", "since", "param"), [(("planet",), None, "by"), ((), "yesterday", "since"), ((), "2026-02-30", "since")]
)
def test_what_can_t_be_asked_for_is_named(by, since, param):
    with pytest.raises(InvalidQuery) as caught:
        checked(by, since, None)
    assert caught.value.param == param


def test_keys_are_kept_by_digest_alone(engine, url):
    key, made = keys.create(engine, "k", models=["a"], limits=Limits(concurrency=2))
    assert key.startswith("mx-")
    assert made.digest == keys.digest_of(key)
    engine.dispose()
    assert key.encode() not in b"".join(
        p.read_bytes() for p in __import__("pathlib").Path(url[10:]).parent.glob("*db*")
    )
    (listed,) = keys.listed(engine)
    assert (listed[0], listed[1:]) == (made, (0.0, 0.0, 0.0))


def test_a_key_is_revoked_by_its_id_or_its_name(engine):
    _, one = keys.create(engine, "one")
    _, two = keys.create(engine, "two")
    assert keys.revoke(engine, "one").id == one.id
    assert keys.revoke(engine, two.id[:6]).revoked is not None
    with pytest.raises(InvalidQuery, match="no key that holds"):
        keys.revoke(engine, "one")
    found, _ = store.enter(engine, Told("g", 1, wants={one.id: 1.0}))
    assert found[one.id].usd == 0.0


def test_an_ended_call_says_what_the_upstream_said(engine):
    call = Call("a", "answer", Usage(30, 20, 10, 0, 5), 0.5, 12.0, "error", "stream_broken", 3.0)
    ended = entry(1).ended(call, 0.5)
    assert (ended.prompt_tokens, ended.cached_tokens, ended.reasoning_tokens, ended.estimated) == (30, 10, 5, False)
    assert (ended.outcome, ended.error, ended.latency_ms, ended.ttft_ms) == ("error", "stream_broken", 12.0, 3.0)
