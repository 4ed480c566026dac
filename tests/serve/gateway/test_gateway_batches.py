"""OpenAI's Batch API with OpenAI's own client."""

import asyncio
import io
import json

import openai
import pytest

from deployments.http.app import create_app
from mixture.batches import Batches
from mixture.providers.scripted import scripted
from tests.serve.gateway.inprocess import KEY, OTHER_KEY, Vectors, config_of, listening, mixture_of

URL = "/v1/chat/completions"


@pytest.fixture
async def server(tmp_path):
    experts = [scripted("plain", "hello there")]
    config = config_of(experts, batches={"max_file_bytes": 20_000, "concurrency": 4})
    app = create_app(mixture_of(experts, config), Vectors(), config.server, [KEY, OTHER_KEY], batches=Batches(tmp_path))
    async with listening(app) as url:
        yield url


def serving(folder, experts, server=None, **batches):
    """A server over these experts that keeps its batches in a folder."""
    config = config_of(experts, batches=batches, server={"log": "off", **(server or {})})
    return listening(create_app(mixture_of(experts, config), Vectors(), config.server, [KEY], batches=Batches(folder)))


async def begun(api, *models):
    sent = await api.files.create(file=("in.jsonl", lines(*models)), purpose="batch")
    return await api.batches.create(input_file_id=sent.id, endpoint=URL, completion_window="24h")


async def answered(api, batch):
    text = (await api.files.content(batch.output_file_id)).text
    return [json.loads(row)["custom_id"] for row in text.splitlines()]


def client(url, key=KEY):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def lines(*models, url=URL, **body):
    rows = [
        {
            "custom_id": f"r{number}",
            "method": "POST",
            "url": url,
            "body": {"model": model, "messages": [{"role": "user", "content": "hello"}], **body},
        }
        for number, model in enumerate(models)
    ]
    return io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())


async def finished(api, batch):
    async with asyncio.timeout(30):
        while True:
            found = await api.batches.retrieve(batch.id)
            if found.status in ("completed", "failed", "cancelled"):
                return found
            await asyncio.sleep(0.05)


async def test_a_batch_from_the_file_to_the_answers(server):
    async with client(server) as api:
        sent = await api.files.create(file=("in.jsonl", lines("plain", "plain", "nobody")), purpose="batch")
        batch = await api.batches.create(
            input_file_id=sent.id, endpoint=URL, completion_window="24h", metadata={"for": "test"}
        )
        assert (batch.object, batch.status, batch.metadata) == ("batch", "validating", {"for": "test"})
        found = await finished(api, batch)
        assert found.status == "completed"
        assert (found.request_counts.total, found.request_counts.completed, found.request_counts.failed) == (3, 2, 1)
        output = [json.loads(row) for row in (await api.files.content(found.output_file_id)).text.splitlines()]
        assert {row["custom_id"] for row in output} == {"r0", "r1"}
        body = output[0]["response"]["body"]
        assert body["choices"][0]["message"]["content"] == "hello there"
        assert body["mixture"]["strategy_executed"] == "expert"
        errors = [json.loads(row) for row in (await api.files.content(found.error_file_id)).text.splitlines()]
        assert errors[0]["response"]["status_code"] == 404
        assert errors[0]["response"]["body"]["error"]["param"] == "model"
        listed = [file.id async for file in api.files.list()]
        assert set(listed) == {sent.id, found.output_file_id, found.error_file_id}
        assert [one.id async for one in api.batches.list()] == [batch.id]
        assert (await api.files.delete(sent.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await api.files.retrieve(sent.id)
        with pytest.raises(openai.BadRequestError, match="completed"):
            await api.batches.cancel(batch.id)


async def test_a_batch_that_is_cancelled_ends_with_what_was_answered(tmp_path):
    gate = asyncio.Event()
    held = scripted("held", "at last", gate=gate)
    async with serving(tmp_path, [held], concurrency=2) as url, client(url) as api:
        batch = await begun(api, *["held"] * 10)
        await held.reached(started=2)
        assert (await api.batches.cancel(batch.id)).status == "cancelling"
        gate.set()
        found = await finished(api, batch)
        assert (found.status, held.counts.started, len(await answered(api, found))) == ("cancelled", 2, 2)
        assert found.cancelled_at


async def test_a_batch_goes_on_after_a_restart_and_asks_nothing_twice(tmp_path):
    first, second = scripted("plain", "hello", delay=0.05), scripted("plain", "hello again")
    async with serving(tmp_path, [first], concurrency=1) as url, client(url) as api:
        batch = await begun(api, *["plain"] * 12)
        await first.reached(finished=3)
    async with serving(tmp_path, [second]) as url, client(url) as api:
        found = await finished(api, batch)
        assert (found.status, found.request_counts.completed) == ("completed", 12)
        assert sorted(await answered(api, found)) == sorted(f"r{number}" for number in range(12))
        said = (await api.files.content(found.output_file_id)).text
    assert said.count("hello again") == second.counts.started <= 9


async def test_a_batch_stands_back_for_live_traffic(tmp_path):
    gate = asyncio.Event()
    held, plain = scripted("held", "at last", gate=gate), scripted("plain", "hello there")
    places = {"max_concurrent_requests": 4}
    async with serving(tmp_path, [held, plain], places, busy=0.5) as url, client(url) as api:
        message = [{"role": "user", "content": "hello"}]
        live = [asyncio.create_task(api.chat.completions.create(model="held", messages=message)) for _ in range(2)]
        await held.reached(started=2)
        batch = await begun(api, *["plain"] * 4)
        for _ in range(8):
            while (await api.batches.retrieve(batch.id)).status == "validating":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.05)
        assert plain.counts.started == 0
        gate.set()
        await asyncio.gather(*live)
        found = await finished(api, batch)
        assert (found.status, plain.counts.started) == ("completed", 4)


async def test_embeddings_in_a_batch(server):
    row = {
        "custom_id": "e",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "all-MiniLM-L6-v2", "input": "x"},
    }
    async with client(server) as api:
        sent = await api.files.create(file=("in.jsonl", json.dumps(row).encode()), purpose="batch")
        batch = await api.batches.create(input_file_id=sent.id, endpoint="/v1/embeddings", completion_window="24h")
        found = await finished(api, batch)
        assert found.request_counts.completed == 1


