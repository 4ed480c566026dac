"""Languages: told by script and frequent words; a request routes as its English twin does."""

from pathlib import Path

import pytest
import yaml

from mixture.routing.keyword import KeywordRouter
from mixture.routing.language import glossaries, in_english, language
from mixture.types import ExpertCard, Message, Query

TWINS = yaml.safe_load((Path(__file__).parents[2] / "data" / "twins.yaml").read_text(encoding="utf-8"))
CARDS = tuple(
    ExpertCard(name, "scripted", skills=skills)
    for name, skills in {
        "coder": ("code", "math"),
        "generalist": ("general", "summarization", "translation"),
        "jurist": ("law",),
        "doctor": ("medical",),
        "scientist": ("physics", "chemistry", "biology"),
        "banker": ("finance", "business"),
        "author": ("creative", "writing"),
    }.items()
)


async def first(text):
    return (await KeywordRouter().route(Query((Message("user", text),)), CARDS)).experts[0]


@pytest.mark.parametrize("spoken", sorted(glossaries()))
async def test_nine_of_ten_requests_route_as_their_english_twin(spoken):
    same = [await first(row[spoken]) == await first(row["en"]) for row in TWINS]
    assert sum(same) >= 0.9 * len(TWINS)


@pytest.mark.parametrize("spoken", ["en", *sorted(glossaries())])
def test_languages_are_told(spoken):
    told = [language(row[spoken]) for row in TWINS]
    assert told.count(spoken) >= 0.9 * len(TWINS)
    assert spoken == "en" or told.count("en") <= 2


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("", "en"),
        ("12 + 7 = ?", "en"),
        ("naïve café résumé", "en"),
        ("π + λ = Ω, what is the angle?", "en"),
        ("안녕하세요", "ko"),
        ("مرحبا كيف حالك", "ar"),
        ("Hola", "es"),
    ],
)
def test_what_tells_nothing_is_english(text, spoken):
    assert language(text) == spoken


def test_telling_words_stand_in_english():
    assert in_english("Schreibe eine Python-Funktion", "de").split() == ["write", "Python", "function"]
    assert in_english("用Python写函数", "zh").split() == ["Python", "write", "function"]
    assert in_english("efectos secundarios del medicamento", "es").split() == ["side", "effects", "medication"]
    assert in_english("안녕", "ko") == "안녕"
