"""Online learning: it follows what changed, keeps what it knew, and can't be pushed further than its bounds."""

import numpy as np
import pytest

from mixture.feedback.learning import RADIUS, Learner
from tests.unit.feedback.conftest import POEM, PROOF, WORDS


def taught(learner, prompt, expert, score, times, seed=0):
    """`times` outcomes; `score` may be a probability of 1."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        learner.learn(prompt.format(rng.choice(WORDS)), expert, float(rng.random() < score))


def said(predictor, prompt, expert):
    return float(predictor.qualities(prompt.format("moon"))[predictor.experts.index(expert)])


def drift(learner, expert):
    column = learner.calibrated.experts.index(expert)
    old, new = learner.calibrated, learner.published
    parts = [new.sparse[:, column] - old.sparse[:, column], new.dense[:, column] - old.dense[:, column]]
    return float(np.sqrt(sum((part**2).sum() for part in parts) + (new.base[column] - old.base[column]) ** 2))


def test_what_has_changed_is_learned(calibration):
    learner = Learner(calibration.predictor, seed=1)
    before = said(learner.published, PROOF, "cheap")
    taught(learner, PROOF, "cheap", 0.95, 200)
    assert said(learner.published, PROOF, "cheap") > before + 0.08
    assert learner.number > 0
    assert all(version.high <= 0.005 for version in learner.versions if version.state in ("routing", "replaced"))


def test_what_is_learned_of_one_is_not_forgotten_of_others(calibration):
    learner = Learner(calibration.predictor, seed=1)
    taught(learner, PROOF, "cheap", 0.95, 300)
    for prompt, expert in ((POEM, "dear"), (PROOF, "dear")):
        assert said(learner.published, prompt, expert) == said(calibration.predictor, prompt, expert)
    assert abs(said(learner.published, POEM, "cheap") - said(calibration.predictor, POEM, "cheap")) < 0.15


def test_a_flood_moves_no_further_than_the_ball(calibration):
    learner = Learner(calibration.predictor, seed=2)
    for _ in range(3_000):
        learner.learn(PROOF.format("nine"), "dear", 0.0)
    assert 0 < drift(learner, "dear") <= RADIUS * 1.001
    few = Learner(calibration.predictor, seed=2)
    for _ in range(300):
        few.learn(PROOF.format("nine"), "dear", 0.0)
    assert said(learner.published, PROOF, "dear") > 0.5
    assert drift(few, "dear") <= RADIUS * 1.001


def test_one_outcome_moves_a_prediction_by_a_small_part_of_its_error(calibration):
    learner = Learner(calibration.predictor, seed=0)
    learner._weigh = lambda: None
    row = learner._row(PROOF.format("nine"), 1, 0.0, None)
    before = learner._base[1] + row.values @ learner._sparse[row.positions, 1] + row.dense @ learner._dense[:, 1]
    learner._step(row)
    after = learner._base[1] + row.values @ learner._sparse[row.positions, 1] + row.dense @ learner._dense[:, 1]
    assert 0 < before - after < 0.2 * before


def test_contradictions_cancel_out(calibration):
    learner = Learner(calibration.predictor, seed=3)
    prediction = said(learner.published, POEM, "cheap")
    for number in range(400):
        learner.learn(POEM.format(WORDS[number % 6]), "cheap", float(number % 10 != 0))
    assert said(learner.published, POEM, "cheap") == pytest.approx(prediction, abs=0.1)


def test_a_version_that_the_held_out_outcomes_refute_is_not_used(calibration):
    """Whoever teaches one thing while what is held out says another: the lot is stacked here, as if poisoned."""
    learner = Learner(calibration.predictor, seed=4)
    learner._lots = Alternating()
    for _ in range(150):
        learner.learn(PROOF.format("nine"), "dear", 1.0)  # held out: what is true
        learner.learn(PROOF.format("nine"), "dear", 0.0)  # taught
    assert learner.published is calibration.predictor
    assert {version.state for version in learner.versions} == {"refused"}
    assert learner.number == 0


def misled(calibration, seed):
    """A learner whose first version has just been published, taught that the dear expert fails at proofs."""
    learner = Learner(calibration.predictor, seed=seed)
    while learner.published is calibration.predictor:
        learner.learn(PROOF.format("nine"), "dear", 0.0)
    return learner


@pytest.mark.parametrize("seed", range(3))
def test_a_version_that_turns_out_worse_is_taken_back(calibration, seed):
    learner = misled(calibration, seed)
    worse = said(learner.published, PROOF, "dear")
    assert worse < said(calibration.predictor, PROOF, "dear") - 0.02
    for _ in range(300):
        learner.learn(PROOF.format("nine"), "dear", 1.0)
    assert "taken back" in {version.state for version in learner.versions}
    assert said(learner.published, PROOF, "dear") >= said(calibration.predictor, PROOF, "dear") - 0.01


def test_taking_back_restores_the_version_before(calibration):
    learner = misled(calibration, 6)
    learner._lots = Alternating()
    while learner.versions[-1].state != "taken back":
        learner.learn(PROOF.format("nine"), "dear", 1.0)
        learner.learn(POEM.format("nine"), "cheap", 1.0)
        assert learner.outcomes < 500
    assert learner.published is calibration.predictor
    assert learner.number == 0


class Alternating:
    """A lot that holds out every other outcome."""

    def __init__(self):
        self.turn = 1

    def randrange(self, _):
        self.turn = 1 - self.turn
        return self.turn


@pytest.mark.parametrize(
    ("prompt", "expert", "why"),
    [
        (POEM.format("moon"), "unknown", "not calibrated with this expert"),
        ("数学の証明を書いてください。" * 20, "cheap", "unlike all"),
    ],
)
def test_what_is_not_learned_says_why(calibration, prompt, expert, why):
    learner = Learner(calibration.predictor, seed=0)
    assert why in learner.learn(prompt, expert, 1.0)
    assert learner.outcomes == 0