async def test_another_key_sees_nothing_of_it(server):
    async with client(server) as api, client(server, OTHER_KEY) as other:
        sent = await api.files.create(file=("in.jsonl", lines("plain")), purpose="batch")
        batch = await api.batches.create(input_file_id=sent.id, endpoint=URL, completion_window="24h")
        for call in (
            other.files.retrieve(sent.id),
            other.files.content(sent.id),
            other.files.delete(sent.id),
            other.batches.retrieve(batch.id),
            other.batches.cancel(batch.id),
            other.batches.create(input_file_id=sent.id, endpoint=URL, completion_window="24h"),
        ):
            with pytest.raises(openai.NotFoundError):
                await call
        assert [file.id async for file in other.files.list()] == []
        assert [one.id async for one in other.batches.list()] == []


async def test_what_is_wrong_is_named(server):
    async with client(server) as api:
        with pytest.raises(openai.BadRequestError, match="purpose"):
            await api.files.create(file=("in.jsonl", b"{}"), purpose="fine-tune")
        with pytest.raises(openai.APIStatusError) as large:
            await api.files.create(file=("in.jsonl", b"x" * 40_000), purpose="batch")
        assert large.value.status_code == 413
        sent = await api.files.create(file=("in.jsonl", lines("plain")), purpose="batch")
        with pytest.raises(openai.BadRequestError, match="endpoint"):
            await api.batches.create(input_file_id=sent.id, endpoint="/v1/responses", completion_window="24h")
        with pytest.raises(openai.BadRequestError, match="completion_window"):
            await api.batches.create(input_file_id=sent.id, endpoint=URL, completion_window="1h")
        with pytest.raises(openai.NotFoundError):
            await api.batches.create(input_file_id="file-../../x", endpoint=URL, completion_window="24h")
        with pytest.raises(openai.BadRequestError, match="file"):
            await api.post("/files", body={"x": 1}, cast_to=object)
        broken = await api.files.create(file=("in.jsonl", lines("plain", stream=True)), purpose="batch")
        batch = await api.batches.create(input_file_id=broken.id, endpoint=URL, completion_window="24h")
        found = await finished(api, batch)
        assert (found.status, found.errors.data[0].param) == ("failed", "body.stream")
    async with client(server, "wrong") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.files.list()
