"""Which proposals support which sentence: by words or meaning, with every number, and a denial where it has one."""

import asyncio

import pytest

from mixture.aggregation.provenance import MOST_EMBEDDED, support_notes, supports

PROPOSALS = [
    "Paris is the capital of France. It has 2.1 million inhabitants. The Louvre is its largest museum.",
    "France's capital is Paris. The city does not lie on the sea. 1,000 people visit it each hour.",
]


async def found(answer, proposals=PROPOSALS, embedder=None):
    return [(answer[one.start : one.end], one.proposals) for one in await supports(answer, proposals, embedder)]


@pytest.mark.parametrize(
    ("sentence", "numbers"),
    [
        ("The capital of France is Paris.", (1, 2)),
        ("It has 2.1 million inhabitants.", (1,)),
        ("It has 2100000 inhabitants.", (1,)),
        ("It has 2.2 million inhabitants.", ()),
        ("Each hour 1000 people visit it.", (2,)),
        ("The city does not lie on the sea.", (2,)),
        ("The city lies on the sea.", ()),
        ("Paris is not the capital of France.", ()),
        ("Paris is the capital of France and has 2.1 million inhabitants.", (1,)),
        ("Cats purr loudly in the night.", ()),
    ],
)
async def test_what_supports_a_sentence(sentence, numbers):
    assert await found(sentence) == [(sentence, numbers)]


async def test_places_are_those_of_the_sentences_and_code_and_headings_have_none():
    answer = "# Title\n\nParis is the capital of France. Dogs bark at the moon.\n\n```\nprint(1)\n```\n"
    assert await found(answer) == [("Paris is the capital of France.", (1, 2)), ("Dogs bark at the moon.", ())]
    assert await found("") == []


async def test_notes_say_what_is_supported():
    answer = "Paris is the capital of France. Dogs bark at the moon."
    first, second = support_notes(await supports(answer, PROPOSALS))
    assert first == {
        "type": "proposal_support",
        "proposal_support": {"start_index": 0, "end_index": 31, "proposals": [1, 2], "supported": True},
    }
    assert (second["proposal_support"]["proposals"], second["proposal_support"]["supported"]) == ([], False)


class Meaning:
    """Vectors by what a sentence is about: the first word of `about` that stands in it."""

    def __init__(self, *about):
        self.about, self.texts = about, []

    async def embed(self, texts):
        self.texts += texts
        return [[float(any(word in text for word in about)) for about in self.about] for text in texts]


async def test_meaning_decides_what_words_do_not():
    proposals = ["The museum opens its doors at 9 in the morning.", "Bread is baked in the oven."]
    said = "Visitors may enter the museum from 9 on."
    assert await found(said, proposals) == [(said, ())]
    embedder = Meaning(("enter", "opens"), ("Bread",))
    assert await found(said, proposals, embedder) == [(said, (1,))]
    wrong = "Visitors may enter the museum from 10 on."
    assert await found(wrong, proposals, embedder) == [(wrong, ())], "a number must stand there too"


async def test_only_so_many_sentences_are_embedded():
    answer = " ".join(f"The thing called alpha{n} is of interest to many people." for n in range(200))
    proposals = [" ".join(f"Some thing named beta{n} has readers among people." for n in range(200))]
    embedder = Meaning(("alpha",))
    await supports(answer, proposals, embedder)
    assert len(embedder.texts) <= 2 * MOST_EMBEDDED


def test_long_texts_take_a_bounded_time():
    sentence = "The quick brown fox number {n} jumps over the lazy dog of the neighbour. "
    answer = "".join(sentence.format(n=n) for n in range(2_000))
    spans = asyncio.run(supports(answer, [answer, answer]))
    assert len(spans) > 500
    assert all(one.proposals for one in spans)
