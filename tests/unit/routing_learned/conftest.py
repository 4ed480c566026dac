import numpy as np
import pytest

from mixture.routing.fitting import fit
from mixture.routing.outcomes import make

TOPICS = {
    "poem": "Write a short poem about the {} and the sea",
    "proof": "Prove that the sum of {} odd integers is even",
}


def synthetic(size=240, seed=0):
    """Two experts: the cheap one writes poems as well as the dear one, and fails at proofs."""
    rng = np.random.default_rng(seed)
    prompts, scores, domains = [], [], []
    for number in range(size):
        domain = ("poem", "proof")[number % 2]
        prompts.append(TOPICS[domain].format(rng.choice(["moon", "seven", "river", "twelve", "stone", "nine"])))
        chances = (0.9, 0.9) if domain == "poem" else (0.2, 0.9)
        scores.append([float(rng.random() < chance) for chance in chances])
        domains.append(domain)
    return make(prompts, ["cheap", "dear"], scores, (0.001, 0.02), domains)


@pytest.fixture(scope="session")
def log():
    return synthetic()


@pytest.fixture(scope="session")
def predictor(log):
    return fit(log)
