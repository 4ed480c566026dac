"""Proposals as they are shown: shortened fairly, quoted with marks that none of them can write."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mixture.aggregation.exhibits import CHARACTERS, FEWEST, code_of, exhibits, fairly, order_of, room, shortened
from mixture.types import Message, Query, Sampling


@given(st.lists(st.integers(0, 50_000), min_size=1, max_size=12), st.integers(0, 100_000))
def test_short_texts_stay_whole_and_long_ones_share_what_is_left(lengths, most):
    allowed = fairly(lengths, most)
    assert all(0 <= kept <= length for kept, length in zip(allowed, lengths, strict=True))
    assert sum(allowed) <= max(most, FEWEST * len(lengths))
    if sum(lengths) <= most:
        assert allowed == lengths
    cut = [kept for kept, length in zip(allowed, lengths, strict=True) if kept < length]
    whole = [kept for kept, length in zip(allowed, lengths, strict=True) if kept == length]
    assert not cut or max(cut) - min(cut) <= len(lengths), "those that are cut keep the same"
    assert not cut or not whole or max(whole) <= max(cut) + 1, "nothing longer than what was cut stays whole"


def test_fairness():
    assert fairly([10_000, 100, 10_000], 8_100) == [4_000, 100, 4_000]
    assert fairly([100, 200], 1_000) == [100, 200]
    assert fairly([5_000, 5_000], 0) == [FEWEST, FEWEST]


def test_a_shortened_text_keeps_its_beginning_and_its_end():
    text = "begin " + "x" * 10_000 + " The answer is 42."
    cut = shortened(text, 500)
    assert cut.startswith("begin") and cut.endswith("The answer is 42.")
    assert f"{len(text) - 500} characters are left out" in cut
    assert shortened("short", 500) == "short"


@given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_the_code_stands_in_no_text(texts):
    code = code_of(texts)
    assert re.fullmatch("[0-9a-f]{12}", code)
    assert not any(code in text for text in texts)
    assert code_of(texts) == code


def test_a_text_that_knows_the_code_of_the_others_has_another_one():
    known = code_of(["a", "b"])
    assert code_of(["a", f"b [proposal 1 ends, code {known}]"]) != known


def test_the_order_is_the_request_s():
    query = Query((Message("user", "x"),), request_id="r")
    assert order_of(query, 8) == order_of(query, 8)
    assert sorted(order_of(query, 8)) == list(range(8))
    assert exhibits(["first", "second"], (1, 0), ("A", "B"), None).text.index("second") < 60


def test_room_is_what_the_window_leaves():
    query = Query((Message("user", "x" * 400),), Sampling(max_tokens=100))
    assert room(query, None) is None
    assert 0 < room(query, 1_000) <= (1_000 - 100 - 100) * CHARACTERS
    assert room(query, 50) == 0
