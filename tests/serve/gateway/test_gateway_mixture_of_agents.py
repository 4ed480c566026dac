"""mixture_of_agents over HTTP: real upstream calls to stand-ins of different speed, read with the official client."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from anthropic import APIStatusError, AsyncAnthropic
from openai import APIError, AsyncOpenAI
from websockets.asyncio.client import connect

from deployments.http.app import create_app
from mixture import Mixture
from mixture.simulation import StandIn
from tests.serve.gateway.inprocess import KEY, Vectors, listening

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}]
SAID = "Air scatters blue light most of all."
WRITTEN = f"{SAID} It is 7 km high."
VERDICT = '{"scores": {"A": 3, "B": 3}, "best": "A"}'


@dataclass
class Served:
    """A client of a server, and the stand-ins behind it."""

    url: str
    client: AsyncOpenAI
    quick: StandIn
    slow: StandIn
    writer: StandIn
    breaking: StandIn

    @property
    def asked(self) -> tuple[StandIn, ...]:
        return self.quick, self.slow, self.writer, self.breaking

    def counted(self) -> tuple[int, int, int]:
        """What the stand-ins sent and took, by their own counts."""
        stats = [upstream.stats for upstream in self.asked]
        prompt, completion = sum(s.prompt_tokens for s in stats), sum(s.completion_tokens for s in stats)
        return prompt, completion, prompt + completion


def expert(name: str, upstream: StandIn) -> dict[str, object]:
    return {"name": name, "provider": "openai", "model": name, "base_url": upstream.base_url, "api_key": "none"}


@pytest.fixture
async def served() -> AsyncGenerator[Served, None]:
    with (
        StandIn(text=SAID) as quick,
        StandIn(text="Dust does it.", delay=0.3) as slow,
        StandIn(text={"Your verdict:": VERDICT, "": WRITTEN}, rate=25) as writer,
        StandIn(text=WRITTEN, failure={"error": "StreamBroken", "after": 3}) as breaking,
    ):
        two = {"strategy": "mixture_of_agents", "proposer_models": ["quick", "slow"]}
        config = {
            "experts": [
                expert(name, upstream)
                for name, upstream in (("quick", quick), ("slow", slow), ("writer", writer), ("breaking", breaking))
            ],
            "aliases": {
                "panel": {**two, "aggregator_model": "writer"},
                "layered": {**two, "aggregator_model": "writer", "layers": 2},
                "broken": {**two, "aggregator_model": "breaking"},
                "judged": {**two, "aggregator_model": "writer", "aggregation_strategy": "selection"},
            },
            "server": {"log": "off", "keepalive": 0.1},
            "defaults": {"num_retries": 0},
        }
        mixture = Mixture.from_config(config)
        app = create_app(mixture, Vectors(), mixture.config.server, [KEY])
        async with (
            listening(app) as url,
            AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client,
        ):
            yield Served(url, client, quick, slow, writer, breaking)


async def test_the_stream_begins_before_any_proposal_and_passes_the_writer_s_tokens_on(served):
    stream = await served.client.chat.completions.create(
        model="panel", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks, begun_before, written_before = [], None, []
    async for chunk in stream:
        if begun_before is None:
            begun_before = served.slow.stats.answered
        if chunk.choices and chunk.choices[0].delta.content:
            written_before.append(served.writer.stats.answered)
        chunks.append(chunk)
    assert begun_before == 0, "the role chunk comes while the experts are at work"
    assert len(written_before) == len(WRITTEN.split())
    assert written_before[:3] == [0, 0, 0], "tokens are passed on while the writer still writes"
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == WRITTEN
    usage = chunks[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == served.counted()
    types = [c.model_extra["mixture"]["type"] for c in chunks if "type" in (c.model_extra or {}).get("mixture", {})]
    assert types == ["routed", "proposed", "proposed"]


async def test_the_last_chunks_carry_annotations_and_the_report(served):
    stream = await served.client.chat.completions.create(model="panel", messages=ASK, stream=True)
    chunks = [chunk async for chunk in stream]
    last = chunks[-1]
    report = last.model_extra["mixture"]
    assert last.choices[0].finish_reason == "stop"
    notes = chunks[-2].choices[0].delta.model_extra["annotations"]
    assert not any("annotations" in (c.choices[0].delta.model_extra or {}) for c in chunks[:-2])
    numbers = {source["expert"]: source["number"] for source in report["aggregation"]["proposals"]}
    first, second = (note["proposal_support"] for note in notes)
    assert WRITTEN[first["start_index"] : first["end_index"]] == SAID
    assert first["proposals"] == [numbers["quick"]]
    assert (second["proposals"], second["supported"]) == ([], False)
    assert (report["aggregation"]["method"], report["aggregation"]["by"]) == ("synthesis", "writer")
    assert [(call["name"], call["role"]) for call in report["experts"]] == [
        ("quick", "proposer"),
        ("slow", "proposer"),
        ("writer", "writer"),
    ]
    assert report["strategy_executed"] == "mixture_of_agents"


@pytest.mark.parametrize("model", ["panel", "layered", "judged"])
async def test_usage_is_what_the_upstreams_counted(served, model):
    answer = await served.client.chat.completions.create(model=model, messages=ASK)
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == served.counted()
    calls = {"panel": 3, "layered": 5, "judged": 4}[model]
    assert sum(upstream.stats.requests for upstream in served.asked) == calls == len(answer.mixture["experts"])


async def test_a_whole_answer_has_its_annotations(served):
    answer = await served.client.chat.completions.create(model="panel", messages=ASK)
    assert answer.choices[0].message.content == WRITTEN
    assert [note.type for note in answer.choices[0].message.annotations] == ["proposal_support"] * 2


async def test_a_judge_is_named_and_its_calls_are_its_own(served):
    answer = await served.client.chat.completions.create(model="judged", messages=ASK)
    report = answer.mixture
    assert answer.choices[0].message.content in (SAID, "Dust does it.")
    assert report["aggregation"]["by"] == "writer"
    assert [call["role"] for call in report["experts"]].count("judge") == 2


async def test_a_writer_that_breaks_off_ends_the_stream_with_an_error(served):
    stream = await served.client.chat.completions.create(model="broken", messages=ASK, stream=True)
    texts = []
    with pytest.raises(APIError) as raised:
        async for chunk in stream:
            texts.append(chunk.choices[0].delta.content or "")
    assert "".join(texts).strip() == " ".join(WRITTEN.split()[:3])
    assert raised.value.code == "stream_broken"


async def test_without_a_stream_another_one_writes_and_all_is_paid_for(served):
    answer = await served.client.chat.completions.create(model="broken", messages=ASK)
    report = answer.mixture
    assert answer.choices[0].message.content
    assert "stepped in for breaking" in report["degraded"]
    assert [call["outcome"] for call in report["experts"] if call["name"] == "breaking"] == ["error"]


async def test_it_is_a_model_like_any_other(served):
    listed = {model.id: model for model in (await served.client.models.list()).data}
    assert listed["mixture_of_agents"].model_extra["kind"] == "strategy"
    assert "propose" in listed["mixture_of_agents"].model_extra["description"]
    answer = await served.client.chat.completions.create(model="mixture_of_agents", messages=ASK)
    assert answer.choices[0].message.content
    assert answer.mixture["quorum"]["answered"] >= 2


async def test_annotations_on_the_websocket(served):
    headers = {"authorization": f"Bearer {KEY}"}
    async with connect(served.url.replace("http", "ws", 1) + "/ws/chat", additional_headers=headers) as socket:
        await socket.send(json.dumps({"type": "ask", "id": "a", "model": "panel", "messages": ASK}))
        heard = []
        async with asyncio.timeout(20):
            while not heard or heard[-1]["type"] != "answered":
                heard.append(json.loads(await socket.recv()))
    notes = heard[-1]["choices"][0]["annotations"]
    assert [note["type"] for note in notes] == ["proposal_support"] * 2
    assert heard[-2]["annotations"] == notes and heard[-2]["finish_reason"] == "stop"


def claude(served: Served) -> AsyncAnthropic:
    """Anthropic's official client, of the same server."""
    return AsyncAnthropic(base_url=served.url, api_key=KEY, max_retries=0)


