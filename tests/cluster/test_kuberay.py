"""The manifests for Kubernetes: in the form that it and KubeRay take, and saying what they have to."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.kuberay import autoscaling_config

from commands import capacity
from commands.validate import faults_of
from mixture.config import ConfigError, load
from tests.cluster.kinds import schema_for

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kuberay"
FILE = FOLDER / "rayservice.yaml"
KEYS = {"OPENAI_API_KEY": "none", "MIXTURE_API_KEYS": "none"}


def documents(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


@pytest.fixture(scope="module")
def service():
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def groups(service):
    cluster = service["spec"]["rayClusterConfig"]
    return {"head": cluster["headGroupSpec"], **{group["groupName"]: group for group in cluster["workerGroupSpecs"]}}


def container(group):
    return group["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.yaml")))
def test_every_manifest_has_its_kinds_form(name):
    for document in documents(name):
        jsonschema.validate(document, schema_for(document), jsonschema.Draft202012Validator)


def test_the_schemas_refuse_what_is_not_theirs():
    wrong, short = yaml.safe_load(FILE.read_text()), yaml.safe_load(FILE.read_text())
    container(wrong["spec"]["rayClusterConfig"]["headGroupSpec"])["readinesProbe"] = {}
    with pytest.raises(jsonschema.ValidationError, match="readinesProbe"):
        jsonschema.validate(wrong, schema_for(wrong), jsonschema.Draft202012Validator)
    del short["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["maxReplicas"]
    with pytest.raises(jsonschema.ValidationError, match="maxReplicas"):
        jsonschema.validate(short, schema_for(short), jsonschema.Draft202012Validator)


def test_what_it_serves_is_valid_on_its_own_groups():
    assert list(faults_of(FILE, KEYS)) == []
    assert [expert.name for expert in load(FILE, KEYS).experts] == ["gpt", "house", "house-spot"]
    notes = list(capacity.notes_of(load(FILE, KEYS), capacity.of_cluster(FILE)))
    assert notes[0].startswith("house: on 1 GPU")
    assert not any("max_replicas" in note for note in notes)


def test_engines_that_its_groups_can_not_hold_are_named(tmp_path):
    file = tmp_path / "rayservice.yaml"
    file.write_text(FILE.read_text().replace("accelerator_type: L4", "accelerator_type: H100"))
    assert any(
        "experts.house.engine: no place" in fault and "with accelerator_type: L4" in fault
        for fault in faults_of(file, KEYS)
    )


def test_rays_own_autoscaler_reads_the_groups(service, groups):
    cluster = {"metadata": {"name": "mixture", "namespace": "default"}, "spec": service["spec"]["rayClusterConfig"]}
    kinds = autoscaling_config._derive_autoscaling_config_from_ray_cr(cluster)["available_node_types"]
    assert kinds["headgroup"]["resources"]["CPU"] == 0
    assert kinds["gpu"]["resources"]["GPU"] == 1
    assert kinds["gpu-spot"]["labels"] == {"ray.io/market-type": "spot", "ray.io/accelerator-type": "L4"}
    assert (kinds["gateway"]["min_workers"], kinds["gpu-spot"]["min_workers"]) == (2, 0)


def test_every_pod_has_the_flags_the_keys_and_probes(groups):
    for group in groups.values():
        pod = container(group)
        assert [list(source) for source in pod["envFrom"]] == [["configMapRef"], ["secretRef"]]
        assert pod["envFrom"][0]["configMapRef"]["name"] == documents("environment.yaml")[0]["metadata"]["name"]
        assert pod["envFrom"][1]["secretRef"]["name"] == documents("secrets.yaml")[0]["metadata"]["name"]
        assert pod["readinessProbe"]["exec"]
        assert pod["livenessProbe"]["exec"]
    assert "/readyz" in " ".join(container(groups["gateway"])["readinessProbe"]["exec"]["command"])


def test_disruption_budgets_cover_the_groups(groups):
    budgets = documents("disruption.yaml")
    named = {budget["metadata"]["name"]: budget["spec"]["selector"] for budget in budgets}
    assert named["mixture-gateways"]["matchLabels"]["ray.io/group"] in groups
    listed = next(rule for rule in named["mixture-engines"]["matchExpressions"] if rule["key"] == "ray.io/group")
    assert set(listed["values"]) == {name for name, group in groups.items() if "gpu" in name}


def test_no_secret_is_written_down():
    for secret in documents("secrets.yaml"):
        assert set(secret["stringData"].values()) == {""}


def test_machines_and_pods_have_the_same_flags():
    exported = dict(re.findall(r"^export (\w+)=(.*)$", (ROOT / "deploy" / "environment.sh").read_text(), re.MULTILINE))
    pods = documents("environment.yaml")[0]["data"]
    assert set(pods) == set(exported) - {"RAY_AUTH_MODE"}
    same = set(pods) - {"RAY_SERVE_HAPROXY_BINARY_PATH"}
    assert {name: pods[name] for name in same} == {name: exported[name] for name in same}
    assert pods["RAY_SERVE_HAPROXY_BINARY_PATH"] in (ROOT / "deploy" / "Dockerfile").read_text()


@pytest.mark.parametrize("text", ["kind: RayService", "{kind: RayService, spec: {serveConfigV2: {}}}"])
def test_a_manifest_without_a_configuration_says_so(tmp_path, text):
    file = tmp_path / "rayservice.yaml"
    file.write_text(text)
    assert "spec.serveConfigV2: the text of a Ray Serve config is expected" in next(faults_of(file, {}))
    with pytest.raises(ConfigError, match=r"headGroupSpec|nodes|available"):
        capacity.of_cluster(file)
