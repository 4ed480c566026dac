"""The house rules that a machine can check: which way imports run, and how large files and functions are."""

import ast
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("mixture", "actors", "deployments", "commands")

LAYERS = (
    {"mixture.types", "mixture.errors"},
    {
        "mixture.streams",
        "mixture.config",
        "mixture.counters",
        "mixture.metering",
        "mixture.pricing",
        "mixture.tokens",
        "mixture.tokenizing",
        "mixture.prompts",
        "mixture.estimates",
        "mixture.envelope",
        "mixture.writing",
        "mixture.logs",
    },
    {
        "mixture.upstream",
        "mixture.catalogue",
        "mixture.embedding",
        "mixture.keys",
        "mixture.batches",
        "mixture.reference",
        "mixture.caching",
    },
    {
        "mixture.wrappers",
        "mixture.experiments",
        "mixture.feedback",
        "mixture.ledger",
        "mixture.routing",
        "mixture.planning",
        "mixture.aggregation",
        "mixture.retrieval",
        "mixture.providers",
    },
    {"mixture.dispatch", "mixture.discovery", "mixture.simulation"},
    {"mixture.strategies"},
    {
        "mixture.models",
        "mixture.scope",
        "mixture.trace",
        "mixture.description",
        "mixture.assembly",
        "mixture.estimation",
        "mixture.live",
        "mixture.request",
    },
    {"mixture.mixture"},
    {"mixture.api", "mixture.evaluation"},
    {"actors"},
    {"deployments"},
    {"commands"},
)
"""Lower layers first: a module imports from its own layer or from lower ones."""
HOUSES = ("mixture.strategies", "mixture.providers")
"""Packages whose parts do not know each other: a new strategy or provider is one file."""
LONGEST_FILE = 400
LONGEST_FUNCTION = 40


@cache
def sources():
    return {
        path: ast.parse(path.read_text(encoding="utf-8")) for name in PACKAGES for path in (ROOT / name).rglob("*.py")
    }


def module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree):
    """The modules that a file imports as it is loaded: not those for annotations only, nor those inside functions."""
    found, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If):
            waiting += node.orelse if "TYPE_CHECKING" in ast.unparse(node.test) else [*node.body, *node.orelse]
        elif isinstance(node, ast.Try):
            waiting += [*node.body, *node.orelse, *node.finalbody]
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@cache
def everywhere(tree):
    """The modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def layer(name):
    for number, names in enumerate(LAYERS):
        if any(name == known or name.startswith(f"{known}.") for known in names):
            return number
    return None


def test_the_rules_notice_what_they_forbid():
    tree = ast.parse(
        "import ray\nfrom mixture.models import Models\nif TYPE_CHECKING:\n    import typed\n"
        "def f():\n    import late\ntry:\n    import tried\nexcept ImportError:\n    pass\n"
    )
    assert imported(tree) == {"ray", "mixture.models", "mixture.models.Models", "tried"}
    assert {"late", "typed"} <= set(everywhere(tree))
    assert (
        layer("mixture.types.query") < layer("mixture.wrappers") < layer("mixture.strategies.voting") < layer("actors")
    )
    assert layer("mixture.typesetting") is None


def test_every_module_has_its_layer():
    names = {module(path) for path in sources()} - {"mixture", "mixture.evaluation"}
    assert sorted(name for name in names if layer(name) is None) == []


def test_imports_run_one_way():
    wrong = []
    for path, tree in sources().items():
        own = layer(module(path))
        for name in imported(tree):
            other = layer(name)
            if own is not None and other is not None and other > own:
                wrong.append(f"{module(path)} imports {name}")
    assert wrong == []


def test_houses_do_not_look_at_their_neighbours():
    wrong = []
    for path, tree in sources().items():
        name = module(path)
        for house in HOUSES:
            if name == house or not name.startswith(f"{house}."):
                continue
            part = name[len(house) + 1 :].partition(".")[0]
            own = f"{house}.{part}"
            inside = [other for other in everywhere(tree) if other.startswith(f"{house}.")]
            wrong += [f"{name} imports {other}" for other in inside if not f"{other}.".startswith(f"{own}.")]
    assert wrong == []


@pytest.mark.parametrize("forbidden", ["ray", "fastapi", "starlette", "deployments", "actors", "commands"])
def test_the_core_knows_neither_ray_nor_a_web_framework(forbidden):
    wrong = [
        f"{module(path)} imports {name}"
        for path, tree in sources().items()
        if path.is_relative_to(ROOT / "mixture")
        for name in everywhere(tree)
        if name.partition(".")[0] == forbidden
    ]
    assert wrong == []


def test_vllm_is_imported_by_its_host_alone():
    """Importing it takes seconds and hundreds of megabytes: gateway and driver must not."""
    host = "deployments.engine.vllm"
    users = {
        module(path) for path, tree in sources().items() if any(n.partition(".")[0] == "vllm" for n in everywhere(tree))
    }
    assert users == {host}
    loaders = {module(path) for path, tree in sources().items() if host in imported(tree)}
    assert loaders == set()


def test_files_are_short():
    lines = {module(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}
    assert median(lines.values()) < 150


def functions():
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                length = node.end_lineno - body[0].lineno + 1 if body else 0
                yield f"{module(path)}.{node.name}", length


def test_functions_are_short():
    lengths = list(functions())
    assert [name for name, length in lengths if length > LONGEST_FUNCTION] == []
    assert median(length for _, length in lengths) < 10


def test_names_are_the_field_s():
    banned = ("manager", "handler", "helper", "utils", "smart")
    files = [module(path) for path in sources()]
    classes = [node.name for tree in sources().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert [name for name in (*files, *classes) if any(word in name.lower() for word in banned)] == []


def test_nothing_fails_in_silence():
    """`except: pass` loses what went wrong; `contextlib.suppress` names what may."""
    silent = [
        f"{module(path)}:{node.lineno}"
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and [type(line) for line in node.body] == [ast.Pass]
    ]
    assert silent == []