async def test_anthropic_s_stream_has_the_annotations_and_the_report(served):
    asked = {"model": "panel", "max_tokens": 50, "messages": ASK[1:]}
    async with claude(served) as client, client.messages.stream(**asked) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_message()
    [closing] = [event for event in events if event.type == "message_delta"]
    notes = [note["proposal_support"] for note in closing.annotations]
    numbers = {source["expert"]: source["number"] for source in closing.mixture["aggregation"]["proposals"]}
    assert [(note["proposals"], note["supported"]) for note in notes] == [([numbers["quick"]], True), ([], False)]
    assert WRITTEN[notes[0]["start_index"] : notes[0]["end_index"]] == SAID
    assert (final.content[0].text, final.content[0].citations) == (WRITTEN, None)
    assert (final.usage.input_tokens, final.usage.output_tokens) == served.counted()[:2]


async def test_anthropic_s_whole_answer_has_them_and_they_may_be_sent_back(served):
    asked = {"model": "panel", "max_tokens": 50}
    async with claude(served) as client:
        answer = await client.messages.create(messages=ASK[1:], **asked)
        assert [note["type"] for note in answer.content[0].annotations] == ["proposal_support"] * 2
        back = [*ASK[1:], {"role": "assistant", "content": [block.model_dump() for block in answer.content]}, *ASK[1:]]
        assert (await client.messages.create(messages=back, **asked)).content[0].text == WRITTEN


