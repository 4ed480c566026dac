import json

import pytest
import yaml
from typer.testing import CliRunner

from commands.main import app
from mixture.config import ConfigError
from mixture.errors import InvalidQuery
from mixture.evaluation.replay import Replayer, configured
from mixture.routing.outcomes import pivot
from mixture.types import Price

SAID = {"a": "12", "b": "12", "c": "13"}


def rows(count=20, lacking=(), **more):
    """`a` and `b` are right where the number is no multiple of four, and then all say the same wrong thing."""
    for number in range(count):
        for expert, said in SAID.items():
            if (expert, number) in lacking:
                continue
            wrong = number % 4 == 0
            text = f"The answer is {7 if wrong else said}."
            yield {
                "item": str(number),
                "prompt": f"What is {number} and something?",
                "expert": expert,
                "response": text,
                "score": float(not wrong and said == "12"),
                "cost_usd": {"a": 0.001, "b": 0.002, "c": 0.004}[expert],
                "completion_tokens": 10,
                "latency_s": 0.5,
                **more,
            }


async def replayed(log, arms, aliases=None, prices=None):
    return await Replayer(log, configured(log, None, aliases or {}), prices or {}).replay(arms)


async def test_a_vote_over_logged_answers_has_the_score_of_the_answer_it_chose():
    found = await replayed(pivot(list(rows())), {"vote": "voting", "a": "a", "c": "c"})
    means = dict(zip(found.results.arms, found.results.scores.mean(axis=0), strict=True))
    assert means == {"vote": 0.75, "a": 0.75, "c": 0.0}
    assert found.results.figures["calls"][:, 1].tolist() == [1.0] * 20
    assert found.results.costs[0, 1] == 0.001
    assert found.results.latencies[0, 1] == 0.5
    assert found.bounds("vote") == (0.75, 0.75)


async def test_what_the_log_lacks_is_marked_and_bounded():
    log = pivot(list(rows(lacking={("b", 1), ("b", 2)})))
    found = await replayed(log, {"b": "b", "a": "a"})
    assert found.unknown["b"].total() == 2
    assert "lacks the answer of b" in next(iter(found.unknown["b"]))
    low, high = found.bounds("b")
    assert (round(low, 3), round(high, 3)) == (0.65, 0.75)
    assert not found.unknown["a"]


async def test_a_text_that_would_be_written_anew_is_unknown():
    aliases = {"moa": {"strategy": "mixture_of_agents", "aggregator_model": "a", "experts": ["a", "b", "c"]}}
    found = await replayed(pivot(list(rows(4))), {"moa": "moa"}, aliases)
    assert found.unknown["moa"].total() == 4
    assert found.bounds("moa") == (0.0, 1.0)


async def test_other_prices_change_what_is_asked_first_and_what_it_costs():
    log = pivot(list(rows()))
    arms, aliases = {"first": "first"}, {"first": {"strategy": "cascade"}}
    logged = await replayed(log, arms, aliases)
    prices = {"a": Price(9, 9), "b": Price(9, 9), "c": Price(0, 1)}
    other = await replayed(log, arms, aliases, prices)
    assert logged.results.scores.mean() == 0.75  # a is the cheapest
    assert other.results.scores.mean() == 0.0  # now c is
    assert other.results.costs[0, 0] == pytest.approx(10e-6)


async def test_a_log_without_responses_is_refused():
    log = pivot([{**row, "response": None} for row in rows(3)])
    with pytest.raises(InvalidQuery, match="response"):
        Replayer(log, configured(log, None, {}))


def test_an_option_that_does_not_exist_is_named():
    log = pivot(list(rows(3)))
    with pytest.raises(ConfigError, match="voting_treshold"):
        configured(log, None, {"x": {"strategy": "voting", "voting_treshold": 0.5}})


def test_the_command_says_what_is_certain_and_what_is_not(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps(row) for row in rows(40, lacking={("b", 3)})))
    prices = tmp_path / "prices.yaml"
    prices.write_text(yaml.safe_dump({"a": {"input": 1, "output": 2}}))
    words = ["replay", str(log), "-s", "voting:n=3", "-s", "cascade:lead=2", "-s", "c", "--prices", str(prices)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "no expert was asked" in result.output
    assert "c scores less than a" in result.output
    assert "1 of 40 items can't be known" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-e", "a,nobody"], "nobody"),
        (["-s", "voting:n"], "OPTION=VALUE"),
        (["-s", "voting:n=0"], "n"),
        (["-s", "nothing"], "nothing"),
        (["--baseline", "nobody"], "nobody"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, words, said):
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps(row) for row in rows(4)))
    result = CliRunner().invoke(app, ["replay", str(log), *words])
    assert result.exit_code == 1
    assert said in result.output
