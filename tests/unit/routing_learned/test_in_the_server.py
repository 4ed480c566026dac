"""The learned router inside a whole mixture: the file, the wishes, the report."""

import numpy as np
import pytest

from mixture.api.wishes import MixtureFields
from mixture.config import ConfigError, parse
from mixture.errors import InvalidQuery
from mixture.mixture import Mixture
from mixture.models import Wishes
from mixture.routing import storage
from mixture.routing.calibration import Calibration, Held
from mixture.types import Message, Query

POEM, PROOF = "Write a short poem about the moon and the sea", "Prove that the sum of seven odd integers is even"


@pytest.fixture(scope="session")
def file(predictor, tmp_path_factory):
    rng = np.random.default_rng(3)
    texts = [PROOF if place % 3 == 0 else POEM for place in range(900)]
    said = {text: predictor.qualities(text) for text in (POEM, PROOF)}
    chances = [(0.2, 0.9) if text == PROOF else (0.9, 0.9) for text in texts]
    held = Held(np.array([said[t] for t in texts], np.float32), (rng.random((900, 2)) < chances).astype(np.float32))
    path = tmp_path_factory.mktemp("calibrated") / "router.npz"
    storage.save(Calibration(predictor, held, "v1"), path)
    return str(path)


def config(**more):
    price = {"cheap": {"input": 0.1, "output": 0.4}, "dear": {"input": 3, "output": 12}}
    experts = [
        {"name": name, "provider": "scripted", "price": price[name], "options": {"text": f"{name} says"}}
        for name in price
    ]
    return parse({"experts": experts, **more}, {})


async def test_a_wish_for_quality_changes_who_answers_and_the_report_says_what_is_promised(file):
    mixture = Mixture.from_config(config(router={"file": file, "usd_per_answer": 0}))
    plain = await mixture.answer(PROOF)
    assert plain.completion.expert == "cheap"
    assert plain.report.route.signals["promise"] is None
    good = await mixture.answer(PROOF, wishes=Wishes(quality=0.95))
    assert good.completion.expert == "dear"
    assert good.report.route.signals["promise"]["guaranteed"] is True
    assert (await mixture.answer(POEM, wishes=Wishes(quality=0.95))).completion.expert == "cheap"


async def test_an_alias_and_the_router_may_set_the_quality_too(file):
    aliases = {"good": {"strategy": "task_based", "quality": 0.95}}
    mixture = Mixture.from_config(config(router={"file": file, "usd_per_answer": 0}, aliases=aliases))
    assert (await mixture.answer(PROOF, "good")).completion.expert == "dear"
    assert (await mixture.answer(PROOF, "good", wishes=Wishes(quality=0.1))).completion.expert == "cheap"
    always = Mixture.from_config(config(router={"file": file, "usd_per_answer": 0, "quality": 0.95}))
    assert (await always.answer(PROOF)).completion.expert == "dear"


async def test_a_quality_of_a_single_expert_is_refused(file):
    mixture = Mixture.from_config(config(router={"file": file}))
    with pytest.raises(InvalidQuery, match="is one expert") as refused:
        await mixture.answer(PROOF, "dear", wishes=Wishes(quality=0.9))
    assert refused.value.param == "mixture.quality"
    assert MixtureFields(quality=0.9).wishes().quality == 0.9


async def test_a_dearer_expert_is_not_asked_beyond_the_budget(file):
    mixture = Mixture.from_config(config(router={"file": file, "usd_per_answer": 10}))
    assert (await mixture.answer(PROOF)).completion.expert == "dear"
    found = await mixture.answer(PROOF, wishes=Wishes(max_cost_usd=0.001))
    assert found.completion.expert == "cheap"


async def test_a_session_stays_with_its_expert_through_the_whole(file):
    mixture = Mixture.from_config(config(router={"file": file, "usd_per_answer": 10}))
    begun = Query((Message("user", PROOF),), session="s")
    assert (await mixture.answer(begun)).completion.expert == "dear"
    then = Query((*begun.messages, Message("assistant", "done"), Message("user", POEM)), session="s")
    found = await mixture.answer(then)
    assert found.completion.expert == "dear"
    assert found.report.route.signals["session"]["stayed"] is True


async def test_a_missing_file_is_no_reason_not_to_answer(tmp_path):
    mixture = Mixture.from_config(config(router={"file": str(tmp_path / "none.npz")}))
    found = await mixture.answer(PROOF)
    assert "by keywords (" in found.report.route.why
    assert "No such file" in found.report.route.signals["fallback"]


@pytest.mark.parametrize(
    ("router", "says"),
    [
        ({"kind": "learned"}, "mixture calibrate"),
        ({"routing_threshold": 0.1}, "needs `weak` and `strong`"),
        ({"weak": "cheap", "strong": "cheap"}, "the same expert"),
        ({"weak": "chep"}, "router.weak: unknown expert 'chep'"),
        ({"quality": 2}, "router.quality"),
        ({"knd": "learned"}, "router.knd"),
    ],
)
def test_faults_are_named(router, says):
    with pytest.raises(ConfigError, match=says):
        config(router=router)
