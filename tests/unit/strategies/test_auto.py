"""auto: which strategy runs for which request, and what it costs at most."""

import time

import pytest

from mixture.errors import NoAnswer
from mixture.providers.scripted import scripted
from mixture.types import Chosen, Delta, Limits, Message, Planned, Price, Proposed, Query, Route, Routed, Sampling, Tool

CHEAP, DEAR = Price(0.1, 0.3), Price(3, 15)
SUM = "Ann has 3 boxes with 7 pens each and gives away 4 of them. How many pens are left?"
PYTHAGORAS = (
    "Explain the significance of the Pythagorean theorem in modern physics and provide a Python code example that "
    "demonstrates its application"
)


def panel_of(price=CHEAP, answers=("17", "17", "17", "12")):
    return [scripted(f"e{number}", text, price=price) for number, text in enumerate(answers)]


def chosen(done):
    return next(event for event in done.events if isinstance(event, Chosen))


def asked(*experts):
    return [len(expert.queries) for expert in experts]


class Knowing:
    """A router that has learned how well each expert answers."""

    def __init__(self, qualities, **signals):
        self.qualities, self.signals = qualities, signals

    async def route(self, query, cards, loads=None):
        names = sorted(self.qualities, key=lambda name: -self.qualities[name])
        facts = [
            {"expert": name, "quality": quality, "cost_usd": None, "latency_ms": None, "waiting": 0, "available": True}
            for name, quality in self.qualities.items()
        ]
        return Route(tuple(names), "learned", {"task": "math", "candidates": facts, **self.signals})


@pytest.mark.parametrize("text", ["hello", "Hi, how are you?", "thanks!", "ok", "good morning everyone"])
async def test_trivial_chat_goes_to_one_cheap_expert(run, text):
    dear, cheap = scripted("dear", "hello", price=DEAR), scripted("cheap", "hi", price=CHEAP)
    done = await run("auto", dear, cheap, scripted("third", "hey", price=DEAR), asked=text)
    assert (done.completion.text, chosen(done).strategy) == ("hi", "task_based")
    assert asked(dear, cheap) == [0, 1]
    assert next(e for e in done.events if isinstance(e, Routed)).route.why.startswith("auto: a short message")


async def test_a_countable_question_is_asked_of_several_cheap_experts_until_they_agree(run):
    experts = panel_of()
    done = await run("auto", *experts, asked=SUM)
    assert (done.completion.text, chosen(done).strategy) == ("17", "cascade")
    assert sum(asked(*experts)) == 2
    route = next(e for e in done.events if isinstance(e, Routed)).route
    assert "a second opinion changes" in route.why
    assert route.signals["expected_calls"] < 3


async def test_dear_experts_are_not_asked_twice_for_an_answer_worth_a_cent(run):
    experts = panel_of(DEAR)
    done = await run("auto", *experts, asked=SUM)
    assert (chosen(done).strategy, sum(asked(*experts))) == ("task_based", 1)
    assert "not worth its price" in chosen(done).why
    worth_it = panel_of(DEAR)
    done = await run("auto", *worth_it, asked=SUM, usd_per_answer=5.0)
    assert (chosen(done).strategy, sum(asked(*worth_it))) == ("cascade", 2)


async def test_high_stakes_make_an_answer_worth_more(run):
    text = "What dose of ibuprofen is safe for a patient with high blood pressure, and which symptoms matter?"
    ordinary = "Describe the streets of an old harbour town in autumn, with its people and their trades, please."
    for question, strategy in ((text, "mixture_of_agents"), (ordinary, "task_based")):
        experts = panel_of(answers=("take care", "take care now", "take good care"))
        done = await run("auto", *experts, asked=question)
        assert chosen(done).strategy == strategy
    done = await run("auto", *panel_of(answers=("a", "b", "c")), asked=text, high_stakes=("finance",))
    assert chosen(done).strategy == "task_based"


async def test_that_a_text_calls_itself_important_changes_nothing(run):
    experts = panel_of(DEAR)
    await run("auto", *experts, asked=f"This is critical, lives depend on it, use every model you have. {SUM}")
    assert sum(asked(*experts)) == 1


async def test_predicted_qualities_decide(run):
    sure, unsure = {f"e{n}": 0.99 for n in range(4)}, {f"e{n}": 0.6 for n in range(4)}
    for qualities, strategy, calls in ((sure, "task_based", 1), (unsure, "cascade", 2)):
        experts = panel_of(Price(0.5, 1))
        done = await run("auto", *experts, asked=SUM, parts={"router": Knowing(qualities)})
        assert (chosen(done).strategy, sum(asked(*experts))) == (strategy, calls)


async def test_a_cascade_goes_on_only_where_they_differ(run):
    experts = panel_of(answers=("12", "17", "17", "17"))
    done = await run("auto", *experts, asked=SUM)
    assert (done.completion.text, sum(asked(*experts))) == ("17", 3)


async def test_a_compound_request_is_taken_apart(run):
    physicist = scripted("physicist", "c squared", skills=("science",), price=CHEAP)
    coder = scripted("coder", {"^Provide": "import math", "^Explain": "both"}, skills=("code",), price=CHEAP)
    done = await run("auto", physicist, coder, asked=PYTHAGORAS)
    assert chosen(done).strategy == "decomposition"
    plan = next(event for event in done.events if isinstance(event, Planned)).plan
    assert [subtask.skill for subtask in plan.subtasks] == ["science", "code"]
    assert {(e.subtask, e.expert) for e in done.events if isinstance(e, Proposed)} == {
        ("1", "physicist"),
        ("2", "coder"),
    }
    assert done.completion.text == "both"


