"""`mixture calibrate`, as people run it."""

import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from commands.main import app
from mixture.config import parse
from mixture.mixture import Mixture


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments: runner.invoke(app, ["calibrate", *arguments])


def log(tmp_path, size=600, experts=("cheap", "dear"), seed=0, name="log.jsonl", **more):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(size):
        proof = number % 3 == 0
        prompt = (
            f"Prove theorem number {number} on odd sums" if proof else f"A poem about the sea, verse {number}, please"
        )
        for place, expert in enumerate(experts):
            chance = 0.2 if proof and place == 0 else 0.9
            row = {"prompt": prompt, "expert": expert, "score": float(rng.random() < chance), "cost_usd": 0.01 * place}
            rows.append(row | more)
    (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    return name


async def test_a_log_becomes_a_file_that_routes(run, tmp_path):
    done = run(log(tmp_path))
    assert done.exit_code == 0, done.output
    assert "600 prompts, 2 experts; learned from" in done.output
    assert "quality 0.95: of dear's;" in done.output
    snippet = yaml.safe_load(done.output[done.output.index("router: {file:") :])
    assert snippet["router"]["file"] == str(tmp_path / "router.npz")
    experts = [{"name": name, "provider": "scripted", "price": {"input": 1, "output": 1}} for name in ("cheap", "dear")]
    mixture = Mixture.from_config(parse({"experts": experts, **snippet}, {}))
    assert "calibration" in (await mixture.answer("Prove theorem number 7")).report.route.signals


def test_what_changed_is_said_with_intervals_and_the_old_file_is_kept(run, tmp_path):
    run(log(tmp_path))
    first = (tmp_path / "router.npz").read_bytes()
    done = run(log(tmp_path, experts=("cheap", "dear", "third"), seed=1))
    assert done.exit_code == 0, done.output
    assert "Against fit " in done.output
    assert "new" in done.output
    assert (tmp_path / "router.npz.previous").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "router.npz", "router.npz.previous"]
    gone = run(log(tmp_path, experts=("cheap",)))
    assert gone.exit_code == 0, gone.output
    assert "gone" in gone.output


def test_a_dry_run_writes_nothing(run, tmp_path):
    done = run(log(tmp_path), "--dry-run")
    assert done.exit_code == 0
    assert not (tmp_path / "router.npz").exists()


def test_a_short_log_says_that_nothing_can_be_promised(run, tmp_path):
    done = run(log(tmp_path, size=9))
    assert done.exit_code == 0
    assert "too few to hold any back" in done.output
    assert "no quality can be promised" in done.output


def test_a_file_before_that_is_damaged_is_replaced_and_said(run, tmp_path):
    (tmp_path / "router.npz").write_bytes(b"nothing of ours")
    done = run(log(tmp_path))
    assert done.exit_code == 0
    assert "can't be compared with" in done.stderr


def test_validate_names_a_file_that_can_t_be_read(run, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"discover": True, "router": {"file": "router.npz"}}))
    refused = CliRunner().invoke(app, ["validate", "config.yaml"])
    assert refused.exit_code == 1
    assert "router.file: router.npz: No such file" in refused.stderr
    run(log(tmp_path))
    assert CliRunner().invoke(app, ["validate", "config.yaml"]).exit_code == 0


@pytest.mark.parametrize(
    ("content", "says"), [("", "no row has"), ("{nope", "not a JSON object"), ('{"prompt": "p"}', "no row has")]
)
def test_a_bad_log_is_named(run, tmp_path, content, says):
    (tmp_path / "bad.jsonl").write_text(content)
    done = run("bad.jsonl")
    assert done.exit_code == 1
    assert says in done.stderr
    assert "Traceback" not in done.output + done.stderr
    assert run("missing.jsonl").exit_code == 1


def test_an_encoder_that_is_not_there_is_named(run, tmp_path):
    done = run(log(tmp_path, size=20), "--encoder", "no_such_model")
    assert done.exit_code == 1
    assert "--encoder: 'no_such_model' is neither a folder nor an installed package" in done.output
    assert not (tmp_path / "router.npz").exists()
