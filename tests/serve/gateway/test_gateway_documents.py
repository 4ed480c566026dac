"""Documents over HTTP: kept, found, put before experts, cited; and nobody sees what is another's."""

import asyncio
from datetime import timedelta

import aiohttp
import anthropic
import openai
import pytest

from mixture.providers.scripted import scripted
from mixture.retrieval import tidying, upkeep
from tests.serve.gateway.inprocess import KEY, OTHER_KEY, config_of, serving
from tests.serve.gateway.test_gateway_feedback import post

TEA = "# Tea\n\nGreen tea is steeped for two minutes.\n\n# Coffee\n\nCoffee is brewed for four minutes."
QUESTION = {"role": "user", "content": "For how long is green tea steeped?"}
ASK = {"model": "outside", "messages": [QUESTION], "mixture": {"retrieval": True}}


@pytest.fixture
async def server(tmp_path):
    experts = [
        scripted("outside", "Two minutes [1]. Not `a[1]`, and [9] is nothing.", location="external"),
        scripted("inside", "Two minutes, from inside [1].", location="local"),
    ]
    documents = {"uri": str(tmp_path / "index"), "encoder": "static", "paths": [str(tmp_path)]}
    async with serving(experts, config_of(experts, documents=documents)) as running:
        yield running


async def keep(server, key=KEY, collection="notes", **more):
    body = {"collection": collection, "documents": [{"id": "tea.md", "text": TEA, "metadata": {"year": 2020}}], **more}
    status, _, answer = await post(server, "/v1/mixture/documents", body, key)
    assert status == 200, answer
    return answer


async def get(server, path, key=KEY, method="GET"):

    headers = {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, server.url + path, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_an_answer_cites_its_sources(server):
    await keep(server)
    client = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY)
    answer = await client.chat.completions.create(
        model="outside", messages=[QUESTION], extra_body={"mixture": {"retrieval": {"collection": "notes", "k": 1}}}
    )
    (note,) = answer.choices[0].message.annotations
    assert note.type == "url_citation" and note.url_citation.title == "tea.md"
    text = answer.choices[0].message.content
    assert text[note.url_citation.start_index : note.url_citation.end_index] == "[1]"
    (passage,) = answer.mixture["passages"]
    assert passage["text"] == "Green tea is steeped for two minutes." and passage["heading"] == "Tea"
    (query,) = server.experts["outside"].queries
    assert "source 1: tea.md, Tea begins" in query.messages[-1].text and passage["text"] in query.messages[-1].text


