"""task_based: who is asked for which task, and who behind him."""

import pytest

from mixture.errors import NoAnswer, Overloaded
from mixture.providers.scripted import scripted
from mixture.types import ExpertCard, Price, Route

CODE = "Write a Python function that reverses a list"


def experts():
    return (
        scripted("coder", "code", skills=("code",), price=Price(5, 5)),
        scripted("writer", "text", skills=("writing", "general"), price=Price(3, 3)),
        scripted("cheap", "cheap", skills=("general",), price=Price(0.1, 0.1)),
    )


async def test_the_expert_for_the_task_is_asked_and_the_others_stand_behind_cheapest_first(run):
    done = await run("task_based", *experts(), asked=CODE)
    assert done.told == [
        ("routed", "coder", "cheap", "writer"),
        ("delta", "coder", "code"),
        ("end", "coder", "", "stop"),
    ]
    assert done.events[0].route.signals["task"] == "code"
    assert "coder is for code" in done.events[0].route.why


async def test_the_specialist_map_goes_before_the_router(run):
    done = await run("task_based", *experts(), asked=CODE, specialist_map={"technical": "writer"})
    assert done.told[0] == ("routed", "writer", "cheap", "coder")
    assert "specialist_map" in done.events[0].route.why


@pytest.mark.parametrize(
    ("key", "asked"), [("cooking", "I love cooking!"), ("general", "What is the capital of France?")]
)
async def test_a_map_may_name_its_own_kinds_and_the_general_one(run, key, asked):
    done = await run("task_based", *experts(), asked=asked, specialist_map={key: "coder"})
    assert done.told[0][1] == "coder"


async def test_a_map_that_does_not_concern_the_task_changes_nothing(run):
    done = await run("task_based", *experts(), asked=CODE, specialist_map={"legal": "cheap"})
    assert done.told[0][1] == "coder"


async def test_a_fallback_order_is_followed_behind_the_expert(run):
    done = await run("task_based", *experts(), asked=CODE, fallback_order=("writer",))
    assert done.told[0] == ("routed", "coder", "writer")


async def test_a_failure_falls_through(run):
    coder, writer, cheap = experts()
    coder.script = scripted(failure={"error": "RateLimited"}).script
    done = await run("task_based", coder, writer, cheap, asked=CODE)
    assert done.told[1:] == [("delta", "cheap", "cheap"), ("end", "cheap", "", "stop")]


async def test_the_exact_expert_comes_first_and_who_it_leaves_the_question_to_is_the_best_of_the_others(run):
    exact = scripted("exact", skills=("arithmetic",), failure={"error": "Declined"}, price=Price(0, 0))
    maths = scripted("maths", "12", skills=("math",), price=Price(9, 9))
    done = await run("task_based", *experts(), exact, maths, asked="what is 3 * 4")
    assert done.told == [
        ("routed", "exact", "maths", "cheap", "writer", "coder"),
        ("delta", "maths", "12"),
        ("end", "maths", "", "stop"),
    ]


async def test_with_only_the_built_in_experts_the_client_is_told_what_to_add(run):
    exact = scripted("symbolic", failure={"error": "Declined"})
    exact.card = ExpertCard("symbolic", "symbolic", skills=("arithmetic",))
    done = await run("task_based", exact, asked="Who was Cleopatra?")
    assert isinstance(done.error, NoAnswer)
    assert "start a local server" in done.error.message
    assert done.error.causes == (("symbolic", "scripted failure"),)


async def test_a_router_that_is_gone_does_not_take_the_request_with_it(run):
    class Gone:
        async def route(self, query, cards, loads=None):
            raise Overloaded("the router is not available at the moment")

    done = await run("task_based", *experts(), parts={"router": Gone()})
    assert done.completion.text
    assert "did not decide" in done.events[0].route.why


async def test_a_router_that_names_strangers_is_read_without_them(run):
    class Odd:
        async def route(self, query, cards, loads=None):
            return Route(("nobody", "writer"), "because")

    class Empty:
        async def route(self, query, cards, loads=None):
            return Route((), "nobody")

    assert (await run("task_based", *experts(), parts={"router": Odd()})).told[0] == ("routed", "writer")
    assert (await run("task_based", *experts(), parts={"router": Empty()})).completion.text
