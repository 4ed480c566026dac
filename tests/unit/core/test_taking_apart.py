"""A request taken apart, from a configuration to the report."""

import io
import json

import pytest
from rich.console import Console

from commands.explanation import explanation
from mixture import Mixture
from mixture.api.report import report_fields
from mixture.config import ConfigError
from mixture.prompts import PERSONAS
from mixture.types import Answered, Delta, Planned, Proposed, Routed

ASKED = "Explain what inflation is and write a Python function that reverses a list"
PYTHAGORAS = (
    "Explain the significance of the Pythagorean theorem in modern physics and provide a Python code example that "
    "demonstrates its application"
)
PLAN = {
    "subtasks": [
        {"id": "a", "text": "Explain inflation", "skill": "finance", "depends_on": []},
        {"id": "b", "text": "Write Python that shows it", "skill": "code", "depends_on": ["a"]},
    ]
}


def expert(name, text, *skills, **options):
    price = {"input": 1, "output": 2}
    return {
        "name": name,
        "provider": "scripted",
        "skills": skills,
        "price": price,
        "options": {"text": text, **options},
    }


def innermost(mixture, name):
    found = mixture.panel.experts[name]
    while hasattr(found, "inner") or hasattr(found, "base"):
        found = found.base if hasattr(found, "base") else found.inner
    return found


async def test_from_the_request_to_the_report():
    experts = [expert("analyst", "prices rise", "finance"), expert("coder", ["def f(): ...", "the whole"], "code")]
    mixture = Mixture.from_config({"experts": experts})
    events = [event async for event in mixture.stream(ASKED, "decomposition")]
    kinds = [Routed, Planned, Routed, Routed, Proposed, Proposed, Delta, Delta, Delta, Answered]
    assert [type(event) for event in events] == kinds
    answered = events[-1]
    assert answered.completion.text == "the whole"
    report = answered.report
    assert (report.strategy_executed, report.degraded) == ("decomposition", None)
    assert [part.text for part in report.plan.subtasks] == [
        "Explain what inflation is",
        "Write a Python function that reverses a list",
    ]
    assert sorted((call.purpose, call.expert) for call in report.calls) == [
        ("aggregator", "coder"),
        ("subtask 1", "analyst"),
        ("subtask 2", "coder"),
    ]
    assert report.usage.completion_tokens == 7
    assert report.cost_complete


async def test_leaving_stops_every_call():
    experts = [expert(name, "a b c", name, delay=60) for name in ("finance", "code")]
    mixture = Mixture.from_config({"experts": experts})
    events = mixture.stream(ASKED, "decomposition")
    async for event in events:
        if isinstance(event, Routed) and event.subtask == "2":
            break
    for name in ("finance", "code"):
        await innermost(mixture, name).reached(started=1)
    await events.aclose()
    assert [innermost(mixture, name).counts.cancelled for name in ("finance", "code")] == [1, 1]


async def test_an_expert_that_plans_is_metered_with_the_request():
    experts = [
        expert("judge", [json.dumps(PLAN), "the whole"], "general"),
        expert("analyst", "prices rise", "finance"),
        expert("coder", "def f(): ...", "code"),
    ]
    decomposer = {"expert": "judge", "max_subtasks": 4}
    mixture = Mixture.from_config({"experts": experts, "decomposer": decomposer})
    answer = await mixture.answer("Tell me all there is about rising prices", "decomposition")
    assert [(call.purpose, call.expert) for call in answer.report.calls][:3] == [
        ("decomposer", "judge"),
        ("subtask 1", "analyst"),
        ("subtask 2", "coder"),
    ]
    assert "(planned by judge)" in answer.report.route.why
    assert answer.report.plan.subtasks[1].depends_on == ("1",)
    assert answer.report.degraded is None


def test_an_expert_that_plans_must_exist():
    with pytest.raises(ConfigError, match=r"decomposer\.expert: unknown expert 'judge'"):
        Mixture.from_config({"experts": [expert("a", "x")], "decomposer": {"expert": "judge"}})


async def test_the_rules_keep_to_the_configured_number():
    three = "Explain what inflation is, write a Python function and write a poem about the sea"
    experts = [expert("a", "x"), expert("b", "y")]
    for most, parts in ((2, None), (3, 3)):
        mixture = Mixture.from_config({"experts": experts, "decomposer": {"max_subtasks": most}})
        made = (await mixture.answer(three, "decomposition")).report.plan
        assert (made and len(made.subtasks)) == parts


async def test_pythagoras_is_taken_apart_into_physics_and_code_and_shown():
    """With the personas that the default server lays over a model."""
    personas = [
        {"name": name, "provider": "persona", "expert": "model", "skills": p.skills, "system_prompt": p.system_prompt}
        for name, p in PERSONAS.items()
    ]
    mixture = Mixture.from_config({"experts": [expert("model", "an answer"), *personas]})
    events = [event async for event in mixture.stream(PYTHAGORAS, "decomposition")]
    report = events[-1].report
    assert [(part.skill, part.text) for part in report.plan.subtasks] == [
        ("science", "Explain the significance of the Pythagorean theorem in modern physics"),
        ("code", "Provide a Python code example that demonstrates its application"),
    ]
    routed = {event.subtask: event.route.experts[0] for event in events if isinstance(event, Routed)}
    assert (routed["1"], routed["2"]) == ("technical", "technical")
    asked = {query.purpose: query for query in innermost(mixture, "model").queries}
    assert PYTHAGORAS in asked["subtask 2"].messages[0].text
    console = Console(width=140, file=io.StringIO())
    console.print(explanation(report_fields(report), None))
    shown = console.file.getvalue()
    assert "subtask 1 (science): Explain the significance of the Pythagorean theorem in modern physics" in shown
    assert "subtask 2 (code): Provide a Python code example that demonstrates its application" in shown
