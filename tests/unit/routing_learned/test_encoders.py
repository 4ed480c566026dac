"""A heavier encoder for the learned router: chosen when it is calibrated, asked once for a batch, never mixed up."""

import asyncio

import numpy as np
import pytest

from deployments.router import decided
from mixture.config import RouterConfig
from mixture.embedding import BATCH
from mixture.routing import calibrating, make_router, storage
from mixture.routing.encoders import Gathered
from mixture.routing.fallback import Missing
from mixture.routing.learned import LearnedRouter
from mixture.routing.reloading import use
from mixture.routing.storage import PredictorError
from mixture.types import ExpertCard, Message, Price, Query

CARDS = (ExpertCard("cheap", "openai", price=Price(0.1, 0.4)), ExpertCard("dear", "openai", price=Price(3, 12)))
NAME = "some_model"


class Model:
    """Counts how often it is asked; a text's vector says whether it is a proof."""

    def __init__(self, name=NAME):
        self.asked = []

    def encode(self, texts):
        return np.array([[1.0, 0.0] if "Prove" in text else [0.0, 1.0] for text in texts], dtype=np.float32)

    async def embed(self, texts):
        self.asked.append(len(texts))
        await asyncio.sleep(0)
        return self.encode(texts).tolist()


@pytest.fixture
def calibration(log, monkeypatch):
    monkeypatch.setattr(calibrating, "text_model", Model)
    return calibrating.calibrate(log, encoder=NAME)


def query(text):
    return Query((Message("user", text),))


async def test_what_is_asked_at_the_same_time_is_encoded_together():
    model = Model()
    gathered = Gathered(model)
    found = await asyncio.gather(*(gathered.embed([f"Prove {n}"] if n % 2 else ["a poem", "two"]) for n in range(4)))
    assert model.asked == [6]
    assert [len(vectors) for vectors in found] == [2, 1, 2, 1]
    assert found[1] == [[1.0, 0.0]]
    assert found[2][0] == [0.0, 1.0]
    await asyncio.gather(*(gathered.embed(["x"]) for _ in range(BATCH + 3)))
    assert model.asked == [6, BATCH, 3]


async def test_an_error_is_told_to_who_asked_and_who_leaves_harms_nobody():
    class Broken(Model):
        async def embed(self, texts):
            if "bad" in texts:
                raise ValueError("no vectors")
            return await super().embed(texts)

    gathered = Gathered(Broken())
    with pytest.raises(ValueError, match="no vectors"):
        await gathered.embed(["bad"])
    gone, kept = (asyncio.ensure_future(gathered.embed([text])) for text in ("gone", "kept"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await kept == [[0.0, 1.0]]


def test_it_serves_one_event_loop_after_another():
    gathered = Gathered(Model())
    for _ in range(2):
        assert asyncio.run(gathered.embed(["Prove"])) == [[1.0, 0.0]]


async def test_a_batch_of_the_hosted_router_is_encoded_in_one_call(calibration):
    model = Model()
    router = LearnedRouter(calibration, RouterConfig(file="f", encoder=NAME, usd_per_answer=0.1), Gathered(model))
    texts = [f"Prove that the sum of {n} odd integers is even" for n in range(8)]
    routes = await decided(router, [(query(text), CARDS, None) for text in texts])
    assert model.asked == [8]
    assert {route.experts[0] for route in routes} == {"dear"}
    assert routes[0].signals["encoder"] == NAME


async def test_a_file_and_the_configuration_must_name_the_same_encoder(calibration, predictor, tmp_path):
    file = tmp_path / "router.npz"
    storage.save(calibration, file)
    assert storage.load(file).encoder == NAME
    router = make_router(RouterConfig(file=str(file)))
    assert isinstance(router, Missing)
    route = await router.route(query("Prove it"), CARDS)
    assert f"calibrated with encoder '{NAME}', but router.encoder is 'hashed'" in route.why


async def test_a_newer_file_of_another_encoder_changes_nothing(calibration, log):
    ours = calibrating.calibrate(log)
    router = LearnedRouter(ours, RouterConfig(file="f"))
    with pytest.raises(PredictorError, match="calibrated with encoder"):
        router.calibration = calibration
    use(router, calibration)
    assert router.calibration is ours
    assert (await router.route(query("Prove it"), CARDS)).experts
