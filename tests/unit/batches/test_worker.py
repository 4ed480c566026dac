import asyncio
import json
import os
import time
from dataclasses import replace

import pytest

from mixture.batches import Batches, Worker
from mixture.batches.requests import check
from mixture.config import BatchesConfig
from mixture.errors import InvalidQuery
from mixture.types import Caller

MINE = Caller("mine", "mine", frozenset({"small"}))
URL = "/v1/chat/completions"


def line(number, **more):
    return {"custom_id": f"r{number}", "method": "POST", "url": URL, "body": {"n": number}, **more}


def handed(batches, rows, owner="mine"):
    incoming = batches.files.incoming()
    incoming.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return batches.files.add(incoming, owner, "in.jsonl", "batch")


def started(tmp_path, rows):
    batches = Batches(tmp_path)
    return batches, batches.create(MINE, URL, handed(batches, rows).id, None)


class Upstream:
    """Answers with the number that was sent; refuses odd ones where told to, and answers `most_answers` at most."""

    def __init__(self, refuses=False, most_answers=None):
        self.asked, self.callers, self.most, self.running, self.refuses = [], set(), 0, 0, refuses
        self.most_answers = most_answers
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, path, body, caller):
        self.running += 1
        self.most = max(self.most, self.running)
        self.asked.append(body["n"])
        self.callers.add(caller)
        try:
            if self.most_answers is not None and len(self.asked) > self.most_answers:
                await asyncio.Event().wait()
            await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        refused = self.refuses and body["n"] % 2
        return (400 if refused else 200), f"req-{body['n']}", {"n": body["n"]}


async def worked(batches, upstream, until, live=lambda: 0.0, **config):
    worker = Worker(batches, BatchesConfig(**config), upstream, live)
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(20):
            while not until():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait([task])


def rows_of(batches, file_id):
    path = batches.files.path(batches.files.find(file_id, "mine"))
    return [json.loads(row) for row in path.read_text().splitlines()]


async def test_every_request_is_answered_once_and_sorted_by_how_it_went(tmp_path):
    batches, batch = started(tmp_path, [line(number) for number in range(30)])
    upstream = Upstream(refuses=True)
    await worked(batches, upstream, lambda: batches.find(batch.id, "mine").over, concurrency=4)
    found = batches.find(batch.id, "mine")
    assert (found.status, found.total, found.completed, found.failed) == ("completed", 30, 15, 15)
    right, wrong = rows_of(batches, found.output_file_id), rows_of(batches, found.error_file_id)
    assert sorted(row["custom_id"] for row in right) == sorted(f"r{n}" for n in range(0, 30, 2))
    assert {row["response"]["status_code"] for row in wrong} == {400}
    assert sorted(upstream.asked) == list(range(30))
    assert upstream.most <= 4
    assert upstream.callers == {MINE}
    assert list(found.times) == ["validating", "in_progress", "finalizing", "completed"]


async def test_what_was_left_is_taken_up_and_a_line_cut_off_is_asked_again(tmp_path):
    batches, batch = started(tmp_path, [line(number) for number in range(20)])
    first, output = Upstream(most_answers=8), batches.place(batch) / "output.jsonl"
    await worked(batches, first, lambda: output.exists() and output.read_bytes().count(b"\n") == 8, concurrency=2)
    data = output.read_bytes()
    kept = [json.loads(row)["custom_id"] for row in data.splitlines()]
    output.write_bytes(data[:-5])
    second = Upstream()
    await worked(Batches(tmp_path), second, lambda: batches.find(batch.id, "mine").over)
    found = batches.find(batch.id, "mine")
    names = [row["custom_id"] for row in rows_of(batches, found.output_file_id)]
    assert sorted(names) == sorted(f"r{n}" for n in range(20))
    assert not {f"r{n}" for n in second.asked} & set(kept[:-1])


async def test_a_batch_that_is_cancelled_gives_out_what_there_is(tmp_path):
    batches, batch = started(tmp_path, [line(number) for number in range(50)])
    upstream = Upstream()
    upstream.gate.clear()

    def until():
        if len(upstream.asked) == 2 and not batches.cancelled(batch):
            assert batches.cancel(batches.find(batch.id, "mine")).status == "cancelling"
            upstream.gate.set()
        return batches.find(batch.id, "mine").over

    await worked(batches, upstream, until, concurrency=2)
    found = batches.find(batch.id, "mine")
    assert found.status == "cancelled"
    assert len(rows_of(batches, found.output_file_id)) == found.completed < 50
    with pytest.raises(InvalidQuery, match="cancelled"):
        batches.cancel(found)


