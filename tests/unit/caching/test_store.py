"""Entries in memory: bounds, ages, and what goes first."""

import pytest

from mixture.caching.store import OVERHEAD, Store


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def put(store, owner, name, size=1_000, created=1_000.0):
    return store.put(owner, name.encode(), b"x" * (size - OVERHEAD - len(owner)), created)


def names(store, owner, *wanted):
    return [name for name in wanted if store.get(owner, name.encode()) is not None]


def test_it_stays_within_its_bytes_however_much_is_put_in(clock):
    store = Store(100_000, 0.5, 60.0, clock)
    for number in range(5_000):
        put(store, f"owner-{number % 7}", f"key-{number}", 500 + number % 900)
        assert store.bytes <= 100_000
    assert store.bytes > 90_000
    assert store.evicted > 4_000
    held = [store.held(f"owner-{number}") for number in range(7)]
    assert sum(size for _, size in held) == store.bytes
    assert sum(entries for entries, _ in held) == len(store)


def test_one_owner_has_its_share_and_leaves_the_others_theirs(clock):
    store = Store(100_000, 0.5, 60.0, clock)
    for number in range(10):
        put(store, "quiet", f"q{number}")
    for number in range(1_000):
        put(store, "loud", f"l{number}")
    assert store.held("loud")[1] <= 50_000
    assert store.held("quiet") == (10, 10_000)


def test_what_was_asked_for_again_outlives_a_flood(clock):
    store = Store(10_000, 1.0, 60.0, clock)
    put(store, "me", "wanted")
    store.get("me", b"wanted")
    for number in range(100):
        put(store, "me", f"flood-{number}")
    assert names(store, "me", "wanted", "flood-0", "flood-99") == ["wanted", "flood-99"]


def test_ages(clock):
    store = Store(100_000, 1.0, 60.0, clock)
    put(store, "me", "a")
    clock.now += 30
    assert store.get("me", b"a", max_age=10) is None
    assert store.get("me", b"a", max_age=40) is not None
    clock.now += 31
    assert store.get("me", b"a") is None
    assert (store.bytes, len(store)) == (0, 0)


def test_what_is_too_large_is_not_kept_and_what_is_put_again_takes_the_older_s_place(clock):
    store = Store(100_000, 0.1, 60.0, clock)
    assert put(store, "me", "large", 10_001) is None
    put(store, "me", "a", 4_000)
    put(store, "me", "a", 5_000)
    assert (store.bytes, len(store)) == (5_000, 1)


def test_an_owner_s_entries_are_cleared_and_say_so(clock):
    store = Store(100_000, 1.0, 60.0, clock)
    gone = []
    put(store, "me", "a").on_drop.append(lambda: gone.append("a"))
    put(store, "you", "b").on_drop.append(lambda: gone.append("b"))
    assert (store.clear("me"), store.clear("me"), gone) == (1, 0, ["a"])
    assert store.get("you", b"b") is not None


def test_what_grows_is_counted_and_may_have_to_go(clock):
    store = Store(10_000, 1.0, 60.0, clock)
    slot = put(store, "me", "a", 4_000)
    assert store.grow(slot, 1_000)
    assert store.bytes == 5_000
    assert not store.grow(slot, 6_000)
    assert (store.bytes, store.get("me", b"a")) == (0, None)
    assert not store.grow(slot, 1)
