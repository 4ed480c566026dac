"""`mixture reload`: what of a changed file a running server takes on, and what it says of the rest."""

from __future__ import annotations

from copy import deepcopy

import pytest
import yaml

from commands.clusters import Unreachable
from commands.reloading import applied, told
from commands.validate import faults_of
from mixture.config import ConfigError

ARGS = {
    "experts": [{"name": "a", "provider": "scripted", "price": {"input": 1, "output": 1}}],
    "aliases": {"usual": {"expert": "a"}},
    "server": {"log": "json"},
}


class Fake:
    """A cluster that notes what is deployed on it."""

    def __init__(self, *applications):
        self.deployed = []
        self._schema = {"http_options": {"port": 8000}, "applications": list(applications)}

    def schema(self):
        return deepcopy(self.deployed[-1] if self.deployed else self._schema)

    def deploy(self, schema):
        self.deployed.append(schema)

    def settled(self):
        return True


def ours(args=ARGS, **more):
    return {"name": "mixture", "import_path": "deployments.app:build", "args": args, **more}


OTHER = {"name": "other", "import_path": "other:app"}


def changed(**fields):
    return deepcopy(ARGS) | fields


def test_what_can_be_changed_is_changed_and_nothing_else():
    cluster = Fake(OTHER, ours(deployments=[{"name": "gateway", "num_replicas": 2}]))
    new = changed(aliases={"usual": {"strategy": "voting"}}, limits={"max_cost_usd": 0.1})
    new["experts"][0] |= {"price": {"input": 2, "output": 2}, "skills": ["law"]}
    assert applied(cluster, {"applications": [ours(new)]}, {}) == ["aliases", "experts", "limits"]
    (deployed,) = cluster.deployed
    assert deployed["applications"][0] == OTHER
    assert deployed["applications"][1]["args"] == ARGS
    (gateway,) = deployed["applications"][1]["deployments"]
    assert gateway["num_replicas"] == 2
    assert gateway["user_config"] == {
        "aliases": {"usual": {"strategy": "voting"}},
        "limits": {"max_cost_usd": 0.1},
        "experts": {"a": {"price": {"input": 2, "output": 2}, "skills": ["law"]}},
    }
    assert applied(cluster, {"applications": [ours(new)]}, {}) == []
    assert applied(cluster, {"applications": [ours()]}, {}) == ["aliases", "experts", "limits"]
    assert cluster.deployed[-1]["applications"][1]["deployments"][0]["user_config"] == {}


def test_fields_that_are_gone_are_empty():
    assert told(ARGS, changed(aliases={}) | {"strategy": "cascade"}) == {"aliases": {}, "strategy": "cascade"}
    without = changed()
    del without["aliases"]
    assert told(ARGS, without) == {"aliases": {}}
    assert told(ARGS | {"strategy": "voting"}, ARGS) == {"strategy": "auto"}


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (changed(server={"log": "text"}), "server: takes a new deployment"),
        (changed(experts=[*ARGS["experts"], {"name": "b", "provider": "scripted"}]), "experts.b: is new"),
        (changed(experts=[{"name": "b", "provider": "scripted"}]), "experts.a: was removed"),
        (changed(experts=[{"name": "a", "provider": "scripted"}]), "experts.a.price: was removed"),
        (changed(experts=[ARGS["experts"][0] | {"timeout": 3}]), "experts.a.timeout: takes a new deployment"),
        (changed(aliases={"usual": {"expert": "nobody"}}), "unknown expert 'nobody'"),
        (changed(limits={"max_cost": 3}), "limits.max_cost: unknown field"),
    ],
)
def test_what_can_not_is_named_and_nothing_is_deployed(new, said):
    cluster = Fake(ours())
    with pytest.raises(ConfigError) as refused:
        applied(cluster, {"applications": [ours(new)]}, {})
    assert said in refused.value.message
    assert cluster.deployed == []


def test_found_experts_stay_where_the_file_has_them_looked_for():
    deployed = {"experts": [*ARGS["experts"], {"name": "found", "provider": "ollama"}], "discover": False}
    new = {"experts": ARGS["experts"], "discover": True, "strategy": "voting"}
    assert told(deployed, new) == {"strategy": "voting"}


def test_where_nothing_of_ours_runs():
    with pytest.raises(Unreachable, match="no application of Mixture"):
        applied(Fake(OTHER), {"applications": [ours()]}, {})


@pytest.mark.parametrize(
    ("user_config", "said"),
    [
        ({"aliases": {"x": {"expert": "nobody"}}}, ".user_config.aliases.x.expert: unknown expert 'nobody'"),
        ({"prices": {}}, ".user_config.prices: unknown field"),
        ({"limits": {"max_cost_usd": 1}}, None),
    ],
)
def test_validate_reads_a_user_config_too(tmp_path, user_config, said):
    file = tmp_path / "serve.yaml"
    deployments = [{"name": "gateway", "user_config": user_config}]
    file.write_text(yaml.safe_dump({"applications": [ours(deployments=deployments)]}))
    found = list(faults_of(file, {}))
    assert found == [] if said is None else said in found[0]