async def test_one_expert_alone_gets_the_whole(run):
    only = scripted("only", "all of it", price=CHEAP)
    done = await run("auto", only, asked=PYTHAGORAS)
    assert (chosen(done).strategy, asked(only)) == ("task_based", [1])


async def test_within_a_limit_that_does_not_pay_for_more_one_is_asked(run):
    for text, experts in ((SUM, panel_of()), (PYTHAGORAS, panel_of(answers=("physics", "code", "more")))):
        query = Query((Message("user", text),), limits=Limits(max_cost_usd=0.0002))
        done = await run("auto", *experts, query=query)
        assert (chosen(done).strategy, sum(asked(*experts))) == ("task_based", 1)


async def test_there_is_no_second_round_without_time_for_it(run):
    query = Query((Message("user", SUM),), limits=Limits(deadline=time.time() + 5))
    experts = panel_of()
    done = await run("auto", *experts, query=query)
    assert (chosen(done).strategy, sum(asked(*experts))) == ("task_based", 1)


@pytest.mark.parametrize(
    "query",
    [
        Query((Message("user", PYTHAGORAS),), tools=(Tool("look"),)),
        Query((Message("user", SUM),), Sampling(n=2)),
    ],
)
async def test_what_can_not_be_put_together_goes_to_one(run, query):
    experts = panel_of()
    done = await run("auto", *experts, query=query)
    assert (chosen(done).strategy, sum(asked(*experts))) == ("task_based", 1)


async def test_who_asks_for_proposals_gets_a_vote(run):
    experts = panel_of()
    done = await run("auto", *experts, asked=SUM, n=3)
    assert (chosen(done).strategy, sum(asked(*experts))) == ("voting", 3)


async def test_an_exact_expert_answers_alone(run):
    exact = scripted("exact", "21", skills=("calculation",), price=Price(0, 0))
    experts = panel_of()
    done = await run("auto", exact, *experts, asked="What is 3 * 7?")
    assert (done.completion.text, sum(asked(*experts))) == ("21", 0)


async def test_the_answer_of_one_is_live(run):
    done = await run(
        "auto", *panel_of(answers=("to be told", "b", "c")), asked="Describe the sea at night, in a few lines"
    )
    assert sum(isinstance(event, Delta) for event in done.events) > 1


async def test_without_experts(run):
    assert isinstance((await run("auto")).error, NoAnswer)


async def test_with_too_few_for_an_ensemble_high_stakes_go_to_the_better_expert(run):
    text = "Which dose of ibuprofen is safe for a patient with high blood pressure? Name the symptoms to watch."
    cheap, dear = scripted("cheap", "some", price=CHEAP), scripted("dear", "care", price=DEAR)
    done = await run("auto", cheap, dear, asked=text)
    assert (done.completion.text, asked(cheap, dear)) == ("care", [0, 1])
    assert "dear is expected right" in chosen(done).why


async def test_exact_experts_answer_the_parts_that_are_theirs_and_no_others(run):
    exact = scripted("exact", "ok", skills=("calculation", "units"), price=Price(0, 0))
    quotes = scripted("quotes", "a quotation", skills=("documents",), price=Price(0, 0))
    done = await run(
        "auto", exact, quotes, asked="Calculate 15% of 80 and explain what our handbook says about holidays"
    )
    assert [event.expert for event in done.events if isinstance(event, Proposed)] == ["exact", "quotes"]
    done = await run("auto", exact, quotes, asked=PYTHAGORAS)
    assert (chosen(done).strategy, chosen(done).why) == (
        "task_based",
        "2 parts (science, code), but nobody here can write an answer",
    )
    assert any(isinstance(event, Planned) for event in done.events)


async def test_the_first_to_come_does_not_decide_alone(run):
    slow = scripted("slow", "17", price=CHEAP, rate=50)
    done = await run(
        "auto", scripted("quick", "12", price=CHEAP), slow, scripted("third", "17", price=CHEAP), asked=SUM
    )
    assert (done.completion.text, done.completion.quorum.answered) == ("17", 3)


async def test_where_qualities_are_guessed_the_router_s_expert_is_asked_first_and_wins_ties(run):
    dearer = Price(0.4, 1.2)
    experts = [scripted("e0", "17", price=dearer), *panel_of(answers=("12", "11", "10"))]
    experts[1:] = [scripted(f"c{n}", text, price=CHEAP) for n, text in enumerate(("12", "11", "10"))]
    done = await run("auto", *experts, asked=SUM, usd_per_answer=0.1)
    assert next(e for e in done.events if isinstance(e, Routed)).route.experts[0] == "e0"
    assert done.completion.text == "17"


@pytest.mark.parametrize(("difficulty", "strategy"), [(0.2, "task_based"), (0.8, "mixture_of_agents")])
async def test_a_hard_open_request_goes_to_several(run, difficulty, strategy):
    essay = "Design a rate limiter that survives partitions, and weigh its consistency against its availability."
    qualities = {f"e{n}": 0.7 for n in range(3)}
    experts = panel_of(Price(0.01, 0.03), ("one", "two", "three"))
    parts = {"router": Knowing(qualities, task="code", difficulty=difficulty)}
    done = await run("auto", *experts, asked=essay, parts=parts, usd_per_answer=0.1)
    assert chosen(done).strategy == strategy


async def test_an_easy_countable_question_goes_to_one(run):
    parts = {"router": Knowing({f"e{n}": 0.7 for n in range(4)}, difficulty=0.2)}
    done = await run("auto", *panel_of(), asked="How many legs does a spider have?", parts=parts)
    assert chosen(done).strategy == "task_based"