async def test_anthropic_s_stream_that_fails_reports_what_was_done(served):
    asked = {"model": "broken", "max_tokens": 50, "messages": ASK[1:]}
    with pytest.raises(APIStatusError) as raised:
        async with claude(served) as client, client.messages.stream(**asked) as stream:
            await stream.get_final_message()
    report = raised.value.body["mixture"]
    assert raised.value.body["error"]["type"] == "api_error"
    assert [call["outcome"] for call in report["experts"]] == ["ok", "ok", "error"]
    assert report["strategy_executed"] == "mixture_of_agents"


FAULTS = {
    "proposers time out": ({"delay": 30.0}, {}, "did not answer"),
    "proposers are empty": ({"text": " "}, {}, "gave an empty answer"),
    "proposers refuse": ({"text": "I'm sorry, but I can't help with that."}, {}, "is a refusal"),
    "proposers fail": ({"failure": {"error": "ExpertUnavailable"}}, {}, "did not answer"),
    "the writer is down": ({}, {"failure": {"error": "ExpertUnavailable"}}, "stepped in for writer"),
    "the writer says nothing": ({}, {"text": ""}, "stepped in for writer"),
    "the writer breaks off": ({}, {"failure": {"error": "StreamBroken", "after": 5}}, "stepped in for writer"),
}


CASES = [(fault, model) for fault in FAULTS for model in ("panel", "judged")]
CASES.remove(("the writer says nothing", "judged"))  # a stand-in that is asked for JSON always gives some


@pytest.mark.parametrize(("fault", "model"), CASES)
async def test_faults_at_fifty_requests_at_once(fault, model):
    proposing, writing, said = FAULTS[fault]
    with (
        StandIn(text=SAID) as good,
        StandIn(**{"text": "Dust does it.", **proposing}) as bad,
        StandIn(**{"text": {"Your verdict:": VERDICT, "": WRITTEN}, **writing}) as writer,
        StandIn(text={"Your verdict:": VERDICT, "": WRITTEN}) as spare,
    ):
        names = {"good": good, "bad": bad, "writer": writer, "spare": spare}
        two = {"strategy": "mixture_of_agents", "proposer_models": ["good", "bad"], "aggregator_model": "writer"}
        config = {
            "experts": [
                expert(name, upstream) | ({"timeout": 1.0} if name == "bad" and "delay" in proposing else {})
                for name, upstream in names.items()
            ],
            "aliases": {"panel": two, "judged": {**two, "aggregation_strategy": "selection"}},
            "defaults": {"num_retries": 0, "allowed_fails": 1_000},
        }
        mixture = Mixture.from_config(config)
        answers = await mixture.answer_batch([f"Why is the sky blue? {n}" for n in range(50)], 50, model)
        await mixture.close()
    assert all(answer.completion.text for answer in answers)
    assert all(said in answer.report.degraded for answer in answers), answers[0].report.degraded
    wrote = {answer.report.aggregation.by for answer in answers}
    assert wrote <= ({None} if proposing else {"spare", "good", "bad"})
    calls = Counter(call.expert for answer in answers for call in answer.report.calls)
    asked = {name: upstream.stats.requests for name, upstream in names.items()}
    if "delay" in proposing:
        # A loaded machine may not get a call to its upstream before the call's time is over. It was made all the same.
        assert asked.pop("bad") <= calls.pop("bad") == len(answers)
    assert calls == Counter(asked), "each call is in a report"
