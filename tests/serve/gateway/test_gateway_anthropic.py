"""The official anthropic client, unpatched, against a running server."""

import anthropic as sdk
import pytest

ASK = [{"role": "user", "content": "What is six times seven?"}]
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


async def test_plain(anthropic, server):
    answer = await anthropic.messages.create(model="plain", max_tokens=50, system="Be short.", messages=ASK)
    assert answer.content[0].text == "the answer is 42"
    assert (answer.stop_reason, answer.model, answer.role) == ("end_turn", "plain", "assistant")
    assert answer.usage.output_tokens == 4
    assert answer.model_extra["mixture"]["experts"][0]["name"] == "plain"
    query = server.experts["plain"].queries[-1]
    assert [m.role for m in query.messages] == ["system", "user"]


async def test_max_tokens_is_the_stop_reason(anthropic):
    answer = await anthropic.messages.create(model="plain", max_tokens=2, messages=ASK)
    assert answer.stop_reason == "max_tokens"


async def test_streamed(anthropic):
    async with anthropic.messages.stream(model="words", max_tokens=50, messages=ASK) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert texts == ["one ", "two ", "three ", "four ", "five"]
    assert final.content[0].text == "one two three four five"
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 5)


async def test_the_order_of_events(anthropic):
    stream = await anthropic.messages.create(model="jury", max_tokens=50, messages=ASK, stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[0] == "message_start"
    assert kinds[1] == "content_block_start"
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize("streams", [False, True])
async def test_tools(anthropic, streams):
    asked = {"model": "tooler", "max_tokens": 50, "messages": ASK, "tools": TOOLS, "tool_choice": {"type": "any"}}
    if streams:
        async with anthropic.messages.stream(**asked) as stream:
            answer = await stream.get_final_message()
    else:
        answer = await anthropic.messages.create(**asked)
    [call] = answer.content
    assert (call.type, call.name, call.input) == ("tool_use", "weather", {"city": "Oslo"})
    assert answer.stop_reason == "tool_use"
    back = [
        *ASK,
        {"role": "assistant", "content": [block.model_dump() for block in answer.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]},
    ]
    assert (await anthropic.messages.create(model="plain", max_tokens=50, messages=back)).content


async def test_images(anthropic, server):
    source = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    await anthropic.messages.create(model="plain", max_tokens=50, messages=[{"role": "user", "content": content}])
    [image] = server.experts["plain"].queries[-1].messages[0].images
    assert image.url == "data:image/png;base64,aGVsbG8="


async def test_errors_in_anthropics_shape(anthropic, server):
    with pytest.raises(sdk.NotFoundError) as unknown:
        await anthropic.messages.create(model="nobody", max_tokens=5, messages=ASK)
    assert unknown.value.type == "not_found_error"
    with pytest.raises(sdk.BadRequestError, match=r"messages\[0\].content"):
        await anthropic.messages.create(model="plain", max_tokens=5, messages=[{"role": "user", "content": 5}])
    with pytest.raises(sdk.AuthenticationError):
        await anthropic.with_options(api_key="wrong").messages.create(model="plain", max_tokens=5, messages=ASK)
    with pytest.raises(sdk.RateLimitError) as limited:
        await anthropic.messages.create(model="limited", max_tokens=5, messages=ASK)
    assert limited.value.response.headers["retry-after"] == "7"


async def test_a_late_failure_is_an_error_event(anthropic):
    texts = []
    with pytest.raises(sdk.APIStatusError, match="cut off"):
        async with anthropic.messages.stream(model="breaks", max_tokens=50, messages=ASK) as stream:
            async for text in stream.text_stream:
                texts.append(text)
    assert "".join(texts) == "one two "


async def test_a_client_that_leaves_stops_the_expert(anthropic, server):
    async with anthropic.messages.stream(model="endless", max_tokens=5_000, messages=ASK) as stream:
        async for _ in stream.text_stream:
            break
    await server.reached("endless", cancelled=1)


async def test_models(anthropic):
    page = await anthropic.models.list()
    assert {"auto", "plain"} <= {model.id for model in page.data}
    assert (await anthropic.models.retrieve("plain")).display_name == "plain"
    with pytest.raises(sdk.NotFoundError):
        await anthropic.models.retrieve("nobody")
