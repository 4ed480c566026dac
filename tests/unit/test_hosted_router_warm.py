"""The router in a process of its own, without the process."""

from __future__ import annotations

from deployments.router import HostedRouter
from mixture.config import RouterConfig
from mixture.types import ExpertCard, Message, Query


class Encoder:
    """Stands where a model that takes long to load would."""

    def __init__(self):
        self.texts = []

    async def embed(self, texts):
        self.texts += texts
        return [[1.0, 0.0] for _ in texts]


async def test_an_encoder_is_loaded_before_the_first_request(monkeypatch):
    encoder = Encoder()
    monkeypatch.setattr("mixture.routing.encoders.SentenceModel", lambda name: encoder)
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
