from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from commands.main import app

EXPERTS = [
    {
        "name": "parrot",
        "provider": "scripted",
        "options": {"text": "pieces of eight"},
        "price": {"input": 1, "output": 2},
    }
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command line in an empty folder and home, with nothing of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIXTURE_HOME", str(tmp_path / "home"))
    for name in ("MIXTURE_URL", "MIXTURE_API_KEY", "MIXTURE_API_KEYS", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments, **more: runner.invoke(app, arguments, **more)


def written(tmp_path, config, name="config.yaml"):
    (tmp_path / name).write_text(yaml.safe_dump(config, sort_keys=False))
    return name


def test_importing_the_command_line_is_light():
    heavy = ("ray", "torch", "openai", "anthropic", "fastapi", "pydantic", "numpy", "sympy", "aiohttp")
    code = f"import sys, commands.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["serve", "ask", "explain", "models", "validate", "simulate"])
def test_help_teaches_by_example(run, command):
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert f"mixture {command}" in shown.output


def test_validate_accepts(run, tmp_path):
    done = run("validate", written(tmp_path, {"experts": EXPERTS}))
    assert done.exit_code == 0
    assert "is valid" in done.output


@pytest.mark.parametrize(
    ("options", "told"),
    [({"lead": 1}, True), ({"lead": 1, "n": 2}, True), ({"lead": 1, "n": 2, "early_stop": False}, False), ({}, False)],
)
def test_validate_tells_of_a_cascade_that_ends_at_its_first_answer(run, tmp_path, options, told):
    aliases = {"checked": {"strategy": "cascade", **options}}
    done = run("validate", written(tmp_path, {"experts": EXPERTS, "aliases": aliases}))
    assert done.exit_code == 0
    assert ("aliases.checked: with `lead: 1` the first answer ends it" in done.output) is told


def test_validate_tells_all_faults_at_once(run, tmp_path):
    config = {
        "http_options": {"host": "127.0.0.1", "port": "none"},
        "htp_options": {},
        "applications": [
            {
                "name": "mixture",
                "import_path": "deployments.app:build",
                "args": {
                    "strategy": "vote",
                    "experts": [{"name": "one", "provider": "scripted", "api_key": "${NOT_SET_ANYWHERE}"}],
                    "defaults": {"timeot": 3},
                },
                "deployments": [{"name": "gatway"}],
            }
        ],
    }
    done = run("validate", written(tmp_path, config))
    assert done.exit_code == 1
    for named in ("http_options.port", "htp_options", "NOT_SET_ANYWHERE", "strategy", "defaults.timeot", "'gatway'"):
        assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_validate_knows_what_providers_know(run, tmp_path):
    experts = [
        {"name": "one", "provider": "scripted", "options": {"rat": 3}},
        {"name": "two", "provider": "openia"},
        {"name": "three", "provider": "openai"},
        {"name": "four", "provider": "persona", "expert": "two"},
    ]
    done = run("validate", written(tmp_path, {"experts": experts}))
    assert done.exit_code == 1
    assert "experts.one.options.rat" in done.stderr
    assert "experts.two.provider" in done.stderr
    assert "OPENAI_API_KEY" in done.stderr
    assert "3 faults" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [",
        "- 1",
        "3",
        "\x00",
        "applications: 3",
        "applications: [{}]",
        "a: " + "[" * 5000,
        "a: &a [*a]",
        "? [a]: b",
    ],
)
def test_validate_survives_any_file(run, tmp_path, text):
    (tmp_path / "odd.yaml").write_text(text)
    done = run("validate", "odd.yaml")
    assert done.exit_code == (0 if text == "" else 1)
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_validate_counts_a_fault_once(run, tmp_path):
    (tmp_path / "odd.yaml").write_text("experts: []\ndiscover: true\nexperts: []\n")
    done = run("validate", "odd.yaml")
    assert "1 fault\n" in done.stderr
    assert "'experts' is there twice in line 3, column 1" in done.stderr


def test_validate_refuses_a_port_that_is_none(run, tmp_path):
    application = {"name": "m", "import_path": "deployments.app:build", "args": {"experts": EXPERTS}}
    served = written(tmp_path, {"http_options": {"port": 99999}, "applications": [application]})
    done = run("validate", served)
    assert "http_options.port: a number from 1 to 65535" in done.stderr
    assert "http_options.port" in run("serve", served).stderr


@pytest.mark.parametrize("words", [["ask", ""], ["ask"], ["ask", "-"]])
def test_ask_wants_a_question(run, words):
    done = run(*words, input=" \n")
    assert done.exit_code == 2
    assert "Ask something" in done.stderr


def test_validate_names_a_missing_file(run):
    done = run("validate", "nowhere.yaml")
    assert done.exit_code == 1
    assert "nowhere.yaml" in done.stderr


def test_ask_answers_in_this_process_when_no_server_runs(run, tmp_path):
    done = run("ask", "--config", written(tmp_path, {"experts": EXPERTS}), "say", "it")
    assert done.exit_code == 0
    assert done.stdout == "pieces of eight\n"


def test_ask_says_that_it_is_local(run, tmp_path):
    written(
        tmp_path,
        {"applications": [{"name": "m", "import_path": "deployments.app:build", "args": {"experts": EXPERTS}}]},
        "serve_config.yaml",
    )
    done = run("ask", "say it")
    assert done.stdout == "pieces of eight\n"
    assert "No server runs" in done.stderr


def test_ask_explains(run, tmp_path):
    done = run("ask", "--explain", "-c", written(tmp_path, {"experts": EXPERTS}), "say it")
    assert "parrot" in done.output
    assert "$0.000008" in done.output
    assert "task_based" in done.output


def test_ask_reads_standard_input(run, tmp_path):
    experts = [{"name": "echo", "provider": "scripted", "options": {"text": {"whale": "a whale", ".": "no whale"}}}]
    done = run("ask", "-c", written(tmp_path, {"experts": experts}), input="the whale\n")
    assert done.stdout == "a whale\n"


def test_ask_tells_errors_in_a_line(run, tmp_path):
    config = written(tmp_path, {"experts": EXPERTS})
    unknown = run("ask", "-c", config, "-m", "parot", "say it")
    assert unknown.exit_code == 1
    assert "did you mean 'parrot'" in unknown.stderr
    assert run("ask", "-c", "nowhere.yaml", "say it").exit_code == 1


def test_ask_a_server_that_is_not_there(run, monkeypatch):
    monkeypatch.setenv("MIXTURE_URL", "http://127.0.0.1:9")
    done = run("ask", "say it")
    assert done.exit_code == 1
    assert "does not answer" in done.stderr


def test_models_of_a_configuration(run, tmp_path):
    config = {"experts": EXPERTS, "aliases": {"bird": {"expert": "parrot"}}}
    done = run("models", written(tmp_path, config))
    assert done.exit_code == 0
    for shown in ("parrot", "scripted", "$1 / $2 per M", "voting", "bird"):
        assert shown in done.output


def test_a_stale_note_of_a_server_is_removed(run, tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = tmp_path / "home" / "servers"
    folder.mkdir(parents=True)
    note = {"url": "http://127.0.0.1:9", "key": "k", "pid": gone.pid}
    (folder / "1.json").write_text(json.dumps(note))
    (folder / "2.json").write_text("{")
    run("ask", "-c", written(tmp_path, {"experts": EXPERTS}), "--local", "say it")
    done = run("models")
    assert done.exit_code == 0
    assert not (folder / "1.json").exists()


PYTHAGORAS = (
    "Explain the significance of the Pythagorean theorem in modern physics and provide a Python code example that "
    "demonstrates its application"
)


def test_explain_shows_what_would_be_done(run, tmp_path):
    second = {**EXPERTS[0], "name": "coder", "skills": ["code"]}
    config = written(tmp_path, {"experts": [*EXPERTS, second]})
    shown = run("explain", "--config", config, PYTHAGORAS)
    assert shown.exit_code == 0
    for text in ("decomposition", "subtask 1 (science)", "subtask 2 (code)", "coder", "3.0 calls", "Candidate"):
        assert text in shown.output
    told = json.loads(run("explain", "--json", "--config", config, "--strategy", "voting", "hello").stdout)
    assert (told["strategy"], [call["expert"] for call in told["calls"]]) == ("voting", ["parrot", "coder"])


SLOW = {"name": "slow", "provider": "scripted", "options": {"text": "late"}, "price": {"input": 50, "output": 90}}


def test_explain_takes_the_wishes_of_a_request(run, tmp_path):
    config = written(tmp_path, {"experts": [SLOW, *EXPERTS]})
    dear = json.loads(run("explain", "--json", "--config", config, "What is the capital of France?").stdout)
    assert dear["route"]["experts"][0] == "slow"
    wishes = ("--max-cost-usd", "0.01", "--max-latency-ms", "5000", "--quality", "0.9", "--strategy", "task_based")
    told = json.loads(run("explain", "--json", "--config", config, *wishes, "What is the capital of France?").stdout)
    assert told["route"]["experts"][0] == "parrot"
    shown = run("explain", "--config", config, *wishes, "What is the capital of France?").output
    assert "wishes: strategy task_based, quality 0.9, max_cost_usd 0.01, max_latency_ms 5000" in shown
    assert "of 0.010000 USD" in next(line for line in shown.splitlines() if line.strip().startswith("slow"))
    assert "quality: nothing is promised" in shown
    refused = run("explain", "--config", config, "--quality", "2", "hello")
    assert (refused.exit_code, "mixture.quality" in refused.stderr) == (1, True)


def test_ask_takes_the_wishes_of_a_request(run, tmp_path):
    config = written(tmp_path, {"experts": [SLOW, *EXPERTS]})
    question = "What is the capital of France?"
    assert run("ask", "-c", config, "-s", "task_based", question).stdout == "late\n"
    wishes = ("--max-cost-usd", "0.01", "--max-latency-ms", "60000", "--quality", "0.9")
    assert run("ask", "-c", config, "-s", "task_based", *wishes, question).stdout == "pieces of eight\n"
    refused = run("ask", "-c", config, "--max-latency-ms", "1", question)
    assert (refused.exit_code, "mixture.max_latency_ms" in refused.stderr) == (1, True)


def test_explain_without_a_model_still_shows_the_parts(run, tmp_path):
    config = written(tmp_path, {"experts": [{"name": "symbolic", "provider": "symbolic"}]})
    shown = run("explain", "--config", config, PYTHAGORAS)
    assert "subtask 2 (code)" not in shown.output  # one expert alone gets the whole
    (tmp_path / "sea.md").write_text("The sea is salty.")
    two = {
        "experts": [{"name": name, "provider": name} for name in ("symbolic", "extractive")],
        "documents": {"paths": [str(tmp_path / "sea.md")]},
    }
    for command in (("explain",), ("ask", "--explain")):
        shown = run(*command, "--config", written(tmp_path, two), PYTHAGORAS)
        assert "subtask 1 (science)" in shown.output
        assert "subtask 2 (code)" in shown.output


def test_ask_explains_the_parts(run, tmp_path):
    second = {**EXPERTS[0], "name": "coder", "skills": ["code"]}
    shown = run("ask", "--explain", "--config", written(tmp_path, {"experts": [*EXPERTS, second]}), PYTHAGORAS)
    assert shown.exit_code == 0
    for text in ("pieces of eight", "decomposition", "subtask 1 (science)", "subtask 2 (code)", "auto: 2 parts"):
        assert text in shown.output
