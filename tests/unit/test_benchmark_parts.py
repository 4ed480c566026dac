"""The parts of the benchmarks that decide: grades, figures out of wrk's text, what counts as an answer."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from benchmarks.faults import plain_outcome, streamed_outcome
from benchmarks.grading import answer, correct
from benchmarks.processes import Running
from benchmarks.strategies import Question, interval, outcome
from benchmarks.streams import measure
from benchmarks.wrk import read
from mixture.simulation import StandIn

WRK = """Running 2s test @ http://127.0.0.1:9000/v1/chat/completions
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.32ms    0.90ms  12.44ms   89.91%
    Req/Sec    20.68k     8.70k   28.93k    72.50%
  Latency Distribution
     50%  980.00us
     75%    1.50ms
     90%    2.15ms
     99%    1.20s
  41200 requests in 2.00s, 10.20MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec:  20533.81
Transfer/sec:      5.08MB
"""


@pytest.mark.parametrize(
    ("output", "gold", "right"),
    [
        ('{"reasoning": "3 * 6 = 18", "answer": "18"}', "# 18", True),
        ('```json\n{"reasoning": "a\nb", "answer": "$1,600.00"}\n```', "# 1,600", True),
        ('{"reasoning": "unclosed, "answer": 7}', "# 7", True),
        ('{"answer": 5}\nCorrection: {"answer": 6}', "# 6", False),
        ('{"answer": "2/3"}', "# 2", False),
        (r"The final answer is $\boxed{-3}$", "# -3", True),
        ("18", "# 18", False),
        ("", "# 18", False),
    ],
)
def test_grades(output, gold, right):
    assert correct(output, gold) is right


def test_answer_out_of_broken_json():
    assert answer('{"reasoning": "he said "two"", "answer": "2 apples"') == "2 apples"


def test_figures_of_wrk():
    load = read(WRK)
    assert (load.requests, load.rps, load.p50_ms, load.p99_ms, load.errors) == (41200, 20533.81, 0.98, 1200.0, 10)


def test_figures_that_are_not_there_are_told():
    with pytest.raises(RuntimeError, match="unable to connect"):
        read("unable to connect to 127.0.0.1:1 Connection refused")


ERROR = json.dumps({"error": {"message": "m", "type": "upstream_error", "param": None, "code": None}})


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (200, '{"choices": [{"message": {"content": "x"}}]}', "answered"),
        (200, '{"choices": [{"message": {"content": ""}}]}', "malformed"),
        (502, ERROR, "refused"),
        (502, '{"detail": "Internal Server Error"}', "malformed"),
        (502, "<html>", "malformed"),
    ],
)
def test_what_a_whole_answer_is(status, text, said):
    assert plain_outcome(status, text) == said


def event(delta: dict, reason: str | None = None) -> str:
    return "data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}) + "\n\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (": keepalive\n\n" + event({"content": "x"}) + event({}, "stop") + "data: [DONE]\n\n", "answered"),
        (event({"content": "x"}) + f"data: {ERROR}\n\n", "refused"),
        (event({"content": "x"}), "unanswered"),
        (event({"content": "x"}) + "data: [DONE]\n\n", "malformed"),
        ("data: {\n\n", "malformed"),
    ],
)
def test_what_a_stream_is(text, said):
    assert streamed_outcome(text) == said


def test_outcomes_count_errors_as_wrong_answers():
    asked = [Question(str(n), "q", "# 1", {}) for n in range(2)]
    report = {"experts": [{}, {}], "cost_usd": 0.5}
    answered = {"choices": [{"message": {"content": '{"answer": 1}'}}], "mixture": report}
    found = outcome([answered, {"error": {}}], asked)
    assert (found.right.tolist(), found.calls.tolist(), found.cost_usd.sum(), found.failed) == ([1, 0], [2, 0], 0.5, 1)


def test_interval_holds_the_mean_and_nothing_when_all_are_equal():
    low, high = interval(np.array([0.0, 1.0] * 50))
    assert low < 0.5 < high
    assert interval(np.ones(10)) == (1.0, 1.0)


def test_streams_are_counted():
    with StandIn(text="one two three") as upstream:
        server = Running(upstream.base_url.removesuffix("/v1"), "none", 0)
        measured = asyncio.run(measure(server, "m", clients=3, times=4))
    assert (measured.chunks, len(measured.ttft_ms), measured.broken) == (36, 12, 0)


def test_streams_that_break_off_are_counted():
    with StandIn(text="a b c", failure={"error": "StreamBroken", "after": 2}) as upstream:
        server = Running(upstream.base_url.removesuffix("/v1"), "none", 0)
        measured = asyncio.run(measure(server, "m", clients=1, times=1))
    assert (measured.chunks, measured.broken) == (2, 1)
