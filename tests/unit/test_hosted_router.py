"""The router as a deployment hosts it, and its twin in the gateway, over a handle that is called as Ray's is."""

import asyncio

import pytest

from deployments.remote import Hosted
from deployments.router import HostedRouter, decided
from mixture.assembly import assemble
from mixture.config import RouterConfig, parse
from mixture.errors import Overloaded
from mixture.routing.keyword import KeywordRouter
from mixture.types import ExpertCard, Load, Message, Query

CARDS = (ExpertCard("mini", "openai", skills=("general",)), ExpertCard("coder", "openai", skills=("code",)))
CODE = Query((Message("user", "Write a Python function"),))


class Response:
    """What a handle's call returns: awaited for the result, and cancelled when nobody wants it."""

    def __init__(self, call):
        self._task = asyncio.ensure_future(call)
        self.cancelled = False

    def __await__(self):
        return asyncio.shield(self._task).__await__()

    def cancel(self):
        self.cancelled = True
        self._task.cancel()


class Handle:
    """A handle to `hosted`; `late` calls never come back."""

    def __init__(self, hosted, late=False, gone=None):
        self.hosted, self.late, self.gone = hosted, late, gone
        self.responses = []

    def options(self, method_name):
        assert method_name == "route"
        return self

    def remote(self, *arguments):
        self.responses.append(Response(self._answer(*arguments)))
        return self.responses[-1]

    async def _answer(self, *arguments):
        if self.gone is not None:
            raise self.gone
        if self.late:
            await asyncio.Event().wait()
        return await self.hosted.route(*arguments)


def router_of(handle, **fields):
    """The router of a gateway whose router is hosted behind `handle`."""
    experts = [{"name": card.name, "provider": "scripted", "skills": list(card.skills)} for card in CARDS]
    config = parse({"experts": experts, "router": fields}, {})
    hosts = Hosted(parts={"router": handle, "retrieval": Handleless()}).hosts()
    return assemble(config, hosts=hosts, environ={})[1].router


class Handleless:
    """A handle that nobody calls."""

    def options(self, **_):
        return self


async def test_decisions_come_back_with_the_loads_that_were_told():
    found = await router_of(Handle(KeywordRouter()), timeout_ms=60_000).route(CODE, CARDS, {"mini": Load(waiting=2.0)})
    assert found.experts[0] == "coder"
    assert "fallback" not in found.signals
    assert found.signals["candidates"][0]["waiting"] == 2.0


async def test_requests_of_a_batch_are_decided_at_once_and_one_s_error_is_its_own():
    everyone = asyncio.Barrier(3)

    class Picky:
        async def route(self, query, cards, loads=None):
            await everyone.wait()
            if query.text == "bad":
                raise Overloaded("not this one")
            return query.text

    asked = [(Query((Message("user", text),)), CARDS, None) for text in ("one", "bad", "two")]
    async with asyncio.timeout(10):
        found = await decided(Picky(), asked)
    assert (found[0], found[2]) == ("one", "two")
    assert isinstance(found[1], Overloaded)


async def test_a_late_router_is_passed_over_and_told_to_stop():
    handle = Handle(None, late=True)
    found = await router_of(handle, timeout_ms=1).route(CODE, CARDS)
    assert found.experts[0] == "coder"
    assert found.why.startswith("by keywords (it did not decide within 1 ms)")
    assert handle.responses[0].cancelled


@pytest.mark.parametrize("gone", [RuntimeError("the actor died"), asyncio.CancelledError()], ids=["died", "cancelled"])
async def test_a_router_that_is_down_is_passed_over(gone):
    found = await router_of(Handle(None, gone=gone)).route(CODE, CARDS)
    assert found.experts[0] == "coder"
    assert "the router is not available" in found.signals["fallback"]


class Encoder:
    """Stands where a model that takes long to load would."""

    def __init__(self):
        self.texts = []

    async def embed(self, texts):
        self.texts += texts
        return [[1.0, 0.0] for _ in texts]


async def test_an_encoder_is_loaded_before_the_first_request(monkeypatch):
    encoder = Encoder()
    monkeypatch.setattr("mixture.routing.encoders.text_model", lambda name: encoder)
    hosted = HostedRouter(RouterConfig(kind="embedding", encoder="heavy"))
    await hosted.check_health()
    assert encoder.texts
    before = len(encoder.texts)
    await hosted.check_health()
    assert len(encoder.texts) == before
    cards = [ExpertCard("a", "scripted", skills=("code",)), ExpertCard("b", "scripted", skills=("poems",))]
    route = await hosted._router.route(Query((Message("user", "Write code."),)), cards)
    assert route.experts


async def test_a_router_without_an_encoder_has_nothing_to_load():
    hosted = HostedRouter(RouterConfig())
    await hosted.check_health()
    assert not hosted._cold
