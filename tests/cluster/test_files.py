"""The files that start a cluster and a server: in the form that Ray takes, and as safe as they say."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from commands.validate import faults_of
from mixture.config import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster():
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_the_cluster_file_has_the_launchers_form(cluster):
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
    assert len(cluster["available_node_types"]) == 2


@pytest.mark.parametrize("commands", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_every_node_has_the_flags_before_ray_starts(cluster, commands):
    start = cluster[commands][-1]
    for flag in ("RAY_SERVE_ENABLE_HA_PROXY=1", "RAY_SERVE_THROUGHPUT_OPTIMIZED=1", "RAY_USAGE_STATS_ENABLED=0"):
        assert 0 < start.index(flag) < start.index("ray start")


def test_the_cluster_is_reachable_and_the_laptop_is_not(cluster):
    assert "--http-host 0.0.0.0" in cluster["head_start_ray_commands"][-1]
    serve = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    assert serve["http_options"] == {"host": "127.0.0.1", "port": 8000}


def test_the_server_file_is_valid():
    assert list(faults_of(ROOT / "serve_config.yaml", {})) == []
    assert load(ROOT / "serve_config.yaml", {}).discovers
