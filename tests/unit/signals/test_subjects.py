"""Domains of requests, by the packaged classifier and by one that is fitted to other texts."""

import pytest

from mixture.routing import subjects
from mixture.routing.subject_fitting import examples, fit

MMLU_PRO = [
    "biology",
    "business",
    "chemistry",
    "economics",
    "engineering",
    "health",
    "history",
    "law",
    "math",
    "other",
    "philosophy",
    "physics",
    "psychology",
]


def test_all_domains_that_were_promised_are_there():
    assert {*MMLU_PRO, "computer science", "code", "creative", "chat"} <= set(subjects.packaged_classifier().names)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Does the exclusionary rule apply to evidence that a private person seized?", "law"),
        ("Which hormone makes fruit ripen, and how do cells of the plant respond?", "biology"),
        ("How many moles of sodium hydroxide neutralise 10 mL of 1 M nitric acid?", "chemistry"),
        ("An electron moves through a magnetic field of 2 tesla; what force acts on it?", "physics"),
        ("Why did Bismarck provoke a war with France in 1870?", "history"),
        ("Write a TypeScript function that debounces clicks and add a unit test", "code"),
        ("Write me a short poem about snow", "creative"),
        ("hey, good evening! how are you doing?", "chat"),
        ("What does a rise of the central bank's rate do to inflation and employment?", "economics"),
        ("What did Kant mean by the thing in itself?", "philosophy"),
    ],
)
def test_requests_find_their_domain(text, domain):
    guess = subjects.packaged_classifier().guess(text)
    assert guess.domain == domain
    assert sum(guess.probabilities.values()) == pytest.approx(1)


def test_what_is_like_no_example_is_weak():
    classifier = subjects.packaged_classifier()
    known = classifier.guess("The plaintiff sued the defendant for negligence")
    assert classifier.guess("zxqv blorf wug").strength < known.strength


def test_what_is_packaged_is_what_fitting_gives():
    fresh, packaged = fit(*examples()), subjects.packaged_classifier()
    for text in ("Explain the doctrine of adverse possession", "What is entropy?", "hi", "Sort a list in Rust"):
        told, made = packaged.guess(text), fresh.guess(text)
        assert told.domain == made.domain
        assert told.probability == pytest.approx(made.probability, abs=0.01)


def test_other_domains_can_be_learned():
    texts = [
        "turn on the lamp",
        "dim the lights",
        "switch the heating off",
        "play a song",
        "next track",
        "louder music",
    ]
    classifier = fit(texts, ["home"] * 3 + ["music"] * 3)
    assert classifier.guess("switch the lights on").domain == "home"
    assert classifier.guess("play some music").domain == "music"


def test_one_domain_is_none():
    with pytest.raises(ValueError, match="two domains"):
        fit(["a", "b"], ["x", "x"])
