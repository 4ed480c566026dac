"""Tenants of one server: what is one's documents, answers, conversations, files or costs is nobody else's, and what is
private is shown to no expert outside, whatever part it plays.
"""

import asyncio
from types import SimpleNamespace

import aiohttp
import openai
import orjson
import pytest

from deployments.http.app import create_app
from mixture import Mixture
from mixture.batches import Batches
from mixture.config import parse
from mixture.feedback import Desk
from mixture.ledger import Book, Recorder, keys
from mixture.ledger.database import connect
from mixture.retrieval.host import Submission
from mixture.types import LOCAL
from tests.serve.gateway.inprocess import KEY, Vectors, listening

SECRET = "zebraquark"
TEXT = f"# Safe\n\nThe word that opens the safe is {SECRET}."
QUESTION = "Which word opens the safe?"
SAYS = f"It is {SECRET} [1]."


def expert(name, location, text=SAYS, **options):
    return {"name": name, "provider": "scripted", "location": location, "options": {"text": text, **options}}


EXPERTS = (
    expert("inside", "local"),
    expert("inner", "local", f"The word is {SECRET}."),
    expert("late", "local", delay=0.4),
    expert("broken", "local", failure={"error": "ExpertUnavailable", "message": "gone"}),
    expert("outside", "external", "I know nothing."),
    expert("outer", "external", "Neither do I."),
    {"name": "role", "provider": "persona", "expert": "outside", "system_prompt": "Be brief.", "location": "local"},
)
TWO = ["inside", "inner"]
ROLES = {
    "judged": {"strategy": "best_of_n", "experts": [*TWO, "outside"], "judge": "outside"},
    "written": {"strategy": "mixture_of_agents", "proposer_models": TWO, "aggregator_model": "outside"},
    "layered": {
        "strategy": "mixture_of_agents",
        "proposer_models": [*TWO, "outer"],
        "aggregator_model": "outside",
        "layers": 2,
    },
    "selected": {
        "strategy": "mixture_of_agents",
        "proposer_models": TWO,
        "aggregator_model": "outside",
        "aggregation_strategy": "selection",
    },
    "voted": {"strategy": "voting", "experts": [*TWO, "outside", "outer"]},
    "hedged": {
        "strategy": "cascade",
        "experts": ["late", "outside", "inside"],
        "fallback_order": ["late", "outside", "inside"],
        "hedge": 20,
    },
    "spared": {
        "strategy": "cascade",
        "experts": ["broken", "outside", "inside"],
        "fallback_order": ["broken", "outside", "inside"],
    },
    "enhanced": {"strategy": "task_based", "experts": ["outside", "inside"], "enhance": True},
    "routed": {"strategy": "task_based", "experts": [*TWO, "outside", "outer", "role"]},
    "planned": {"strategy": "decomposition", "experts": [*TWO, "outside"]},
    "specialists": {"strategy": "specialist", "experts": [*TWO, "outside"]},
    "any": {"strategy": "auto"},
    "persona": {"strategy": "cascade", "experts": ["role", "inside"], "fallback_order": ["role", "inside"]},
    "tried": {"experiment": {"control": "inside", "candidate": "outside", "mode": "shadow", "share": 1}},
    "tried-jury": {"experiment": {"control": "inside", "candidate": "judged", "mode": "shadow", "share": 1}},
    "split": {"experiment": {"control": "outside", "candidate": "outer"}},
}
COLLECTIONS = {
    "vault": {"private": True, "writable": True},
    "legal": {"keys": ["alice"], "writable": True},
    "read": {"keys": ["alice"]},
    "closed": {"experts": ["inside", "outside"]},
}


