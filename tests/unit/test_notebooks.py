"""Every cell of every notebook runs, in its order, as it stands, in a kernel of its own."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

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
    app = create_app(mixture, Vectors(), mixture.config.server, [KEY])
    async with listening(app) as url:
        monkeypatch.setenv("MIXTURE_URL", url)
        monkeypatch.setenv("MIXTURE_API_KEY", KEY)
        yield url


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
async def test_a_notebook_runs(path, monkeypatch, server, tmp_path):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MIXTURE_LOG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
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
