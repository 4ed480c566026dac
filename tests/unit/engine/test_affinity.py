"""Which replica has seen the beginning of a request."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace as Like

import pytest

from deployments.engine import direct
from deployments.engine.affinity import PrefixRouter, beginning, home, overloaded
from mixture.types import Message, Query, Sampling


def query(*texts, **more):
    roles = ("system", "user", "assistant", "user", "assistant", "user")
    return Query(tuple(Message(role, text) for role, text in zip(roles, texts, strict=False)), **more)


def test_a_conversation_keeps_its_key_and_another_has_its_own():
    first = beginning([query("be kind", "hello")])
    assert beginning([query("be kind", "hello", "hi", "and now?")]) == first
    assert beginning([query("be kind", "hello", sampling=Sampling(seed=3))]) == first
    assert beginning([query("be kind", "goodbye")]) != first
    assert beginning([query("be kind", "hello"), "adapter"]) != first
    assert beginning([3]) is None
    assert beginning([]) is None


def test_homes_are_spread_and_few_move_when_a_replica_comes():
    keys = [f"conversation {number}".encode() for number in range(3_000)]
    three = {key: home(key, ("a", "b", "c")) for key in keys}
    counts = Counter(three.values())
    assert min(counts.values()) > 900
    four = {key: home(key, ("d", "c", "b", "a")) for key in keys}
    moved = [key for key in keys if three[key] != four[key]]
    assert all(four[key] == "d" for key in moved)
    assert 600 < len(moved) < 900


@pytest.mark.parametrize(
    ("queues", "said"),
    [({"a": 0, "b": 0}, False), ({"a": 4, "b": 0}, False), ({"a": 5, "b": 0}, True), ({"a": 30, "b": 20}, False)],
)
def test_a_home_may_be_a_little_busier_than_the_rest(queues, said):
    assert overloaded("a", queues) is said


def router(places, **queues):
    """A router over replicas with so many requests, of which those in `places` can be reached."""
    made = object.__new__(PrefixRouter)
    ids = {name: type("Id", (), {"unique_id": name})() for name in queues}
    made._replicas = {one: Like(replica_id=one, max_ongoing_requests=8) for one in ids.values()}
    made._places = {ids[name]: direct.Place(name, "127.0.0.1", 1, b"") for name in places}
    made._replica_queue_len_cache = {ids[name]: length for name, length in queues.items()}
    made._unheard = {}
    return made


def test_a_query_is_sent_to_its_home_or_where_less_is_to_be_done():
    asked = (query("be kind", "hello"),)
    first = home(beginning(asked), ("a", "b"))
    other = {"a": "b", "b": "a"}[first]
    assert router("ab", a=0, b=0).pick(asked).replica == first
    assert router("ab", **{first: 7, other: 0}).pick(asked).replica == other
    assert router("ab", a=8, b=8).pick(asked) is None
    assert router("", a=0).pick(asked) is None
    assert router("a", a=0, b=0).pick(asked) is None
    assert router("").pick(asked) is None


def test_what_this_process_has_under_way_counts_before_serve_knows(monkeypatch):
    monkeypatch.setattr(direct, "OPEN", Counter(a=8))
    assert router("a", a=0).pick((query("hello"),)) is None
    assert router("ab", a=0, b=0).pick((query("hello"),)).replica == "b"