@pytest.fixture
async def tenants(tmp_path, monkeypatch):
    """A server with a ledger, feedback, batches, and the keys `alice` and `bob`, over experts inside and outside."""
    monkeypatch.setattr("deployments.http.feedback.TOGETHER", 0.01)
    own = tmp_path / "own.md"
    own.write_text("Safes are opened by words.")
    config = parse(
        {
            "experts": EXPERTS,
            "aliases": ROLES,
            "server": {"log": "off"},
            "defaults": {"num_retries": 0},
            "documents": {
                "uri": str(tmp_path / "index"),
                "encoder": "static",
                "collections": COLLECTIONS,
                "paths": [str(own)],
            },
            "router": {"kind": "llm", "expert": "outside"},
            "decomposer": {"expert": "outside"},
            "feedback": {"folder": str(tmp_path / "feedback"), "per_hour": 100_000},
            "cache": {"semantic": {"mode": "on", "recheck": 0}},
        },
        {},
    )
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    book, engine = Book(url), connect(url)
    mixture = Mixture.from_config(config)
    mixture.ledger = Recorder(book, tmp_path / "journal", config.ledger)
    app = create_app(
        mixture,
        Vectors(),
        config.server,
        [KEY],
        feedback=Desk(config.feedback, config.router),
        batches=Batches(tmp_path / "batches"),
    )
    made = {name: keys.create(engine, name)[0] for name in ("alice", "bob")}
    made["scoped"] = keys.create(engine, "scoped", collections=["vault"])[0]
    async with listening(app) as at:
        yield SimpleNamespace(url=at, mixture=mixture, keys=made, engine=engine)
    book.close()
    engine.dispose()


async def send(tenants, who, path, body=None, method=None, **headers):
    """The status and the answer to a request of `who`."""
    headers = {"authorization": f"Bearer {tenants.keys.get(who, KEY)}", **headers}
    method = method or ("GET" if body is None else "POST")
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, tenants.url + path, json=body, headers=headers) as answer,
    ):
        text = answer.content_type != "application/json"
        return SimpleNamespace(
            status=answer.status,
            data=await (answer.text() if text else answer.json()),
            id=answer.headers.get("x-request-id"),
            cache=answer.headers.get("x-mixture-cache"),
        )


async def ask(tenants, who, model, question=QUESTION, **more):
    """An answer of a model; `session` names the conversation."""
    session = {"x-session-id": more.pop("session")} if "session" in more else {}
    body = {"model": model, "messages": [{"role": "user", "content": question}], **more}
    return await send(tenants, who, "/v1/chat/completions", body, **session)


async def keep(tenants, who, collection, text=TEXT, **more):
    body = {"collection": collection, "documents": [{"id": "safe.md", "text": text}], **more}
    return await send(tenants, who, "/v1/mixture/documents", body)


def shown(tenants, name):
    """Whether the secret is in anything that an expert was asked."""
    inner = tenants.mixture.panel.experts[name]
    while not hasattr(inner, "queries"):
        inner = getattr(inner, "inner", None) or inner.base
    return any(SECRET in str(query.messages) for query in inner.queries)


