"""What is judged is known to all gateways, in one order, and after a restart; and only English is compared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mixture import Mixture
from mixture.caching.meaning.english import in_english
from mixture.caching.meaning.learned import Learned
from mixture.caching.meaning.trust import Trust
from tests.unit.caching.test_semantic import asked, kind


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "judged.jsonl"


def trust(path, **more):
    return Trust(0.6, 0.02, Learned(path, **more))


def test_what_one_gateway_learns_the_others_know_and_so_does_the_next_start(path):
    one, other = trust(path), trust(path)
    for score in (0.99, 1.0, 1.0):
        one.judge("law", score, right=False)
    other.judge("chat", 0.8, right=True)
    one.catch_up()
    assert one.domain("law").off and other.domain("law").off
    assert one.facts() == other.facts() == trust(path).facts()
    assert other.facts()["chat"]["judged"] == 1


def test_a_domain_that_comes_back_does_so_everywhere(path):
    one, other = trust(path), trust(path)
    for score in (0.99, 1.0, 1.0):
        one.judge("law", score, right=False)
    for _ in range(400):
        other.judge("law", 1.0, right=True)
    one.catch_up()
    assert not one.domain("law").off and one.facts() == other.facts()


def test_a_file_that_has_grown_is_made_anew_and_nothing_is_lost(path):
    one, other, plain = trust(path, large=4_000), trust(path, large=4_000), Trust(0.6, 0.02)
    for number in range(600):
        judged = ("law" if number % 3 else "chat", 0.6 + number % 40 / 100, number % 97 != 0)
        (one if number % 2 else other).judge(judged[0], judged[1], right=judged[2])
        plain.judge(judged[0], judged[1], right=judged[2])
    one.catch_up()
    other.catch_up()
    assert one.facts() == other.facts() == trust(path).facts() == plain.facts()
    assert path.stat().st_size < 600 * 40
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_line_that_was_cut_off_is_left_out(path):
    trust(path).judge("law", 0.9, right=True)
    with path.open("ab") as file:
        file.write(b'{"domain": "law", "sco')
    one = trust(path)
    assert one.facts()["law"]["judged"] == 1
    with path.open("ab") as file:
        file.write(b'\n{"domain": "law"}\n[1]\n')
    one.judge("law", 0.9, right=True)
    assert one.facts()["law"]["judged"] == 2


WRITER = """
import sys
from pathlib import Path
from pathlib import Path
from mixture.caching.meaning.learned import Learned
from mixture.caching.meaning.trust import Trust

trust = Trust(0.6, 0.5, Learned(Path(sys.argv[1]), large=2_000))
for number in range(200):
    trust.judge(sys.argv[2], 0.9, right=True)
"""


def test_processes_that_write_at_once_lose_nothing(path):
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", WRITER, str(path)]
    running = [subprocess.Popen([*command, name], env=environ) for name in ("a", "b", "a")]
    assert [process.wait() for process in running] == [0, 0, 0]
    facts = Trust(0.6, 0.5, Learned(path)).facts()
    assert {name: found["judged"] for name, found in facts.items()} == {"a": 400, "b": 200}


def test_where_it_can_t_be_kept_it_is_learned_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    one = Trust(0.6, 0.02, Learned(tmp_path / "file" / "judged.jsonl"))
    one.judge("law", 0.9, right=True)
    assert one.facts()["law"]["judged"] == 1


async def test_a_mixture_keeps_no_text_of_what_was_judged(tmp_path):
    experts = [{"name": "a", "provider": "scripted", "options": {"text": "the answer"}}]
    semantic = {"mode": "on", "recheck": 0, "folder": str(tmp_path)}
    mixture = Mixture.from_config({"experts": experts, "cache": {"semantic": semantic}})
    await kind(mixture, asked("How can I repair a flat tyre?"))
    assert await kind(mixture, asked("How do I fix a flat tyre?", request_id="r1")) == "semantic"
    mixture.cache.semantic.noted("local", "r1", 0.0)
    again = Mixture.from_config({"experts": experts, "cache": {"semantic": semantic}})
    assert again.cache.semantic.trust.facts() == mixture.cache.semantic.trust.facts() != {}
    (file,) = tmp_path.iterdir()
    assert set(json.loads(file.read_text())) == {"domain", "score", "right"}


FOREIGN = [
    ("Wie repariere ich einen platten Reifen?", "Wie repariere ich keinen platten Reifen?"),
    ("Wie repariere ich einen platten Reifen?", "Wie kann ich einen platten Reifen reparieren?"),
    ("Welche Städte liegen am Rhein?", "Welche Städte liegen nicht am Rhein?"),
    ("Comment réparer un pneu crevé ?", "Comment ne pas réparer un pneu crevé ?"),
    ("¿Cómo puedo abrir una cuenta?", "¿Cómo puedo cerrar una cuenta?"),
    ("Come posso riparare una gomma?", "Come posso riparare due gomme?"),
    ("Como posso abrir uma conta?", "Como não posso abrir uma conta?"),
    ("Is de man in de war?", "Is de man niet in de war?"),
    ("Hur lagar jag ett däck?", "Hur lagar jag inte ett däck?"),
    ("Hvordan reparerer jeg et dæk?", "Hvordan reparerer jeg ikke et dæk?"),
    ("Jak naprawić oponę?", "Jak nie naprawić opony?"),
    ("Lastiği neden tamir ederim?", "Lastiği neden tamir etmem?"),
    ("Bagaimana cara memperbaiki ban?", "Bagaimana cara tidak memperbaiki ban?"),
    ("Как починить колесо?", "Как не починить колесо?"),
    ("如何修理轮胎", "如何不修理轮胎"),
    ("パンクを修理する方法は", "パンクを修理しない方法は"),
    ("كيف أصلح الإطار؟", "كيف لا أصلح الإطار؟"),
    ("Can you repair mein Auto nicht?", "Can you repair mein Auto?"),
]


@pytest.mark.parametrize(("first", "then"), FOREIGN)
async def test_another_language_is_refused_and_not_guessed(first, then):
    experts = [{"name": "a", "provider": "scripted", "options": {"text": "the answer"}}]
    semantic = {"mode": "on", "recheck": 0, "threshold": 0.0}
    mixture = Mixture.from_config({"experts": experts, "cache": {"semantic": semantic}})
    assert await kind(mixture, asked(first)) == "miss"
    assert await kind(mixture, asked(then)) == "miss"


@pytest.mark.parametrize(
    "text",
    [
        "How can I repair a flat tyre?",
        "What is the population of Japan?",
        "Was Java influenced by Smalltalk?",
        "Is 91 a prime number?",
        "What does nicht mean in German?",
        "who wrote hamlet",
        "What does numpy.einsum do with pytorch tensors?",
    ],
)
def test_english_is_known_as_such(text):
    assert in_english(text)
