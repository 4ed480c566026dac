"""A small calibration: two experts, of whom the cheap one writes poems well and fails at proofs."""

import numpy as np
import pytest

from mixture.routing.calibration import Calibration, nothing_held
from mixture.routing.fitting import fit
from mixture.routing.outcomes import make
from mixture.routing.storage import save

POEM, PROOF = "Write a short poem about the {} and the sea", "Prove that the sum of {} odd integers is even"
WORDS = ("moon", "seven", "river", "twelve", "stone", "nine")


@pytest.fixture(scope="session")
def calibration():
    rng, prompts, scores = np.random.default_rng(0), [], []
    for number in range(240):
        poem = number % 2 == 0
        prompts.append((POEM if poem else PROOF).format(rng.choice(WORDS)))
        chances = (0.9, 0.9) if poem else (0.2, 0.9)
        scores.append([float(rng.random() < chance) for chance in chances])
    predictor = fit(make(prompts, ["cheap", "dear"], scores, (0.001, 0.02)))
    return Calibration(predictor, nothing_held(predictor), "fit-1")


@pytest.fixture
def router_file(calibration, tmp_path):
    save(calibration, tmp_path / "router.npz")
    return str(tmp_path / "router.npz")
