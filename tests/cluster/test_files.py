"""The files that start a cluster and a server: in the form that Ray takes, and as safe as they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml
from ray.serve._private.haproxy_templates import HAPROXY_CONFIG_TEMPLATE

from commands.environment import GONE, Held, for_ray
from commands.validate import faults_of
from mixture.config import load

ROOT = Path(__file__).parents[2]


CONFIGURATION = """
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
    option splice-request
frontend here
    bind 127.0.0.1:1
    default_backend there
backend there
    default-server inter 5s check
    server one 127.0.0.1:2 check
    server other 127.0.0.1:3 check backup
"""


@pytest.fixture(scope="module")
def cluster():
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_the_cluster_file_has_the_launchers_form(cluster):
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]


def test_the_head_is_kept_free_and_gpus_come_and_go(cluster):
    kinds = cluster["available_node_types"]
    assert kinds["head"]["resources"] == {"CPU": 0}
    assert kinds["gateway"]["min_workers"] == 1
    with_gpus = {name: kind for name, kind in kinds.items() if kind["resources"].get("GPU")}
    assert {kind["labels"]["ray.io/market-type"] for kind in with_gpus.values()} == {"spot", "on-demand"}
    for kind in with_gpus.values():
        assert 0 == kind["min_workers"] < kind["max_workers"]
        assert f"accelerator_type:{kind['labels']['ray.io/accelerator-type']}" in kind["resources"]
        assert "vllm" in kind["worker_setup_commands"][-1]
    spot = [kind for kind in with_gpus.values() if kind["labels"]["ray.io/market-type"] == "spot"]
    assert [kind["node_config"]["InstanceMarketOptions"] for kind in spot] == [{"MarketType": "spot"}]


@pytest.mark.parametrize("commands", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_every_node_has_the_flags_before_ray_starts(cluster, commands):
    start = cluster[commands][-1]
    assert 0 < start.index(". deploy/environment.sh") < start.index("ray start")


def test_the_flags_are_those_that_mixture_serve_sets(tmp_path):
    """The script is run by a shell: what it exports is what Ray would find."""
    (tmp_path / ".env").write_text("RAY_AUTH_TOKEN='a long text'\nOPENAI_API_KEY=k\n")
    script = f". {ROOT / 'deploy' / 'environment.sh'}; env"
    printed = subprocess.run(["sh", "-c", script], cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in printed.stdout.splitlines())
    held = Held()
    try:
        ours = for_ray(tmp_path, held, True, {})
    finally:
        held.release()
    for name in ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED", "RAY_USAGE_STATS_ENABLED", *GONE):
        assert found[name] == ours[name]
    assert (found["RAY_AUTH_MODE"], found["RAY_AUTH_TOKEN"], found["OPENAI_API_KEY"]) == ("token", "a long text", "k")


def test_haproxy_is_started_without_splicing_and_notices_that_a_machine_is_gone(tmp_path):
    subprocess.run([sys.executable, "-m", "commands.haproxy", tmp_path / "haproxy"], check=True, cwd=ROOT)
    shown = subprocess.run([tmp_path / "haproxy", "-v"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("HAProxy version")
    assert (tmp_path / "haproxy").read_text().rstrip().endswith('-dS "$@"')
    assert HAPROXY_CONFIG_TEMPLATE.count("    option splice-request\n") == 1, "the line that is replaced"
    written = tmp_path / "haproxy.cfg"
    written.write_text(CONFIGURATION)
    for _ in range(2):
        subprocess.run([tmp_path / "haproxy", "-c", "-f", written], capture_output=True, check=True)
        text = written.read_text()
        assert (text.count("option srvtcpka"), text.count("splice-request")) == (1, 0)
        # On the lines of the servers: HAProxy takes no notice of it in `default-server`.
        assert [line.count("tcp-ut 6s") for line in text.splitlines() if line.startswith("    server")] == [1, 1]
        assert text.count("tcp-ut") == 2


def test_engines_find_their_place_on_the_cluster(tmp_path):
    def faults(**engine):
        file = tmp_path / "config.yaml"
        expert = {"name": "house", "provider": "vllm", "model": "org/model", "engine": engine}
        file.write_text(yaml.safe_dump({"experts": [expert]}))
        return list(faults_of(file, {}, ROOT / "cluster.yaml"))

    assert faults(labels={"ray.io/market-type": "spot"}, replicas=8) == []
    assert faults(accelerator_type="H100", tensor_parallel_size=8) == []
    assert faults(accelerator_type="H100", tensor_parallel_size=8, pipeline_parallel_size=2, placement="PACK") == []
    (fault,) = faults(labels={"ray.io/market-type": "spot"}, accelerator_type="H100")
    assert "there is none; with accelerator_type: L4 it would" in fault


def test_the_cluster_is_reachable_and_the_laptop_is_not(cluster):
    assert "--http-host 0.0.0.0" in cluster["head_start_ray_commands"][-1]
    serve = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    assert serve["http_options"] == {"host": "127.0.0.1", "port": 8000}


def test_the_server_file_is_valid():
    assert list(faults_of(ROOT / "serve_config.yaml", {})) == []
    assert load(ROOT / "serve_config.yaml", {}).discovers