async def test_a_stream_ends_with_its_citations(server):
    await keep(server)
    client = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY)
    stream = await client.chat.completions.create(
        model="outside", messages=[QUESTION], stream=True, extra_body={"mixture": {"retrieval": True}}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith("Two minutes [1].")
    notes = [note for c in chunks for note in (c.choices[0].delta.model_extra or {}).get("annotations", ())]
    assert [note["source"] for note in notes] == [1]
    assert any((c.model_extra or {}).get("mixture", {}).get("type") == "retrieved" for c in chunks)


async def test_anthropic_s_clients_get_citations_in_their_form(server):
    await keep(server)
    client = anthropic.AsyncAnthropic(base_url=server.url, api_key=KEY)
    ask = {"model": "outside", "max_tokens": 50, "messages": [QUESTION], "extra_body": {"mixture": {"retrieval": True}}}
    whole = await client.messages.create(**ask)
    async with client.messages.stream(**ask) as stream:
        streamed = await stream.get_final_message()
    for answer in (whole, streamed):
        (citation,) = answer.content[0].citations
        assert (citation.type, citation.document_index, citation.document_title) == ("char_location", 0, "tea.md")
        assert citation.cited_text == TEA[citation.start_char_index : citation.end_char_index]


async def test_without_documents_or_a_wish_nothing_is_retrieved(server):
    _, _, answer = await post(server, "/v1/chat/completions", {**ASK, "mixture": {}})
    assert answer["mixture"]["passages"] is None and answer["mixture"]["degraded"] is None
    _, _, answer = await post(server, "/v1/chat/completions", ASK)
    assert answer["mixture"]["degraded"] == "nothing was found in documents"
    await keep(server)
    off = {**ASK, "mixture": {"retrieval": False}}
    _, _, answer = await post(server, "/v1/chat/completions", off)
    assert answer["mixture"]["passages"] is None


async def test_what_is_near_enough_is_retrieved_unasked(server):
    await keep(server)
    _, _, answer = await post(server, "/v1/chat/completions", {**ASK, "mixture": {}})
    assert answer["mixture"]["passages"][0]["document"] == "tea.md"
    far = {"model": "outside", "messages": [{"role": "user", "content": "Write a poem about locomotives"}]}
    _, _, answer = await post(server, "/v1/chat/completions", far)
    assert answer["mixture"]["passages"] is None


async def test_a_key_sees_nothing_of_another_s(server):
    await keep(server)
    status, listed = await get(server, "/v1/mixture/documents", OTHER_KEY)
    assert (status, listed["data"]) == (200, [])
    for path, method in (
        ("/v1/mixture/documents?collection=notes", "GET"),
        ("/v1/mixture/documents/tea.md?collection=notes", "DELETE"),
    ):
        status, error = await get(server, path, OTHER_KEY, method)
        assert (status, error["error"]["code"]) == (404, "collection_not_found")
    search = {"query": "green tea", "collection": "notes"}
    status, _, error = await post(server, "/v1/mixture/search", search, OTHER_KEY)
    assert (status, error["error"]["code"]) == (404, "collection_not_found")
    status, _, found = await post(server, "/v1/mixture/search", {"query": "green tea"}, OTHER_KEY)
    assert (status, found["data"]) == (200, [])
    _, _, answer = await post(server, "/v1/chat/completions", ASK, OTHER_KEY)
    assert answer["mixture"]["passages"] is None
    named = {**ASK, "mixture": {"retrieval": {"collection": "notes"}}}
    status, _, error = await post(server, "/v1/chat/completions", named, OTHER_KEY)
    assert (status, error["error"]["code"]) == (404, "collection_not_found")
    for query in server.experts["outside"].queries:
        assert "two minutes" not in query.messages[-1].text


async def test_each_key_has_a_collection_of_that_name_to_itself(server):
    await keep(server)
    other = {"collection": "notes", "documents": [{"id": "tea.md", "text": "Tea of the other key."}]}
    await post(server, "/v1/mixture/documents", other, OTHER_KEY)
    _, _, found = await post(server, "/v1/mixture/search", {"query": "tea"}, OTHER_KEY)
    assert [one["text"] for one in found["data"]] == ["Tea of the other key."]
    assert (await get(server, "/v1/mixture/documents/tea.md?collection=notes", OTHER_KEY, "DELETE"))[0] == 200
    _, listed = await get(server, "/v1/mixture/documents")
    assert [(one["id"], one["passages"], one["shared"]) for one in listed["data"]] == [("tea.md", 2, False)]


async def test_a_private_collection_stays_inside(server):
    await keep(server, private=True)
    _, _, answer = await post(server, "/v1/chat/completions", ASK)
    assert answer["mixture"]["passages"] is None and "left out" in answer["mixture"]["degraded"]
    for model in ("voting", "mixture_of_agents", "auto", "decomposition"):
        status, _, answer = await post(server, "/v1/chat/completions", {**ASK, "model": model})
        assert (status, answer["choices"][0]["message"]["content"]) == (200, "Two minutes, from inside [1].")
        assert answer["mixture"]["adjustments"][0]["kind"] == "confined"
    assert [query for query in server.experts["outside"].queries if "two minutes" in query.messages[-1].text] == []


async def test_what_was_deleted_leaves_the_disk(server, tmp_path, monkeypatch):
    monkeypatch.setattr(tidying, "READERS", timedelta(milliseconds=300))
    monkeypatch.setattr(upkeep, "QUIET", 0.05)

    def held():
        return any(b"zebraquark" in p.read_bytes() for p in (tmp_path / "index").rglob("*") if p.is_file())

    documents = [{"id": "a.md", "text": "The word is zebraquark."}, {"id": "b.md", "text": "Nothing else."}]
    await post(server, "/v1/mixture/documents", {"documents": documents})
    assert held()
    assert (await get(server, "/v1/mixture/documents/a.md", method="DELETE"))[0] == 200
    async with asyncio.timeout(30):
        while held():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    _, _, found = await post(server, "/v1/mixture/search", {"query": "nothing"})
    assert [one["document"] for one in found["data"]] == ["b.md"]


async def test_filters_and_bad_requests(server):
    await keep(server)
    for wanted, count in (({"year": 2020}, 2), ({"year": [2019, 2020]}, 2), ({"year": 2019}, 0), ({"it's": "x'"}, 0)):
        _, _, found = await post(server, "/v1/mixture/search", {"query": "minutes", "filter": wanted})
        assert len(found["data"]) == count
    bad = [
        ({"documents": []}, "documents"),
        ({"documents": [{"id": "a", "text": "b", "data": "YQ=="}]}, "documents[0]"),
        ({"documents": [{"id": "a", "data": "?"}]}, "documents[0].data"),
        ({"documents": [{"id": "a", "text": "b"}, {"id": "a", "text": "c"}]}, "documents[1].id"),
        ({"documents": [{"id": "a", "text": "b"}], "collection": "No/Good"}, "collection"),
    ]
    for body, param in bad:
        status, _, error = await post(server, "/v1/mixture/documents", body)
        assert (status, error["error"]["param"]) == (400, param)
    status, _, answer = await post(server, "/v1/mixture/documents", {"documents": [{"id": "a.exe", "data": "YQ=="}]})
    assert status == 200 and answer["data"][0]["outcome"] == "failed" and ".md" in answer["data"][0]["error"]
