"""`mixture validate` over engines: what has no place and what would have one."""

from __future__ import annotations

import pytest
import yaml

from commands import capacity
from commands.validate import faults_of
from mixture.config import ConfigError, parse
from mixture.providers.vllm.nodes import Node
from tests.unit.engine.models import adapter, model

CLUSTER = {
    "head_node_type": "head",
    "max_workers": 2,
    "available_node_types": {
        "head": {"resources": {"CPU": 4}},
        "worker": {"resources": {"CPU": 16, "GPU": 4, "accelerator_type:L4": 1}, "max_workers": 2},
    },
}


def house(folder, **engine):
    return {"name": "house", "provider": "vllm", "model": str(folder), "engine": engine}


@pytest.fixture
def cluster(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(CLUSTER))
    return file


def faults(tmp_path, cluster, *experts):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"experts": list(experts)}))
    return list(faults_of(file, {}, cluster))


def test_a_cluster_file_says_what_there_is(cluster):
    place = capacity.of_cluster(cluster)
    assert [node.free for node in place.nodes] == [0.0, 4.0, 4.0]
    assert place.memory_of("L4") == place.memory_of(None) == 24e9
    assert place.memory_of("nobody's") is None


def test_what_fits_is_no_fault_and_is_told(tmp_path, cluster):
    folder = model(tmp_path / "m")
    assert faults(tmp_path, cluster, house(folder, tensor_parallel_size=4, accelerator_type="L4")) == []
    config = parse({"experts": [house(folder)]}, {})
    (note,) = capacity.notes_of(config, capacity.of_cluster(cluster))
    assert note.startswith("house: on 1 GPU; a worker needs 1.0 GiB, of 22.4 GiB (weights 0.0, KV cache of one request")
    (note,) = capacity.notes_of(parse({"experts": [house("/not/here", gpus=0)]}, {}), capacity.of_cluster(cluster))
    assert note == "house: on the CPU; its files are not here, so its memory was not checked"


def test_what_does_not_fit_is_named_with_what_would(tmp_path, cluster):
    folder = model(tmp_path / "m")
    (fault,) = faults(tmp_path, cluster, house(folder, tensor_parallel_size=8))
    assert fault.startswith(f"experts.house.engine: no place on {cluster}: it needs 8 GPUs and the largest node has 4;")
    assert faults(tmp_path, cluster, house(folder, max_model_len=4096)) == [
        "experts.house.engine.max_model_len: 4096 is more than the model's own limit of 2048"
    ]
    large = model(tmp_path / "l", num_hidden_layers=512, head_dim=1024, max_position_embeddings=8192)
    (fault,) = faults(tmp_path, cluster, house(large))
    assert fault.startswith(f"experts.house.engine: too large for a GPU of {cluster}: a worker needs 33.0 GiB")
    assert fault.endswith("with max_model_len: 4864 it would fit")
    assert faults(tmp_path, cluster, house(large, max_model_len=4864)) == []


def test_weights_and_adapters_that_are_not_there(tmp_path, cluster):
    assert faults(tmp_path, cluster, house("/nowhere/at/all")) == [
        "experts.house.model: there is no folder '/nowhere/at/all' on this machine"
    ]
    folder = model(tmp_path / "m")
    fits, large = adapter(tmp_path / "fits"), adapter(tmp_path / "large", size=128)
    named = [
        {"name": name, "provider": "lora", "expert": "house", "model": str(path)}
        for name, path in (("good", fits), ("bad", large))
    ]
    (fault,) = faults(tmp_path, cluster, house(folder), *named)
    assert fault.startswith("experts.bad.model: ")
    assert fault.endswith("it belongs to another base")


def test_one_machine_holds_only_so_many(tmp_path):
    folder = model(tmp_path / "m")
    config = parse({"experts": [house(folder), {**house(folder), "name": "second"}]}, {})
    place = capacity.Place("this machine", [Node.of({"CPU": 8.0, "GPU": 1.0})], {"L4": 24e9})
    (fault,) = capacity.faults_of(config, place)
    assert fault.startswith("experts.second.engine: no place on this machine: it needs 1 GPUs and there is none;")


@pytest.mark.parametrize("text", ["[]", "available_node_types: {head: {resources: 3}}", "{"])
def test_another_file_is_no_cluster(tmp_path, text):
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        capacity.of_cluster(file)


def test_the_machine_is_looked_at():
    place = capacity.this_machine()
    assert place.nodes[0].cpus >= 1
    assert len(place.nodes) == 1
