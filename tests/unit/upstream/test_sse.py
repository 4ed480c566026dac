"""Server-sent events, however their bytes come."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixture.upstream import sse
from mixture.upstream.sse import Decoder

line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12).map(str.encode)


def decoded(pieces: list[bytes]) -> list[bytes]:
    decoder = Decoder()
    return [data for piece in pieces for data in decoder.feed(piece)] + decoder.end()


@given(
    events=st.lists(st.lists(line, min_size=1, max_size=3), max_size=4),
    newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_where_the_bytes_are_cut_makes_no_difference(events, newline, cuts):
    sent = b"".join(
        b": hello" + newline + b"".join(b"data: " + part + newline for part in event) + b"id: 7" + newline + newline
        for event in events
    )
    places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    pieces = [sent[start:end] for start, end in itertools.pairwise(places)]
    assert decoded(pieces) == [b"\n".join(event) for event in events]


@pytest.mark.parametrize(
    ("sent", "data"),
    [
        (b"data: a\n\ndata: b", [b"a", b"b"]),
        (b"data: a\n\ndata: b\r", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"event: x\ndata: a\n\n", [b"a"]),
        (b"\n\n\n: only a comment\n\n", []),
        (b"data\n\n", []),
        (b"", []),
    ],
)
def test_lines_of_every_kind(sent, data):
    assert decoded([sent]) == data


def test_an_event_without_an_end_is_refused_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(sse, "MOST", 100)
    decoder = Decoder()
    decoder.feed(b"data: " + b"x" * 90)
    with pytest.raises(ValueError, match="does not end"):
        decoder.feed(b"x" * 10)
    decoder = Decoder()
    with pytest.raises(ValueError, match="does not end"):
        for _ in range(20):
            decoder.feed(b"data: 0123456789\n")
