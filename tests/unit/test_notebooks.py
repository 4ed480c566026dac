"""Every cell of every notebook runs, in its order, as it stands, in a kernel of its own."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from typer.testing import CliRunner

from commands.main import app
from deployments.http.app import create_app
from mixture import Mixture
from tests.serve.gateway.inprocess import KEY, Vectors, listening

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SAYS = {
    "quickstart": ("87/7", "x = 2 or x = 3", "Quorum(asked=3, answered=3, agreed=2)", "symbolic"),
    "choosing_a_strategy": ("1200 prompts", "scores less than large"),
    "calibrating": ("held back", "large"),
}
PLOTS = {"quickstart": 0, "choosing_a_strategy": 2, "calibrating": 2}


@pytest.fixture
async def server(monkeypatch):
    """A server with the two built-in experts, where notebooks look for one."""
    mixture = Mixture.from_config({"experts": [{"name": "symbolic", "provider": "symbolic"}], "server": {"log": "off"}})
    served = create_app(mixture, Vectors(), mixture.config.server, [KEY])
    async with listening(served) as url:
        monkeypatch.setenv("MIXTURE_URL", url)
        monkeypatch.setenv("MIXTURE_API_KEY", KEY)
        yield url


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """The environment that a notebook's kernel gets."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MIXTURE_LOG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


@pytest.fixture
def evaluation(tmp_path):
    """The folder of a small evaluation."""
    experts = [
        {"name": name, "provider": "scripted", "price": {"input": 1, "output": price}, "options": {"text": text}}
        for name, price, text in (("cheap", 1, ("4", "4", "5")), ("dear", 9, ("4", "4", "4", "5")), ("odd", 3, "5"))
    ]
    rows = [{"question": f"{number}: two and two?", "answer": "4"} for number in range(40)]
    (tmp_path / "config.yaml").write_text(json.dumps({"experts": experts, "ledger": {"url": "off"}}))
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arms = [word for expert in experts for word in ("-a", expert["name"])]
    told = ["--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "out"), "-l", "gsm8k", *arms]
    done = CliRunner().invoke(app, ["evaluate", str(tmp_path / "data.jsonl"), *told])
    assert done.exit_code == 0, done.output
    return tmp_path / "out"


async def test_a_strategy_is_chosen_from_the_folder_of_an_evaluation(evaluation, kernel, monkeypatch):
    monkeypatch.setenv("MIXTURE_LOG", str(evaluation))
    path = ROOT / "notebooks" / "choosing_a_strategy.ipynb"
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    await NotebookClient(notebook, timeout=150, kernel_name="python3", resources=where).async_execute()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "40 prompts; cheap, dear, odd" in said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
async def test_a_notebook_runs(path, kernel, server):
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    await NotebookClient(notebook, timeout=150, kernel_name="python3", resources=where).async_execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = "".join(output.get("text", "") for output in outputs)
    assert [words for words in SAYS[path.stem] if words not in said] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) == PLOTS[path.stem]


def test_notebooks_are_kept_without_output():
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs"), path.name
