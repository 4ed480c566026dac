"""The rules that take a request apart, and above all those that leave it whole."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixture.planning import LONGEST, MOST, RuleDecomposer, hops, plan
from mixture.types import Message, Query

DATA = Path(os.environ.get("MIXTURE_DATA", "../shared/data"))


async def test_the_example():
    asked = (
        "Explain the significance of the Pythagorean theorem in modern physics and provide a Python code example that "
        "demonstrates its application"
    )
    made = await RuleDecomposer().decompose(Query((Message("user", asked),)))
    assert [(part.id, part.skill, part.text, part.depends_on) for part in made.subtasks] == [
        ("1", "science", "Explain the significance of the Pythagorean theorem in modern physics", ()),
        ("2", "code", "Provide a Python code example that demonstrates its application", ()),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Explain X and provide Python code for Y", ["Explain X", "Provide Python code for Y"]),
        (
            "What is a hedge fund? How do I reverse a list in Python?",
            ["What is a hedge fund?", "How do I reverse a list in Python?"],
        ),
        (
            "Summarize the plot of Hamlet, translate 'to be or not to be' into French and write a Python function.",
            ["Summarize the plot of Hamlet", "Translate 'to be or not to be' into French", "Write a Python function."],
        ),
        (
            "1. Explain what inflation is\n2. Write a SQL query that lists customers\n3) Write a haiku about the sea",
            ["Explain what inflation is", "Write a SQL query that lists customers", "Write a haiku about the sea"],
        ),
        (
            "- Explain what inflation is\n- Write a Python function that reverses a list",
            ["Explain what inflation is", "Write a Python function that reverses a list"],
        ),
        (
            "Can you explain what a mortgage is, and then please write a Python function for the payment?",
            ["Explain what a mortgage is", "Write a Python function for the payment?"],
        ),
        ("Tell me a joke and calculate 15% of 80.", ["Tell me a joke", "Calculate 15% of 80."]),
        (
            "What is the capital of France and how many people live in Germany?",
            ["What is the capital of France", "How many people live in Germany?"],
        ),
        (
            "What is the capital of France? And what is the capital of Germany?",
            ["What is the capital of France?", "What is the capital of Germany?"],
        ),
        (
            "1. What is photosynthesis?\n2. Who wrote Don Quixote?\n3. How do I exit vim?",
            ["What is photosynthesis?", "Who wrote Don Quixote?", "How do I exit vim?"],
        ),
        (
            "Explain inflation and describe the water cycle in the Amazon",
            ["Explain inflation", "Describe the water cycle in the Amazon"],
        ),
        (
            "Who was Napoleon? When was he born? What is the boiling point of ethanol in Celsius?",
            ["Who was Napoleon?\nWhen was he born?", "What is the boiling point of ethanol in Celsius?"],
        ),
    ],
)
def test_what_is_taken_apart(text, parts):
    assert [part.text for part in plan(text).subtasks] == parts


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("Write a poem about the sea and translate it into French", [(), ("1",)]),
        ("Summarize this article about taxes and translate it into French", [(), ("1",)]),
        (
            "Compare apples and pears. What is the integral of x^2? Then translate the result into French.",
            [(), (), ("2",)],
        ),
        ("Explain what inflation is. Write a poem about the sea. Translate both into French.", [(), (), ("1", "2")]),
        ("Translate the above into French and write a Python function", [(), ()]),
    ],
)
def test_what_refers_to_another_answer_waits_for_it(text, waits):
    made = plan(text)
    assert [part.depends_on for part in made.subtasks] == waits
    assert made.final is None


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (
            "What currency is used in the region where the newspaper Zhivoye Dyelo is circulated?",
            [
                "Find the region where the newspaper Zhivoye Dyelo is circulated",
                "What currency is used in that region?",
            ],
        ),
        (
            "Who wrote the books that inspired The Lion King?",
            ["Find the books that inspired The Lion King", "Who wrote those books?"],
        ),
        (
            "Which airport is busier, Palm Springs or Trenton?",
            [
                "Find what matters about Palm Springs: which airport is busier",
                "Find what matters about Trenton: which airport is busier",
                "Compare Palm Springs and Trenton: which airport is busier",
            ],
        ),
        (
            "Is the Eiffel Tower taller than the Statue of Liberty?",
            [
                "Find what matters about the Eiffel Tower: taller",
                "Find what matters about the Statue of Liberty: taller",
                "Compare the Eiffel Tower and the Statue of Liberty: taller",
            ],
        ),
        (
            "Were Ada Lovelace and Mary Shelley both born in London?",
            [
                "Find out whether this holds: were Ada Lovelace born in London",
                "Find out whether this holds: were Mary Shelley born in London",
                "Say whether it holds for both",
            ],
        ),
        (
            "Are Scott Derrickson and Ed Wood of the same nationality?",
            [
                "Find the nationality of Scott Derrickson",
                "Find the nationality of Ed Wood",
                "Say whether they are the same",
            ],
        ),
    ],
)
def test_steps_that_can_be_seen_in_a_question(text, steps):
    made = plan(text)
    *before, last = made.subtasks
    assert [part.text for part in made.subtasks] == steps
    assert all(part.depends_on == () for part in before)
    assert last.depends_on == tuple(part.id for part in before)
    assert made.final == last.id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "Who was the president who was born in 1732?",
        "What is the capital of France?",
        "What is the name of the man who invented the telephone?",
        "Is it colder today than yesterday?",
        "What college did the artist who painted Guernica go to?",
        "Which of the following is the energy source that lets ATP synthase work?",
        "What is 15% of 80 plus 3/7?",
        "Compare apples and oranges",
        "Explain the law of supply and demand",
        "Write a Python function to sort a list and explain how it works",
        "Translate 'explain the tax law and write a Python function' into French",
        'Translate "what is a bond? How do I sort in Python?" into French',
        "Explain quantum entanglement and list three applications",
        "I have a list of numbers. Sort it and give me the median.",
        "Write a Python script. Use pandas. Handle errors.",
        "Write a function and tests for the function",
        "Explain what inflation is. You are talking to a child. Write a Python function.",
        "Give me the balance of my account and show me a list of my cards",
        "Research and development",
        "Explain what inflation is and write a Python function:\n```\ndef f(): ...\n```",
        "What are the vestibular organs, and how does one test them?",
        "What is social power? Discuss three types of social power.",
        "Who was Napoleon? When was he born?",
        "Explain quicksort and give me its complexity",
        "What is a mortgage? What are the risks?",
        "Find all errors in this paragraph and give me a better version",
        "When the water is cold Ray swims a mile in 16 minutes. How long does he take for 3 miles?",
    ],
)
def test_what_stays_whole(text):
    (only,) = plan(text).subtasks
    assert only.text == text
    assert only.depends_on == ()


def test_what_is_long_or_has_too_many_points_stays_whole():
    two = "Explain what inflation is and write a Python function. "
    assert len(plan(two).subtasks) == 2
    assert len(plan(two * (LONGEST // len(two) + 1)).subtasks) == 1
    assert len(plan(two * (MOST // 2 + 1)).subtasks) == 1


def test_no_more_parts_than_allowed():
    assert len(plan("Is the Eiffel Tower taller than Big Ben?", 3).subtasks) == 3
    assert len(plan("Is the Eiffel Tower taller than Big Ben?", 2).subtasks) == 1
    assert len(plan("Explain what inflation is and write a Python function", 2).subtasks) == 2


async def test_the_hosted_rules_keep_to_their_number():
    from deployments.decomposer import HostedDecomposer

    asked = Query((Message("user", "Is the Eiffel Tower taller than Big Ben?"),))
    assert len((await HostedDecomposer(3).decompose(asked)).subtasks) == 3
    assert len((await HostedDecomposer(2).decompose(asked)).subtasks) == 1


@given(st.text(max_size=300))
def test_every_plan_has_operations_with_text_and_ids_of_their_own(text):
    made = plan(text).subtasks
    assert len({part.id for part in made}) == len(made) >= 1
    assert len(made) == 1 or all(part.text for part in made)


@pytest.mark.parametrize("piece", ["and explain a ", "write a ", "(", "'a ", "\n- ", "? what ", "please "])
def test_hostile_requests_end(piece):
    """In time: the suite's time limit says so."""
    assert len(plan(piece * (LONGEST // len(piece))).subtasks) == 1


@pytest.mark.parametrize(
    "piece", ["the a that X ", "What the ", "Is The A of the B more ", "A and B both ", "which first, A or ", "' \" "]
)
def test_hostile_questions_end(piece):
    asked = "What is " + piece * (hops.LONGEST // len(piece))
    assert plan(asked[: hops.LONGEST - 1] + "?").subtasks


@pytest.mark.skipif(
    not (DATA / "clinc150.parquet").exists(), reason="the recorded requests are not here (MIXTURE_DATA)"
)
def test_simple_requests_are_hardly_ever_taken_apart():
    import pyarrow.parquet as pq

    texts = pq.read_table(DATA / "clinc150.parquet", columns=["text"])["text"].to_pylist()[::5]
    wrong = [text for text in texts if len(plan(text).subtasks) > 1]
    assert len(wrong) < 0.01 * len(texts)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (
            "Was Harrow School or Eton College founded first?",
            ["Harrow School: founded first", "Eton College: founded first", "Compare Harrow School and Eton College"],
        ),
        ("Who is younger Ada Byron or Mary Shelley?", ["Ada Byron: who is", "Mary Shelley: who is", "Compare Ada"]),
        ('Which film came first, "Night Train" or "Day Trip"?', ['"Night Train"', '"Day Trip"', "Compare"]),
        ("Are both Lisbon and Porto in Portugal?", ["are Lisbon in Portugal", "are Porto in", "holds for both"]),
        (
            "How many more goals did Anna Berg score than Lea Holm?",
            ["how many goals did Anna Berg score", "how many goals did Lea Holm score", "Find the difference"],
        ),
        (
            "How many more people lived in Tunis than in Sfax?",
            ["how many people lived in Tunis", "how many people lived in Sfax", "Find the difference"],
        ),
    ],
)
def test_comparisons_show_their_steps(text, steps):
    made = plan(text)
    assert len(made.subtasks) == 3
    assert all(step in subtask.text for step, subtask in zip(steps, made.subtasks, strict=True))
    assert (made.final, made.subtasks[-1].depends_on) == ("3", ("1", "2"))


@pytest.mark.parametrize(
    "text",
    [
        "Can I or Bob go first?",
        "How many more times do I have to ask than Bob?",
        "how many more calories than fat does it have?",
        "Which is better tea or coffee?",
    ],
)
def test_what_only_looks_like_a_comparison_stays_whole(text):
    assert len(plan(text).subtasks) == 1
