"""What every expert that calls an upstream makes of what upstreams do: each failure, and its client's leaving."""

from __future__ import annotations

import asyncio
import email.utils
import pickle
import socket
import time
from dataclasses import replace

import pytest

from mixture import errors
from mixture.streams import chunks, complete
from tests.contract.conftest import closed
from tests.contract.dialects import data
from tests.contract.subjects import KEY, TEXTS, Place
from tests.contract.upstream import (
    STREAM_END,
    STREAM_HEAD,
    Upstream,
    Wire,
    chunked,
    response,
    sending,
    sending_then_cut,
    sending_then_silent,
    streamed,
)

MODES = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


async def failure(client, query) -> errors.MixtureError:
    """The error that an answer ends in, which every error must be: ours, ready for another process, without secrets."""
    with pytest.raises(errors.MixtureError) as caught:
        await complete(client, query)
    error = caught.value
    assert error.expert == "subject"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.details()) == (type(error), error.message, error.details())
    seen: BaseException | None = error
    while seen is not None:
        assert KEY not in f"{seen!r} {seen}"
        seen = seen.__cause__
    return error


@MODES
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidQuery),
        (413, errors.QueryTooLarge),
        (422, errors.InvalidQuery),
        (401, errors.ExpertUnavailable),
        (402, errors.ExpertUnavailable),
        (403, errors.ExpertUnavailable),
        (404, errors.ExpertUnavailable),
        (408, errors.ExpertTimeout),
        (429, errors.RateLimited),
        (500, errors.ExpertUnavailable),
        (502, errors.ExpertUnavailable),
        (503, errors.ExpertUnavailable),
        (504, errors.ExpertTimeout),
        (529, errors.ExpertUnavailable),
    ],
)
async def test_each_status_is_one_of_our_errors(client, remote, upstream, stream, status, kind):
    upstream.answers(remote.dialect.error(status, f"Because of {status}; your key is {KEY} or sk-ant-api03-AbC_d-123."))
    error = await failure(client, replace(remote.query, stream=stream))
    assert type(error) is kind
    assert "AbC" not in error.message
    refused = status in (401, 402, 403, 404)
    assert (f"Because of {status}" in error.message) == (not refused)
    assert (error.code == "upstream_refused") == refused


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "1.5"}, 1.5, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25, 0.25),
        ({"retry-after": 3600}, 3000, 3600),
        ({"retry-after": -3600}, 0, 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_says_how_long_to_wait(client, remote, upstream, status, headers, least, most):
    said = {name: value if isinstance(value, str) else date_in(value) for name, value in headers.items()}
    upstream.answers(remote.dialect.error(status, "Slow down", said))
    error = await failure(client, remote.query)
    assert least <= error.retry_after <= most


def date_in(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf"])
async def test_a_senseless_wait_is_none(client, remote, upstream, value):
    upstream.answers(remote.dialect.error(429, "Slow down", {"retry-after": value}))
    assert (await failure(client, remote.query)).retry_after is None


@MODES
async def test_a_context_that_is_too_long_is_told_apart(client, remote, upstream, stream):
    upstream.answers(remote.dialect.overflow())
    error = await failure(client, replace(remote.query, stream=stream))
    assert type(error) is errors.InvalidQuery
    assert (error.code, error.param) == ("context_length_exceeded", "messages")


@pytest.mark.parametrize(
    "body", [b"<html>Bad gateway</html>", b"", b"null", b'"no"', b"[1]", b'{"error": null}', b'{"error": "no"}']
)
async def test_an_error_without_the_usual_body_is_still_one(client, remote, upstream, body):
    upstream.answers(response(body, 502))
    assert type(await failure(client, remote.query)) is errors.ExpertUnavailable


@MODES
@pytest.mark.parametrize(
    "body", [b"<html>Welcome</html>", b"", b"null", b"{}", b"[]", b'{"choices": [], "content": 5}']
)
async def test_an_answer_that_is_none_is_an_error(client, remote, upstream, stream, body):
    upstream.answers(response(body, 200))
    assert type(await failure(client, replace(remote.query, stream=stream))) is errors.ExpertUnavailable


async def test_a_redirect_is_not_followed(client, remote, upstream):
    upstream.answers(response(b"", 307, {"location": "http://127.0.0.1:9/elsewhere"}))
    error = await failure(client, remote.query)
    assert type(error) is errors.ExpertUnavailable
    assert "redirect" in error.message


@MODES
async def test_nobody_listens(remote, tmp_path, stream):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = Upstream()
        nowhere.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        client = remote.make(Place(nowhere, tmp_path))
        error = await failure(client, replace(remote.query, stream=stream))
    assert type(error) is errors.ExpertUnavailable
    await closed(client)


@MODES
async def test_silence_is_a_timeout(remote, place, stream):
    client = remote.make(place, timeout=0.05)
    place.upstream.answers(sending_then_silent())
    assert type(await failure(client, replace(remote.query, stream=stream))) is errors.ExpertTimeout
    await closed(client)


async def test_silence_after_the_first_token_breaks_the_stream(remote, place):
    client = remote.make(place, timeout=0.05)
    events = remote.dialect.pieces(TEXTS)[: remote.dialect.begun + 1]
    place.upstream.answers(sending_then_silent(STREAM_HEAD, *map(chunked, events)))
    assert type(await failure(client, replace(remote.query, stream=True))) is errors.StreamBroken
    await place.upstream.wires[0].gone.wait()
    await closed(client)


@MODES
async def test_cut_before_anything_was_said(client, remote, upstream, stream):
    upstream.answers(sending_then_cut())
    assert type(await failure(client, replace(remote.query, stream=stream))) is errors.ExpertUnavailable


async def test_cut_inside_a_whole_answer(client, remote, upstream):
    upstream.answers(sending_then_cut(remote.dialect.whole("Hello")[:-10]))
    assert type(await failure(client, remote.query)) is errors.ExpertUnavailable


@pytest.mark.parametrize("end", ["cut", "closed"])
@pytest.mark.parametrize(("said", "kind"), [(0, errors.ExpertUnavailable), (2, errors.StreamBroken)])
async def test_a_stream_without_its_end(client, remote, upstream, end, said, kind):
    events = remote.dialect.pieces(TEXTS)[: remote.dialect.begun + said]
    pieces = [STREAM_HEAD, *map(chunked, events)]
    upstream.answers(sending_then_cut(*pieces) if end == "cut" else sending(*pieces, STREAM_END))
    stream = chunks(client, replace(remote.query, stream=True))
    texts = []
    with pytest.raises(errors.ExpertUnavailable) as caught:
        async for chunk in stream:
            texts.append(chunk.text)
    # A cut may overtake what was sent before it: what counts is that nothing is lost silently.
    assert texts == list(TEXTS[: len(texts)])
    assert type(caught.value) is (errors.StreamBroken if texts else errors.ExpertUnavailable)
    if end == "closed":
        assert (len(texts), type(caught.value)) == (said, kind)


@pytest.mark.parametrize(("said", "kind"), [(0, errors.ExpertUnavailable), (2, errors.StreamBroken)])
async def test_an_error_in_the_stream(client, remote, upstream, said, kind):
    events = [*remote.dialect.pieces(TEXTS)[: remote.dialect.begun + said], remote.dialect.late_error()]
    upstream.answers(sending(*streamed(events)))
    assert type(await failure(client, replace(remote.query, stream=True))) is kind


@pytest.mark.parametrize(("said", "kind"), [(0, errors.ExpertUnavailable), (2, errors.StreamBroken)])
async def test_an_event_that_is_no_json(client, remote, upstream, said, kind):
    events = [*remote.dialect.pieces(TEXTS)[: remote.dialect.begun + said], b"data: {nonsense\n\n"]
    upstream.answers(sending(*streamed(events)))
    assert type(await failure(client, replace(remote.query, stream=True))) is kind


async def test_frames_may_be_cut_anywhere(client, remote, upstream):
    events = b": a comment\n\n" + b"".join(remote.dialect.pieces(TEXTS)).replace(b"\n", b"\r\n")
    upstream.answers(sending(STREAM_HEAD, *(chunked(events[i : i + 7]) for i in range(0, len(events), 7)), STREAM_END))
    completion = await complete(client, replace(remote.query, stream=True))
    assert completion.text == "".join(TEXTS)
    assert completion.usage == remote.dialect.usage


async def test_the_last_empty_line_may_be_missing(client, remote, upstream):
    events = b"".join(remote.dialect.pieces(TEXTS)).rstrip()
    upstream.answers(sending(STREAM_HEAD, chunked(events), STREAM_END))
    assert (await complete(client, replace(remote.query, stream=True))).text == "".join(TEXTS)


async def test_an_upstream_that_does_not_stream_is_read_whole(client, remote, upstream):
    upstream.answers(remote.dialect.whole("All at once"))
    assert (await complete(client, replace(remote.query, stream=True))).text == "All at once"


async def test_leaving_stops_the_upstream(client, remote, upstream):
    events = remote.dialect.pieces(TEXTS)[: remote.dialect.begun + 1]
    upstream.answers(sending_then_silent(STREAM_HEAD, *map(chunked, events)))
    stream = chunks(client, replace(remote.query, stream=True))
    assert (await anext(stream)).text == TEXTS[0]
    await stream.aclose()
    await upstream.wires[0].gone.wait()


@MODES
async def test_cancelling_stops_the_upstream(client, remote, upstream, stream):
    upstream.answers(sending_then_silent())
    task = asyncio.ensure_future(complete(client, replace(remote.query, stream=stream)))
    await upstream.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.wires[0].gone.wait()


@MODES
async def test_connections_are_used_again(client, remote, upstream, stream):
    for _ in range(3):
        await complete(client, replace(remote.query, stream=stream))
    assert (len(upstream.requests), len(upstream.connections)) == (3, 1)


async def test_a_connection_whose_stream_ends_late_is_used_again(client, remote, upstream):
    finished = asyncio.Event()

    async def late(wire: Wire) -> None:
        await wire.send(*streamed(remote.dialect.pieces(TEXTS))[:-1])
        await finished.wait()
        await wire.send(STREAM_END)

    upstream.answers(late)
    for _ in range(2):
        finished.clear()
        async for chunk in chunks(client, replace(remote.query, stream=True)):
            if chunk.finish_reason:
                finished.set()
    assert (len(upstream.requests), len(upstream.connections)) == (2, 1)


async def test_the_key_goes_along_and_nothing_of_the_environment(client, remote, upstream, monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "of-someone-else")
    await complete(client, remote.query)
    request = upstream.requests[-1]
    assert request.path == remote.dialect.path
    assert KEY in request.headers["authorization"]
    assert "of-someone-else" not in str(request.headers)


async def test_text_that_is_no_unicode_is_refused_before_it_is_sent(client, remote, upstream):
    query = replace(remote.query, messages=(replace(remote.query.messages[0], content="\ud800"),))
    error = await failure(client, query)
    assert (type(error), error.param, upstream.requests) == (errors.InvalidQuery, "messages", [])


async def test_comments_keep_a_stream_alive_and_say_nothing(client, remote, upstream):
    events = [b": OPENROUTER PROCESSING\n\n"] * 3 + remote.dialect.pieces(TEXTS)
    upstream.answers(sending(*streamed(events)))
    assert (await complete(client, replace(remote.query, stream=True))).text == "".join(TEXTS)


async def test_events_of_unknown_kinds_are_passed_over(client, remote, upstream):
    events = remote.dialect.pieces(TEXTS)
    events.insert(2, data({"type": "news", "object": "news", "choices": []}))
    upstream.answers(sending(*streamed(events)))
    assert (await complete(client, replace(remote.query, stream=True))).text == "".join(TEXTS)
