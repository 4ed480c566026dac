"""A scorer of the user's own, named in the configuration."""

import pytest

from mixture import Mixture
from mixture.config import ConfigError
from mixture.types import Completion, Query


class Shortest:
    """The shorter the better."""

    async def score(self, query: Query, completion: Completion) -> float:
        return 1 / (1 + len(completion.text))


class Mute:
    """No scorer at all."""


def _config(scorer: str) -> dict:
    texts = {"long": "a rather long answer, and complete.", "short": "brief."}
    experts = [{"name": name, "provider": "scripted", "options": {"text": text}} for name, text in texts.items()]
    return {"experts": experts, "scorer": scorer}


async def test_best_of_n_scores_with_it(monkeypatch):
    monkeypatch.setattr("mixture.tokens.Shortest", Shortest, raising=False)
    answer = await Mixture.from_config(_config("mixture.tokens:Shortest")).answer("Say something", "best_of_n")
    assert answer.text == "brief."


@pytest.mark.parametrize("scorer", ["no.such:thing", "mixture.tokens:nothing", "nonsense", "mixture.tokens:Mute"])
def test_what_can_not_score_is_a_fault_of_the_configuration(scorer, monkeypatch):
    monkeypatch.setattr("mixture.tokens.Mute", Mute, raising=False)
    with pytest.raises(ConfigError, match="scorer"):
        Mixture.from_config(_config(scorer))
