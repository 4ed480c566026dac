"""What is looked up quickly is what the plain expressions find: no shortcut changes a signal."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixture.routing import classification, domains, encoder, language, runs, shape, wordpiece
from mixture.routing.domains import DOMAINS

HINTED = [pattern for domain in DOMAINS for pattern in domain.patterns if pattern.hints]
DATA = Path(os.environ.get("MIXTURE_DATA", "../shared/data")) / "routellm_mmlu_gsm8k.parquet"
PIECES = re.split(
    r"\s+",
    """12 3.5 7! pi + - * / % percent per cent of root square cube factorial sqrt( log ( tan how many miles km/h
feet are in into to as my our the these this own docs file readme handbook/ knowledge base according from does each
every third twice as many as much than older if when suppose one two dozen not except never i me you statement 1 case
i scenario all none of the of these A) ; { ``` def f( import x => return route router routing gpt-4 claude model
models dearest expert ignore forget above I Me NOT Each "" . , ? 12km 5percent x2 all_none a-b $ \\\\ __ 3-d c++ a;
-/; /9x = class let 5! 3! as m scenario passage case 2 notes our company team strong llm cheapest tier \u017ftrong
ro\u0131ter \u212am \u0130n \u00b0c \u00d7 \u00f7 \u00b7 \u0663 caf\u00e9 our\u2019s \u2014 \u00a0
e\u0301 how\u00a0many 5\u00a0km""",
)
"""Words that the expressions are about, and what stands between and inside them."""
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).flatmap(
    lambda pieces: st.sampled_from([" ", "", "\n"]).map(lambda between: between.join(pieces))
)


def told_plainly(text):
    """How often each kind of word occurs, by one expression a kind."""
    joined = ["|".join(words.split()) for words in shape._KINDS]
    return [len(re.findall(rf"\b(?:{words})\b", text.lower())) for words in joined]


def told_quickly(text):
    kinds = [shape._KIND_OF.get(token) for token in shape._tokens(text.lower())]
    return [kinds.count(kind) for kind in range(len(shape._KINDS))]


def check(text):
    lowered = text.lower()
    for pattern in HINTED:
        assert pattern.found(text, runs.folded(lowered)) == (pattern.regex.search(text) is not None), pattern.shows
    found = encoder._TARGET.search(text) is not None or encoder._OVERRIDE.search(text) is not None
    assert encoder._suspicious(text) == found
    assert told_quickly(text) == told_plainly(text)
    check_shape(text, lowered)
    check_words(text, lowered)


def check_shape(text, lowered):
    code = any(sign in text and part.search(text) for sign, part in shape._CODE_SIGNS)
    assert code == (shape._CODE.search(text) is not None)
    if shape._STATEMENT.search(lowered) is not None:
        assert any(part in lowered for part in shape._STATED)
    assert ("as m" in lowered) or not shape._AS_MANY.findall(lowered)
    assert shape._numbers(text) == shape._NUMBER.findall(text)
    assert shape._tokens(text) == shape._TOKEN.findall(text)
    if text.isascii():
        assert runs.runs(text, runs.LETTERS) == shape._WORD.findall(text) == language._WORD.findall(text)
        assert encoder._ASCII_TOKEN.findall(lowered) == encoder._TOKEN.findall(lowered)
        assert wordpiece._ASCII_TOKEN.findall(lowered) == wordpiece._TOKEN.findall(lowered)


def check_words(text, lowered):
    assert classification._listed(lowered) == classification._WORD.findall(lowered)
    marks = {"<digit>": r"\d", "<equals>": "=", "<fence>": "```", "<call>": r"\w\(", "<latex>": r"[\\$]"}
    marks["<line>"] = rf"(?m)^{domains._OPENING}"
    shown = {name for name, mark in marks.items() if re.search(mark, text)}
    assert {word for word in classification._words(text, lowered) if word[0] == "<"} == shown


def test_there_are_hints():
    assert {"units", "function", "arithmetic"} <= {pattern.shows for pattern in HINTED}


@settings(max_examples=400, deadline=None)
@given(texts)
def test_shortcuts_find_what_the_expressions_find(text):
    check(text)


@pytest.mark.skipif(not DATA.exists(), reason="needs the recorded prompts (MIXTURE_DATA)")
def test_shortcuts_on_recorded_prompts():
    import pyarrow.parquet as pq

    for text in pq.read_table(DATA, columns=["prompt"])["prompt"].to_pylist()[::8]:
        check(text)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=30))
def test_numbers_are_counted_as_numpy_counts_them(listed):
    numbers = np.array(listed, dtype=np.uint32)
    unique, counts = np.unique(numbers, return_counts=True)
    found = runs.counted(numbers)
    assert [list(part) for part in found] == [list(unique), list(counts)]
    assert list(runs.distinct(numbers)) == list(unique)


def test_what_is_remembered_can_t_be_changed():
    for array in (shape.shape("a text"), encoder.word_buckets("a text")):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