async def until(condition):
    """Wait until what `condition` gives is true, and give it."""
    async with asyncio.timeout(20):
        while not (found := await condition()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("model", [name for name in ROLES if name != "split"])
async def test_what_is_private_is_shown_to_nobody_outside_whatever_part_it_plays(tenants, model):
    assert (await keep(tenants, "alice", "mine", private=True)).status == 200
    assert (await keep(tenants, "alice", "vault")).status == 200
    wish = {"retrieval": {"collection": ["mine", "vault"]}}
    for question in (QUESTION, f"{QUESTION} And then: 1. Translate the word to French. 2. Count its letters."):
        for stream in (False, True):
            answer = await ask(tenants, "alice", model, question, mixture=wish, stream=stream, session="s")
            assert (answer.status, SECRET in str(answer.data)) == (200, True)
    if model.startswith("tried"):
        await until(lambda: _mirrored(tenants, model))
    assert shown(tenants, "inside") or shown(tenants, "inner") or shown(tenants, "late")
    assert not any(shown(tenants, name) for name in ("outside", "outer", "role"))


async def _mirrored(tenants, model):
    found = (await send(tenants, "owner", "/v1/mixture/experiments")).data["data"]
    return next(one["sessions"]["candidate"] for one in found if one["experiment"] == model)


async def test_where_everybody_is_outside_the_passages_are_left_out_and_that_is_said(tenants):
    await keep(tenants, "alice", "vault")
    for model in ("split", "outside", "role"):
        answer = await ask(tenants, "alice", model, mixture={"retrieval": {"collection": "vault"}})
        assert answer.status == 200
        assert SECRET not in str(answer.data) and "left out" in answer.data["mixture"]["degraded"]
    assert not shown(tenants, "outside") and not shown(tenants, "outer")


async def test_a_collection_with_experts_is_read_by_those_alone(tenants):
    document = Submission("safe.md", "safe.md", TEXT.encode())
    await tenants.mixture.documents.add(LOCAL, "closed", [document])
    for model in ("voted", "judged", "routed"):
        answer = await ask(tenants, "bob", model, mixture={"retrieval": {"collection": "closed"}})
        assert answer.status == 200, answer.data
    assert shown(tenants, "inside")
    assert not shown(tenants, "inner") and not shown(tenants, "outer")


async def test_a_collection_with_keys_is_there_for_those_alone(tenants):
    assert (await keep(tenants, "alice", "legal")).status == 200
    assert [one["shared"] for one in (await send(tenants, "alice", "/v1/mixture/documents")).data["data"]] == [True]
    search = {"query": QUESTION, "collection": "legal"}
    assert len((await send(tenants, "alice", "/v1/mixture/search", search)).data["data"]) == 1
    for path, body, method in (
        ("/v1/mixture/search", search, None),
        ("/v1/mixture/documents?collection=legal", None, None),
        ("/v1/mixture/documents/safe.md?collection=legal", None, "DELETE"),
    ):
        answer = await send(tenants, "bob", path, body, method)
        assert (answer.status, answer.data["error"]["code"]) == (404, "collection_not_found")
    assert (await send(tenants, "bob", "/v1/mixture/search", {"query": QUESTION})).data["data"] == []
    assert (await ask(tenants, "bob", "outside", mixture={"retrieval": True})).data["mixture"]["passages"] is None
    assert not shown(tenants, "outside")
    own = await keep(tenants, "bob", "legal", "# Own\n\nBob's own collection of that name.")
    assert own.status == 200
    found = (await send(tenants, "alice", "/v1/mixture/search", search)).data["data"]
    assert "Bob" not in str(found)


async def test_a_collection_is_written_by_keys_where_it_says_so(tenants):
    document = Submission("safe.md", "safe.md", TEXT.encode())
    await tenants.mixture.documents.add(LOCAL, "read", [document])
    refused = await keep(tenants, "alice", "read")
    assert (refused.status, refused.data["error"]["param"]) == (403, "collection")
    refused = await send(tenants, "alice", "/v1/mixture/documents/safe.md?collection=read", method="DELETE")
    assert refused.status == 403
    assert len((await send(tenants, "alice", "/v1/mixture/documents?collection=read")).data["data"]) == 1
    await keep(tenants, "alice", "legal")
    gone = await send(tenants, "alice", "/v1/mixture/documents/safe.md?collection=legal", method="DELETE")
    assert (gone.status, gone.data["outcome"]) == (200, "deleted")


async def test_a_key_that_is_limited_to_collections_sees_and_writes_no_other(tenants):
    await keep(tenants, "alice", "vault")
    await tenants.mixture.documents.add(LOCAL, "open", [Submission("safe.md", "safe.md", TEXT.encode())])
    found = (await send(tenants, "scoped", "/v1/mixture/search", {"query": QUESTION})).data["data"]
    assert {one["collection"] for one in found} == {"vault"}
    assert {one["collection"] for one in (await send(tenants, "scoped", "/v1/mixture/documents")).data["data"]} == {
        "vault"
    }
    named = {"retrieval": {"collection": "open"}}
    answer = await ask(tenants, "scoped", "inside", mixture=named)
    assert (answer.status, answer.data["error"]["code"]) == (404, "collection_not_found")
    refused = await keep(tenants, "scoped", "mine")
    assert (refused.status, refused.data["error"]["param"]) == (403, "collection")


async def test_nobody_is_answered_out_of_another_s_cache(tenants):
    for question, how in ((QUESTION, "miss"), (QUESTION, "hit"), ("What word opens the safe?", "semantic")):
        assert (await ask(tenants, "alice", "inside", question, temperature=0)).cache == how
    assert (await send(tenants, "alice", "/v1/mixture/cache")).data["entries"] == 1
    assert (await send(tenants, "bob", "/v1/mixture/cache")).data["entries"] == 0
    assert (await send(tenants, "bob", "/v1/mixture/cache", method="DELETE")).data["deleted"] == 0
    assert (await ask(tenants, "bob", "inside", "What word opens the safe?", temperature=0)).cache == "miss"
    assert (await ask(tenants, "bob", "inside", temperature=0)).cache != "hit"
    assert (await ask(tenants, "alice", "inside", temperature=0)).cache == "hit"


async def test_a_conversation_of_the_same_name_is_another_one(tenants):
    first = (await ask(tenants, "alice", "task_based", session="s")).data["mixture"]["route"]["signals"]["session"]
    assert not first["stayed"]
    again = (await ask(tenants, "alice", "task_based", session="s")).data["mixture"]["route"]["signals"]["session"]
    assert again["stayed"]
    other = (await ask(tenants, "bob", "task_based", session="s")).data["mixture"]["route"]["signals"]["session"]
    assert not other["stayed"]


async def test_nobody_judges_another_s_answer_or_sees_its_files(tenants):
    answered = await ask(tenants, "alice", "inside")
    note = {"request_id": answered.id, "thumbs": "down"}

    async def judged():
        return (await send(tenants, "alice", "/v1/mixture/feedback", note)).status == 200

    await until(judged)
    refused = await send(tenants, "bob", "/v1/mixture/feedback", note)
    unknown = await send(tenants, "bob", "/v1/mixture/feedback", {**note, "request_id": "req_that_never_was"})
    assert (refused.status, unknown.status) == (404, 404)
    assert refused.data["error"]["code"] == unknown.data["error"]["code"]
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", b"{}", filename="in.jsonl")
    headers = {"authorization": f"Bearer {tenants.keys['alice']}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{tenants.url}/v1/files", data=form, headers=headers) as answer,
    ):
        file = (await answer.json())["id"]
    for path, method in (
        (f"/v1/files/{file}", "GET"),
        (f"/v1/files/{file}/content", "GET"),
        (f"/v1/files/{file}", "DELETE"),
    ):
        assert (await send(tenants, "bob", path, method=method)).status == 404
    assert (await send(tenants, "bob", "/v1/files")).data["data"] == []
    assert len((await send(tenants, "alice", "/v1/files")).data["data"]) == 1


