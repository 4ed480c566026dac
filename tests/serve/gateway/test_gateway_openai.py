"""The official openai client, unpatched, against a running server."""

import asyncio

import openai as sdk
import pytest

ASK = [{"role": "user", "content": "What is six times seven?"}]
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
]


async def test_plain(openai):
    raw = await openai.chat.completions.with_raw_response.create(model="plain", messages=ASK)
    answer = raw.parse()
    assert answer.choices[0].message.content == "the answer is 42"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "plain"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    report = answer.model_extra["mixture"]
    assert report["strategy_requested"] == "plain"
    assert [(e["name"], e["role"], e["outcome"]) for e in report["experts"]] == [("plain", "answer", "ok")]
    assert report["cost_usd"] == pytest.approx((5 * 1 + 4 * 2) / 1e6)
    assert raw.headers["x-mixture-experts"] == "plain"
    assert float(raw.headers["x-mixture-cost-usd"]) == pytest.approx(report["cost_usd"])
    assert float(raw.headers["x-mixture-overhead-ms"]) >= 0
    assert raw.headers["x-request-id"].startswith("req_")


async def test_the_alias_asked_for_is_the_model_of_the_answer(openai):
    answer = await openai.chat.completions.create(model="mixture/auto", messages=ASK)
    assert answer.model == "mixture/auto"
    assert answer.model_extra["mixture"]["strategy_executed"] == "task_based"


async def test_an_ensemble_sums_usage_over_its_calls(openai):
    answer = await openai.chat.completions.create(model="jury", messages=ASK)
    report = answer.model_extra["mixture"]
    assert {e["name"] for e in report["experts"]} == {"plain", "bare"}
    assert answer.usage.completion_tokens == sum(e["usage"]["completion_tokens"] for e in report["experts"])
    assert report["quorum"]["asked"] == 2


async def test_wishes_of_one_request(openai):
    wishes = {"mixture": {"strategy": "voting", "experts": ["plain", "bare"], "expose_proposals": True}}
    answer = await openai.chat.completions.create(model="auto", messages=ASK, extra_body=wishes)
    report = answer.model_extra["mixture"]
    assert report["strategy_executed"] == "voting"
    assert {p["text"] for p in report["proposals"]} == {"the answer is 42", "I can only talk"}


async def test_streamed_with_usage(openai):
    stream = await openai.chat.completions.create(
        model="words", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(texts) == "one two three four five"
    assert len(texts) == 5
    last = [c for c in chunks if c.choices][-1]
    assert last.choices[0].finish_reason == "stop"
    assert last.model_extra["mixture"]["experts"][0]["name"] == "words"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 5
    assert all(c.choices for c in chunks[:-1])


async def test_streamed_without_usage_has_no_empty_choices(openai):
    stream = await openai.chat.completions.create(model="words", messages=ASK, stream=True)
    async for chunk in stream:
        assert len(chunk.choices) == 1
        assert chunk.usage is None


async def test_an_ensemble_tells_its_progress_in_valid_chunks(openai):
    stream = await openai.chat.completions.create(model="jury", messages=ASK, stream=True)
    chunks = [chunk async for chunk in stream]
    progress = [c.model_extra["mixture"] for c in chunks if "mixture" in c.model_extra][:-1]
    assert {p["expert"] for p in progress if p["type"] == "proposed"} == {"plain", "bare"}
    assert all("text" not in p for p in progress)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) in ("the answer is 42", "I can only talk")


async def test_the_stream_helper_of_the_sdk(openai):
    async with openai.chat.completions.stream(model="jury", messages=ASK) as stream:
        async for _ in stream:
            pass
        answer = await stream.get_final_completion()
    assert answer.choices[0].message.content in ("the answer is 42", "I can only talk")


async def test_the_role_chunk_comes_before_any_expert_has_answered(openai, server):
    stream = await openai.chat.completions.create(model="held", messages=ASK, stream=True)
    first = await anext(aiter(stream))
    assert first.choices[0].delta.role == "assistant"
    await server.reached("held", started=1)
    assert server.counts("held").tokens == 0
    await stream.close()
    await server.reached("held", cancelled=1)


async def test_tools_both_ways(openai):
    answer = await openai.chat.completions.create(model="tooler", messages=ASK, tools=TOOLS)
    [call] = answer.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Oslo"}')
    assert answer.choices[0].finish_reason == "tool_calls"
    back = [
        *ASK,
        answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "rain"},
    ]
    assert (await openai.chat.completions.create(model="plain", messages=back)).choices[0].message.content


async def test_tools_streamed(openai):
    async with openai.chat.completions.stream(model="tooler", messages=ASK, tools=TOOLS) as stream:
        async for _ in stream:
            pass
        answer = await stream.get_final_completion()
    [call] = answer.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Oslo"}')


