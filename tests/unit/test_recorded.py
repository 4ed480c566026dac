"""Recorded answers come back by prompt, from files of several shapes."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixture import errors
from mixture.config import ConfigError, ExpertConfig
from mixture.providers import Context
from mixture.providers.recorded import make
from mixture.streams import complete
from mixture.types import Message, Query, Usage


@pytest.fixture
def write(tmp_path):
    def written(name: str, **columns) -> str:
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(columns), path)
        return str(path)

    return written


def recorded(**options):
    return make(ExpertConfig(name="r", provider="recorded", options=options), Context())


def asked(*texts: str, stream: bool = False) -> Query:
    roles = ["system", *["user"] * (len(texts) - 1)] if len(texts) > 1 else ["user"]
    return Query(tuple(Message(role, text) for role, text in zip(roles, texts, strict=True)), stream=stream)


async def test_replays_an_outcome_log_by_expert(write):
    log = write(
        "log",
        prompt=["1+1?", "1+1?", "2+2?"],
        expert=["a", "b", "a"],
        response=["two", "2", "four"],
        prompt_tokens=[3, 3, 3],
        completion_tokens=[1, 2, 1],
        finish_reason=["stop", "length", None],
    )
    counts = {"prompt_tokens": "prompt_tokens", "completion_tokens": "completion_tokens"}
    a = recorded(file=log, where={"expert": "a"}, **counts)
    b = recorded(file=log, where={"expert": "b"}, finish_reason="finish_reason", **counts)
    assert (await complete(a, asked("2+2?"))).text == "four"
    answer = await complete(b, asked("1+1?"))
    assert (answer.text, answer.usage, answer.finish_reason) == ("2", Usage(3, 2), "length")


async def test_joins_prompts_by_id_and_filters_them(write):
    items = write("items", task=["x", "y"], number=[7, 8], question=["how?", "why?"], options=["A", "B"])
    answers = write("answers", item=[7, 8, 7], model=["m", "m", "other"], output=["so", "thus", "no"])
    expert = recorded(
        file=answers, items=items, id="item", items_id="number", prompt=("question", "options"), response="output",
        where={"model": "m"}, items_where={"task": "x"},
    )  # fmt: skip
    assert len(expert) == 1
    assert (await complete(expert, asked("how?\nA"))).text == "so"
    with pytest.raises(errors.Declined):
        await complete(expert, asked("why?\nB"))


async def test_two_responses_in_columns_share_one_table(write):
    log = write("two", prompt=["p", "q"], weak=["w", None], strong=["s", "t"])
    weak, strong = recorded(file=log, response="weak"), recorded(file=log, response="strong")
    assert weak._table is strong._table
    assert [(await complete(strong, asked(p))).text for p in ("p", "q")] == ["s", "t"]
    assert (len(weak), (await complete(weak, asked("p"))).text) == (1, "w")


async def test_the_last_user_message_is_matched_whatever_its_blanks_and_accents(write):
    log = write("log", prompt=["caf\u00e9  au\nlait"], response=["oui"])
    query = asked("be brief", "hello", " cafe\u0301 au lait ")
    assert (await complete(recorded(file=log), query)).text == "oui"


async def test_messages_as_prompts(write):
    log = write("log", prompt=[[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]], response=["ok"])
    assert (await complete(recorded(file=log), asked("u"))).text == "ok"


async def test_an_unknown_prompt_is_unavailable_and_says_so(write):
    expert = recorded(file=write("log", prompt=["p"], response=["r"]))
    with pytest.raises(errors.ExpertUnavailable, match="recorded") as caught:
        await complete(expert, asked("something else"))
    assert (caught.value.expert, caught.value.code) == ("r", "not_recorded")
    assert pickle.loads(pickle.dumps(caught.value)).code == "not_recorded"


async def test_streams_in_pieces_with_usage_last(write):
    expert = recorded(file=write("log", prompt=["abcd"], response=["x" * 10]), chunk_chars=4, chars_per_token=2)
    chunks = [chunk async for chunk in expert.stream(asked("abcd", stream=True))]
    assert [len(chunk.text) for chunk in chunks] == [4, 4, 2]
    assert [chunk.usage for chunk in chunks] == [None, None, Usage(2, 5, estimated=True)]


async def test_pauses_add_up_to_the_recorded_latency(write, monkeypatch):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("mixture.providers.recorded.asyncio.sleep", sleep)
    log = write("log", prompt=["p"], response=["x" * 40], latency_s=[6.0])
    await complete(recorded(file=log, latency="latency_s", chunk_chars=10), asked("p", stream=True))
    assert slept == [1.5] * 4
    slept.clear()
    await complete(recorded(file=log, rate=5), asked("p"))
    assert slept == [2.0]
    slept.clear()
    await complete(recorded(file=log), asked("p"))
    assert slept == [0.0]


async def test_of_several_answers_to_a_prompt_the_first_counts(write):
    expert = recorded(file=write("log", prompt=["p", "p"], response=["first", "second"]))
    assert (await complete(expert, asked("p"))).text == "first"


async def test_several_files_are_one(write):
    files = (write("a", prompt=["p"], response=["1"]), write("b", prompt=["q"], response=["2"]))
    expert = recorded(file=files)
    assert [(await complete(expert, asked(p))).text for p in ("p", "q")] == ["1", "2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": "absent.parquet"}, "absent.parquet"),
        ({"response": "answer"}, "no column 'answer'; it has: prompt, response"),
        ({"where": {"model": "m"}}, "no column 'model'"),
        ({"where": {"prompt": "z"}}, "no row fits"),
        ({"latency": "seconds"}, "no column 'seconds'"),
        ({"files": "x"}, "experts.r.options.files"),
    ],
)
def test_what_is_wrong_is_told_when_the_expert_is_made(write, options, message):
    log = write("log", prompt=["p"], response=["r"])
    with pytest.raises(ConfigError, match=message):
        recorded(**{"file": log, **options})
