"""Final answers in texts, and their normal forms."""

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixture.aggregation import make_aggregator
from mixture.aggregation.answers import asked_for, final_answer
from mixture.aggregation.normalisation import normalised
from mixture.aggregation.numerals import number, numbers
from mixture.types import Choice, Completion, Message, Query

DATA = Path(os.environ.get("MIXTURE_DATA", "../shared/data"))


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("18", "18"),
        ("18.0", "18"),
        ("$1,600.00", "1600"),
        ("-$5", "-5"),
        ("\u22125", "-5"),
        ("3/4", "0.75"),
        ("2 1/2", "2.5"),
        ("1/3", "0.333333"),
        ("0.3333333", "0.333333"),
        ("\\frac{1}{2}", "0.5"),
        ("\\dfrac{3}{4}", "0.75"),
        ("\\frac12", "0.5"),
        ("15%", "15"),
        ("15\\%", "15"),
        ("1e3", "1000"),
        ("1.5 \\times 10^{3}", "1500"),
        ("2 million", "2000000"),
        ("3,5", "3.5"),
        ("12{,}000", "12000"),
        ("42 apples", "42"),
        (".5", "0.5"),
        ("3/0", None),
        ("1e999999999", None),
        ("2 or 3", None),
        ("none", None),
    ],
)
def test_numbers(written, normal):
    assert number(written) == normal


def test_all_numbers_in_a_text():
    assert numbers("from 1,000 to 2.5, and -3") == ["1000", "2.5", "-3"]


@given(st.integers(-(10**9), 10**9))
def test_a_whole_number_is_the_same_however_it_is_written(value):
    assert {number(f"{value}"), number(f"{value:,}"), number(f"{value}.00"), number(f"  {value} ")} == {str(value)}


@given(st.text(max_size=200))
def test_nothing_that_is_written_breaks_it(text):
    for kind in ("number", "choice", "yes_no", "free"):
        answer = final_answer(text, kind)
        assert answer is None or answer
    assert isinstance(normalised(text, "free"), str)
    assert asked_for(text) in ("number", "choice", "yes_no", "free")


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many legs does a spider have?", "number"),
        ("What is 15% of 80?", "number"),
        ("Calculate the area.", "number"),
        ("Which one?\nA) red\nB) green\nC) blue", "choice"),
        ("Which one?\n(A) red\n(B) green", "choice"),
        ("Is Paris the capital of France?", "yes_no"),
        ("Answer true or false: water is wet", "yes_no"),
        ("Who wrote Hamlet?", "free"),
        ("Do the dishes and tell me about them.", "free"),
    ],
)
def test_what_a_question_asks_for(question, kind):
    assert asked_for(question) == kind


@pytest.mark.parametrize(
    ("text", "kind", "answer"),
    [
        ('{"reasoning": "9 * 2", "answer": "18"}', "number", "18"),
        ('```json\n{"reasoning": "…", "answer": 18}\n```', "number", "18"),
        ('{"reasoning": "a\nraw newline", "answer": "$18"}', "number", "18"),
        ('{"reasoning": "a "broken" quote", "answer": "18"', "number", "18"),
        ('{"reasoning": "cut in the middle of the answer", "answer": "1,800', "number", "1800"),
        ('I set {x} = 3. {"answer": "18"} and more text', "number", "18"),
        ('{"final_answer": [1, 2]}', "free", "[1, 2]"),
        ("So $$\\boxed{\\frac{1}{2}}$$", "number", "0.5"),
        ("\\boxed{3} no, \\boxed{\\text{B}}", "choice", "B"),
        ("9 * 2 = 18\n#### 18", "number", "18"),
        ("Thus the answer is 18 dollars.", "number", "18"),
        ("The answer is 3. Wait, the answer is 4.", "number", "4"),
        ("**Answer:** 12", "number", "12"),
        ("She has 3 left, then 5 more.\nThat makes 8 in total.", "number", "8"),
        ("The final answer is (C) because it fits.", "choice", "C"),
        ("B", "choice", "B"),
        ("B) green", "choice", "B"),
        ("I think it is (D).", "choice", "D"),
        ("Yes, it is.", "yes_no", "yes"),
        ("No.", "yes_no", "no"),
        ("True", "yes_no", "yes"),
        ("William Shakespeare.", "free", "william shakespeare"),
        ("the William  Shakespeare", "free", "william shakespeare"),
        ("a long text " * 20, "free", None),
        ("", "free", None),
        ("Two words\nand a second line", "free", None),
        ("I do not know.", "number", None),
    ],
)
def test_final_answers(text, kind, answer):
    assert final_answer(text, kind) == answer


@pytest.mark.parametrize(
    "text", ["{" * 50_000, '{"' * 50_000, "[" * 50_000, "\\boxed{" * 20_000, "9" * 100_000, "1/" * 50_000]
)
def test_hostile_texts_end(text):
    """In time: the suite's time limit says so."""
    for kind in ("number", "choice", "free"):
        answer = final_answer(text, kind)
        assert answer is None or len(answer) <= len(text)


MODELS = (
    "gpt-4o-mini-2024-07-18",
    "deepseek-chat",
    "gemini-1.5-flash",
    "claude-3-haiku-20240307",
    "Meta-Llama-3.1-8B-Instruct",
)


@pytest.mark.skipif(
    not (DATA / "zeroeval_outputs_gsm.parquet").exists(), reason="the recorded answers are not here (MIXTURE_DATA)"
)
async def test_a_majority_of_five_models_beats_the_best_of_them_on_recorded_answers():
    import pyarrow.parquet as pq

    wanted = [("task", "=", "gsm")]
    items = {row["id"]: row for row in pq.read_table(DATA / "zeroeval_items.parquet", filters=wanted).to_pylist()}
    outputs = defaultdict(dict)
    filters = [("model", "in", MODELS)]
    for row in pq.read_table(DATA / "zeroeval_outputs_gsm.parquet", filters=filters).to_pylist():
        outputs[row["id"]][row["model"]] = row["output"]
    right, aggregator = Counter(), make_aggregator(None)
    for key, said in outputs.items():
        gold = number(items[key]["gold"].removeprefix("# "))
        proposals = [Completion(model, (Choice(said[model]),)) for model in MODELS if model in said]
        verdict = await aggregator.aggregate(Query((Message("user", items[key]["question"]),)), proposals)
        answers = [final_answer(proposal.text, "number") for proposal in proposals]
        right["vote"] += answers[verdict.chosen] == gold
        for proposal, answer in zip(proposals, answers, strict=True):
            right[proposal.expert] += answer == gold
    assert len(outputs) == 1319
    assert right["vote"] > max(right[model] for model in MODELS)


def test_json_answers_survive_a_round_trip():
    for value in ("18", "x < y", 'he said "no"', "a\nb"):
        assert final_answer(json.dumps({"reasoning": "r", "answer": value}), "free") == normalised(value, "free")