@pytest.mark.parametrize("streams", [False, True])
async def test_several_choices(openai, streams):
    if streams:
        stream = await openai.chat.completions.create(model="plain", messages=ASK, n=3, stream=True)
        texts = {0: "", 1: "", 2: ""}
        async for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
        assert set(texts.values()) == {"the answer is 42"}
    else:
        answer = await openai.chat.completions.create(model="plain", messages=ASK, n=3)
        assert [c.index for c in answer.choices] == [0, 1, 2]


async def test_logprobs_and_limits_reach_the_expert(openai, server):
    answer = await openai.chat.completions.create(
        model="plain", messages=ASK, logprobs=True, max_completion_tokens=2, seed=3, stop=["42"], temperature=0.5
    )
    assert len(answer.choices[0].logprobs.content) == 2
    assert answer.choices[0].finish_reason == "length"
    sampling = server.experts["plain"].queries[-1].sampling
    assert (sampling.seed, sampling.stop, sampling.temperature) == (3, ("42",), 0.5)


async def test_errors_that_say_what_to_do(openai, server):
    with pytest.raises(sdk.NotFoundError, match="did you mean 'plain'"):
        await openai.chat.completions.create(model="plian", messages=ASK)
    with pytest.raises(sdk.BadRequestError) as bad:
        await openai.chat.completions.create(model="plain", messages=[{"role": "user", "content": 5}])
    assert bad.value.param == "messages[0].content"
    with pytest.raises(sdk.BadRequestError) as unable:
        await openai.chat.completions.create(model="bare", messages=ASK, tools=TOOLS, stream=True)
    assert (unable.value.param, unable.value.code) == ("tools", "unsupported_parameter")
    wrong = openai.with_options(api_key="wrong")
    with pytest.raises(sdk.AuthenticationError):
        await wrong.chat.completions.create(model="plain", messages=ASK)


async def test_upstream_failures_keep_their_status(openai):
    with pytest.raises(sdk.RateLimitError) as limited:
        await openai.chat.completions.create(model="limited", messages=ASK)
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(sdk.InternalServerError) as down:
        await openai.chat.completions.create(model="down", messages=ASK)
    assert down.value.status_code == 502


async def test_a_late_failure_is_an_error_in_the_stream(openai):
    stream = await openai.chat.completions.create(model="breaks", messages=ASK, stream=True)
    texts = []
    with pytest.raises(sdk.APIError, match="cut off"):
        async for chunk in stream:
            texts.append(chunk.choices[0].delta.content or "")
    assert "".join(texts) == "one two "


async def test_the_deadline_of_a_request(openai, server):
    with pytest.raises(sdk.InternalServerError) as late:
        wishes = {"mixture": {"max_latency_ms": 100}}
        await openai.chat.completions.create(model="held", messages=ASK, extra_body=wishes)
    assert (late.value.status_code, late.value.code) == (504, "deadline_exceeded")
    await server.reached("held", cancelled=1)


async def test_a_client_that_leaves_a_stream_stops_the_expert(openai, server):
    stream = await openai.chat.completions.create(model="endless", messages=ASK, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await server.reached("endless", cancelled=1)


async def test_a_client_that_leaves_stops_the_expert(openai, server):
    asking = asyncio.create_task(openai.chat.completions.create(model="held", messages=ASK))
    await server.reached("held", started=1)
    asking.cancel()
    await server.reached("held", cancelled=1)


async def test_a_client_that_leaves_an_ensemble_stops_every_expert(openai, server):
    wishes = {"mixture": {"strategy": "voting", "experts": ["held", "endless"]}}
    stream = await openai.chat.completions.create(model="auto", messages=ASK, stream=True, extra_body=wishes)
    await server.reached("held", started=1)
    await server.reached("endless", started=1)
    await stream.close()
    await server.reached("held", cancelled=1)
    await server.reached("endless", cancelled=1)


async def test_models(openai):
    names = [model.id async for model in openai.models.list()]
    assert {"auto", "plain", "voting", "jury", "all-MiniLM-L6-v2"} <= set(names)
    one = await openai.models.retrieve("mixture/plain")
    assert one.id == "mixture/plain"
    assert "tools" in one.model_extra["supported_parameters"]
    with pytest.raises(sdk.NotFoundError):
        await openai.models.retrieve("no/such:model")


@pytest.mark.parametrize("encoding", ["float", "base64", None])
async def test_embeddings(openai, encoding):
    more = {} if encoding is None else {"encoding_format": encoding}
    answer = await openai.embeddings.create(model="all-MiniLM-L6-v2", input=["one", "three"], **more)
    vectors = [item.embedding for item in answer.data]
    if encoding == "base64":
        assert all(isinstance(vector, str) for vector in vectors)
    else:
        assert [vector[0] for vector in vectors] == [3.0, 5.0]
    assert answer.usage.prompt_tokens > 0
