"""How far experts are to be believed: learned with and without labels, stored, and put to use in a vote."""

import json
import random

import pytest

from mixture.aggregation import make_aggregator
from mixture.aggregation.calibration import calibration_error, platt
from mixture.aggregation.learning import Poll, from_answers, from_labels
from mixture.aggregation.majority import Majority
from mixture.aggregation.reliability import Reliability, ReliabilityError, Standing, load, save
from mixture.config import AggregatorConfig, ConfigError
from mixture.types import Choice, Completion, Message, Query

SHARES = {"good": 0.9, "fair": 0.65, "poor": 0.35, "poorer": 0.3}


def polls(count, shares=SHARES, domain="", seed=0):
    """Independent voters who are right as often as `shares` say and else give one of three wrong answers."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        votes = {n: "right" if rng.random() < s else f"wrong{rng.randrange(3)}" for n, s in shares.items()}
        made.append(Poll(votes, domain, {name: float(vote == "right") for name, vote in votes.items()}))
    return made


def unlabelled(some):
    return [Poll(poll.votes, poll.domain) for poll in some]


def said(**answers):
    return [Completion(name, (Choice(text),)) for name, text in answers.items()]


def asked(text="How many?"):
    return Query((Message("user", text),))


async def voted(reliability, weights, **answers):
    return await Majority(None, reliability).aggregate(asked(), said(**answers), weights)


@pytest.mark.parametrize("learn", [from_labels, lambda some: from_answers(unlabelled(some))])
def test_votes_weigh_as_their_givers_are_right(learn):
    found = learn(polls(800))
    weights = [found.weight(name) for name in SHARES]
    assert weights == sorted(weights, reverse=True)
    assert found.weight("good") > found.weight("poor") + found.weight("poorer") - found.common


def test_without_labels_the_shares_are_found_all_the_same():
    found = from_answers(unlabelled(polls(800)))
    assert not found.labelled
    for name, share in SHARES.items():
        assert found.experts[name].right == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("learn", [from_labels, lambda some: from_answers(unlabelled(some))])
def test_domains_are_told_apart(learn):
    swapped = dict(zip(SHARES, reversed(SHARES.values()), strict=True))
    found = learn([*polls(400, domain="math"), *polls(400, swapped, "law", seed=1)])
    assert found.weight("good", "math") > found.weight("poorer", "math")
    assert found.weight("good", "law") < found.weight("poorer", "law")
    assert found.weight("good", "cooking") == pytest.approx(found.weight("good"))


def test_probabilities_mean_what_they_say():
    found = from_labels(polls(1000))
    said, right = [], []
    for poll in polls(1000, seed=7):
        votes = list(poll.votes.items())
        scores = found.scores(votes)
        best = max(scores, key=scores.get)
        said.append(found.probability(best, votes))
        right.append(best == "right")
    assert calibration_error(said, right) < 0.04


def test_experts_who_err_together_are_not_counted_twice():
    together = []
    for poll in polls(800, {"one": 0.6, "other": 0.6}):
        votes = {**poll.votes, "echo": poll.votes["one"]}
        together.append(Poll(votes, "", {name: float(vote == "right") for name, vote in votes.items()}))
    found = from_labels(together)
    alone = found.log_odds("a", [("one", "a")])
    with_echo = found.log_odds("a", [("one", "a"), ("echo", "a")])
    confirmed = found.log_odds("a", [("one", "a"), ("other", "a")])
    assert alone < with_echo < alone + confirmed


def test_abstentions_and_strangers():
    found = from_labels([*polls(200), Poll({"good": None, "fair": None}, "", {"good": 0.0, "fair": 0.0})])
    assert found.scores([("good", None), ("never seen", "x")]) == {"x": pytest.approx(found.common)}
    assert 0 < found.probability("x", [("never seen", "x")]) < 1


@pytest.mark.parametrize("learn", [from_labels, from_answers])
def test_nothing_to_learn_from(learn):
    with pytest.raises(ValueError, match="no poll"):
        learn([])


def test_what_is_stored_is_read_again(tmp_path):
    found = from_labels(polls(100, domain="math"))
    save(found, tmp_path / "r.json")
    assert load(tmp_path / "r.json") == found
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("no json", "not stored"),
        ('{"version": 99}', "version 99"),
        ('{"version": 1, "experts": {}}', "not stored"),
        (json.dumps({"version": 1, "experts": [1]}), "not stored"),
    ],
)
def test_what_can_not_be_read_is_said(tmp_path, content, why):
    path = tmp_path / "r.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReliabilityError, match=why):
        load(path)
    with pytest.raises(ConfigError, match=r"aggregator\.reliability"):
        make_aggregator(None, AggregatorConfig(reliability=str(path)))


def test_no_number_that_is_none(tmp_path):
    save(Reliability({"a": Standing(0.5, 1, float("nan"))}, 1.0), tmp_path / "r.json")
    with pytest.raises(ReliabilityError):
        load(tmp_path / "r.json")


async def test_a_plain_vote_stays_plain_and_has_a_confidence():
    found = from_labels(polls(400))
    plain = await voted(found, None, good="1", poor="2", poorer="2")
    assert (plain.chosen, plain.agreed) == (1, 2)
    weighed = await voted(found, "learned", good="1", poor="2", poorer="2")
    assert (weighed.chosen, weighed.agreed) == (0, 1)
    assert 0 < plain.confidence < weighed.confidence < 1
    assert (await voted(None, "learned", good="1", poor="2", poorer="2")).confidence is None


async def test_votes_of_ones_own_weight():
    chosen = [(await voted(None, {"a": w}, a="1", b="2", c="2")).chosen for w in (1.5, 2.0, 2.5)]
    assert chosen == [1, 0, 0]


async def test_more_agreement_is_more_confidence():
    found = from_labels(polls(400))
    all_agree = await voted(found, "learned", good="1", fair="1", poor="1")
    two_agree = await voted(found, "learned", good="1", fair="1", poor="2")
    none_agree = await voted(found, "learned", good="1", fair="2", poor="3")
    assert all_agree.confidence > two_agree.confidence > none_agree.confidence


def test_calibration():
    assert calibration_error([0.25, 0.25, 0.25, 0.25], [0, 0, 0, 1]) == 0
    assert calibration_error([1.0, 1.0], [0, 1]) == 0.5
    assert calibration_error([], []) == 0
    import numpy as np

    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 4000)
    right = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * odds - 1)))).astype(float)
    assert platt(odds, right) == (pytest.approx(0.5, abs=0.1), pytest.approx(-1, abs=0.15))
    assert platt(np.array([]), np.array([])) == (1.0, 0.0)
