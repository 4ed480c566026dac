"""Votes: counted, and compared."""

import pytest

from mixture.aggregation import make_aggregator
from mixture.aggregation.agreement import supports
from mixture.aggregation.ballots import ballots, canonical_json
from mixture.aggregation.similarity import lexical
from mixture.types import Choice, Completion, Message, Query, ToolCall

LIGHT = (
    "Light is refracted when it enters water because it travels more slowly there, so its way bends toward the normal.",
    "Because light travels more slowly in water than in air, its direction bends toward the normal: it is refracted.",
    "When light enters water it travels more slowly, so it bends toward the normal. This bending is called refraction.",
)
OTHER = "Water is wet, and swimming in the sea is a popular pastime of many people who live near the coast in summer."


def said(*texts):
    return [Completion(f"e{i}", (Choice(text),)) for i, text in enumerate(texts)]


def query(text):
    return Query((Message("user", text),))


async def verdict(question, *texts, embedder=None):
    return await make_aggregator(embedder).aggregate(query(question), said(*texts))


async def test_a_majority_however_it_is_written():
    found = await verdict("How many?", "41", "It is 42.", '{"answer": "42.0"}', "\\boxed{42}")
    assert (found.chosen, found.agreed, found.agreement) == (1, 3, 0.75)


async def test_the_first_of_equals():
    assert (await verdict("How many?", "2", "3", "3", "2")).chosen == 0


async def test_those_who_name_no_answer_do_not_vote():
    found = await verdict("How many?", "I do not know.", "3", "3.")
    assert (found.chosen, found.agreed) == (1, 2)


async def test_letters_of_options_and_their_texts_are_one():
    found = await verdict("Which?\nA) red\nB) green", "A", "B) green", "The correct answer is (B).")
    assert (found.chosen, found.agreed) == (1, 2)


async def test_long_texts_by_their_words_the_odd_one_never_wins():
    for place in range(4):
        texts = [*LIGHT]
        texts.insert(place, OTHER)
        found = await verdict("Explain why light bends in water.", *texts)
        assert found.chosen != place
        assert found.agreed == 3
        assert 0 < found.agreement < 1


async def test_long_texts_by_their_vectors():
    class Embedder:
        async def embed(self, texts):
            return [[1.0, 0.0] if "light" in text.lower() else [0.0, 1.0] for text in texts]

    found = await verdict("Explain.", OTHER, *LIGHT, embedder=Embedder())
    assert (found.chosen, found.agreed) == (1, 3)
    assert found.agreement == pytest.approx(2 / 3)


async def test_a_single_proposal_agrees_with_itself():
    assert (await verdict("Explain.", OTHER)).agreement == 1.0
    assert (await verdict("How many?", "3")).agreed == 1


def test_similarity_is_symmetric_and_texts_are_like_themselves():
    matrix = lexical([*LIGHT, OTHER, ""])
    assert all(matrix[i][i] == 1.0 for i in range(5))
    assert all(matrix[i][j] == pytest.approx(matrix[j][i]) for i in range(5) for j in range(5))
    assert matrix[0][1] > 3 * matrix[0][3]
    assert matrix[0][4] == 0.0


def test_what_a_word_turns_round_makes_a_difference():
    yes, no, other = (
        "turn on the light in the hall",
        "turn off the light in the hall",
        "turn on the light in the hall now",
    )
    matrix = lexical([yes, no, other])
    assert matrix[0][2] > matrix[0][1]


def test_support_of_each_proposal():
    assert supports(query("How many?"), said("2", "3", "3")) == [0.0, 0.5, 0.5]
    assert supports(query("How many?"), said("2")) == [None]
    long = supports(query("Explain."), said(*LIGHT, OTHER))
    assert min(long) == long[3]


def test_tool_calls_are_alike_when_they_say_the_same():
    def calling(arguments, name="f"):
        return Completion("e", (Choice("", (ToolCall("id", name, arguments),)),))

    same = ballots(query("x"), [calling('{"a": 1, "b": 2}'), calling('{"b":2,"a":1.0}')])
    assert same[0] == same[1]
    other = ballots(query("x"), [calling("{}"), calling("{}", "g"), calling("not json"), *said("text")])
    assert len(set(other)) == 4


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ('{"b": [1, 2.0], "a": " x "}', '{"a":"x","b":[1,2]}'),
        ("```json\n[1]\n```", "[1]"),
        ("not json", None),
        ("[" * 100_000, None),
    ],
)
def test_canonical_json(text, canonical):
    assert canonical_json(text) == canonical