async def test_it_stands_still_while_live_traffic_needs_the_room(tmp_path):
    batches, batch = started(tmp_path, [line(number) for number in range(6)])
    upstream, busy = Upstream(), 0.9
    seen = []

    def until():
        nonlocal busy
        if batches.find(batch.id, "mine").status == "in_progress" and len(seen) < 20:
            seen.append(len(upstream.asked))
            busy = 0.9 if len(seen) < 20 else 0.25
        return batches.find(batch.id, "mine").over

    await worked(batches, upstream, until, lambda: busy, concurrency=4, busy=0.5)
    assert set(seen) == {0}
    assert upstream.most <= 2


async def test_what_is_not_asked_in_time_is_given_up(tmp_path):
    batches, batch = started(tmp_path, [line(number) for number in range(3)])
    batches.keep(replace(batch, times={"validating": int(time.time()) - 90_000}))
    await worked(batches, Upstream(), lambda: batches.find(batch.id, "mine").over)
    found = batches.find(batch.id, "mine")
    assert found.status == "expired"
    assert {row["error"]["code"] for row in rows_of(batches, found.error_file_id)} == {"batch_expired"}


async def test_a_request_that_is_to_come_back_later_does(tmp_path, monkeypatch):
    monkeypatch.setattr("mixture.batches.worker.WAITS", (0.01, 0.01))
    batches, batch = started(tmp_path, [line(number) for number in range(4)])
    upstream, told = Upstream(), set()

    async def ask(path, body, caller):
        status, request_id, answer = await upstream(path, body, caller)
        first = body["n"] not in told
        told.add(body["n"])
        return (429 if first else status), request_id, answer

    await worked(batches, ask, lambda: batches.find(batch.id, "mine").over)
    assert batches.find(batch.id, "mine").completed == 4
    assert len(upstream.asked) == 8


async def test_two_workers_do_not_ask_twice(tmp_path):
    batches, batch = started(tmp_path, [line(number) for number in range(40)])
    upstream = Upstream()
    other = asyncio.create_task(Worker(batches, BatchesConfig(), upstream, lambda: 0.0).run())
    await worked(Batches(tmp_path), upstream, lambda: batches.find(batch.id, "mine").over)
    other.cancel()
    await asyncio.wait([other])
    assert sorted(upstream.asked) == list(range(40))


async def test_a_file_with_faults_fails_the_batch_and_names_them(tmp_path):
    rows = [line(1), "{not json", line(1), line(2, method="GET"), line(3, body={"stream": True}), line(4, url="/x")]
    batches, batch = started(tmp_path, rows)
    upstream = Upstream()
    await worked(batches, upstream, lambda: batches.find(batch.id, "mine").over)
    found = batches.find(batch.id, "mine")
    assert found.status == "failed"
    assert [(fault["line"], fault["code"]) for fault in found.errors] == [
        (2, "invalid_json_line"),
        (3, "duplicate_custom_id"),
        (4, "invalid_method"),
        (5, "invalid_body"),
        (6, "invalid_url"),
    ]
    assert upstream.asked == []


def test_an_empty_and_a_long_file(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("\n\n")
    assert check(path, URL, 5)[1][0].code == "empty_file"
    path.write_text("\n".join(json.dumps(line(number)) for number in range(9)))
    assert check(path, URL, 5)[1][-1].code == "too_many_requests"


async def test_an_input_that_is_gone_fails_the_batch(tmp_path):
    batches, batch = started(tmp_path, [line(1)])
    batches.files.remove(batches.files.find(batch.input_file_id, "mine"))
    await worked(batches, Upstream(), lambda: batches.find(batch.id, "mine").over)
    assert batches.find(batch.id, "mine").errors[0]["code"] == "file_not_found"


def test_what_is_old_is_removed(tmp_path):
    batches, batch = started(tmp_path, [line(1)])
    batches.expire(time.time() + 10)
    assert batches.find(batch.id, "mine").id == batch.id  # it is not over
    batches.keep(batch.became("cancelled"))
    incoming = batches.files.incoming()
    incoming.write_text("half")
    os.utime(incoming, (1, 1))
    batches.expire(time.time() + 10)
    batches.files.expire(time.time() + 10)
    assert batches.all("mine") == []
    assert batches.files.all("mine") == []
    assert not incoming.exists()