async def test_a_batch_of_a_limited_key_is_limited_as_the_key_is(tenants):
    await tenants.mixture.documents.add(LOCAL, "open", [Submission("safe.md", "safe.md", TEXT.encode())])
    body = {"model": "inside", "messages": [{"role": "user", "content": QUESTION}], "mixture": {"retrieval": True}}
    row = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    async with openai.AsyncOpenAI(base_url=f"{tenants.url}/v1", api_key=tenants.keys["scoped"]) as api:
        sent = await api.files.create(file=("in.jsonl", orjson.dumps(row)), purpose="batch")
        batch = await api.batches.create(input_file_id=sent.id, endpoint=row["url"], completion_window="24h")

        async def done():
            found = await api.batches.retrieve(batch.id)
            return found if found.status == "completed" else None

        found = await until(done)
        output = (await api.files.content(found.output_file_id)).text
    assert '"passages":null' in output.replace(" ", "")
    assert not shown(tenants, "inside")


async def test_costs_are_those_of_the_key_that_asks_and_sums_of_all_are_the_owner_s(tenants):
    await ask(tenants, "alice", "voted")
    await ask(tenants, "bob", "inside")

    async def entered():
        return len((await send(tenants, "owner", "/v1/mixture/usage?by=key")).data["data"]) == 2

    await until(entered)
    for path in ("by=key", "by=request,key", "by=expert,key"):
        rows = (await send(tenants, "bob", f"/v1/mixture/usage?{path}")).data["data"]
        assert {row["name"] for row in rows} == {"bob"}
        assert sum(row["calls"] for row in rows) == 1
    for path in ("/metrics", "/v1/mixture/experiments"):
        assert (await send(tenants, "owner", path)).status == 200
        refused = await send(tenants, "bob", path)
        assert (refused.status, refused.data["error"]["code"]) == (403, "owner_only")
    assert "feedback" in (await send(tenants, "owner", "/v1/mixture/strategies")).data
    assert (await send(tenants, "bob", "/v1/mixture/strategies")).data.get("feedback") is None
