"""direct: one expert and its own errors."""

import pytest

from mixture.errors import RateLimited, StreamBroken
from mixture.providers.scripted import scripted


async def test_it_relays_live(run):
    done = await run("direct", scripted("a", "one two"), scripted("b"), expert="a")
    assert done.told == [("routed", "a"), ("delta", "a", "one "), ("delta", "a", "two"), ("end", "a", "", "stop")]
    assert (done.completion.text, done.completion.expert) == ("one two", "a")


async def test_nothing_is_sent_when_no_stream_was_asked_for(run):
    done = await run("direct", scripted("a", "one two"), expert="a", stream=False)
    assert done.told == [("routed", "a")]
    assert done.completion.text == "one two"


@pytest.mark.parametrize(("after", "kind"), [(0, RateLimited), (1, StreamBroken)])
async def test_the_expert_s_own_error_is_passed_on_and_nobody_else_is_asked(run, after, kind):
    other = scripted("b")
    failing = scripted("a", "x y", failure={"error": "RateLimited", "after": after, "retry_after": 100})
    done = await run("direct", failing, other, expert="a", wrapped=True)
    assert type(done.error) is kind
    assert other.counts.started == 0
