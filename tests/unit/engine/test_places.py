"""Where engines go: shares of GPUs, workers over several nodes, labels, and what would fit where something does not."""

from __future__ import annotations

import pytest

from mixture.config import EngineConfig
from mixture.providers.vllm.nodes import Node, placed, selects
from mixture.providers.vllm.room import most, remaining, unplaced

A_NODE = Node.of({"CPU": 16.0, "GPU": 4.0, "accelerator_type:H100": 1.0})
SPOT = Node.of({"CPU": 8.0, "GPU": 1.0}, {"ray.io/market-type": "spot", "ray.io/accelerator-type": "L4"})
SAFE = Node.of({"CPU": 8.0, "GPU": 1.0}, {"ray.io/market-type": "on-demand", "ray.io/accelerator-type": "L4"})
ONE_GPU = Node.of({"CPU": 8.0, "GPU": 1.0})
HEAD = Node.of({"CPU": 0.0})
M = "ray.io/market-type"


def test_what_is_left_beside_an_engine():
    engine = EngineConfig(replicas=2, tensor_parallel_size=2, cpus=1)
    (left,) = remaining(engine, 1.0, [A_NODE])
    assert (left.cpus, left.free, left.kinds) == (14.0, 0.0, {"H100"})
    asleep = EngineConfig(autoscaling_config={"min_replicas": 0})
    assert remaining(asleep, 1.0, [A_NODE]) == (A_NODE,)


@pytest.mark.parametrize(
    ("engine", "gpus", "nodes", "said"),
    [
        ({}, 1.0, [A_NODE], None),
        ({}, 0.0, [Node(2.0)], None),
        ({}, 1.0, [], None),
        ({}, 1.0, [Node(2.0)], "needs 1 GPUs and there is none; with gpus: 0"),
        (
            {"tensor_parallel_size": 8},
            1.0,
            [A_NODE, A_NODE],
            "needs 8 GPUs and the largest node has 4; with placement",
        ),
        ({"tensor_parallel_size": 8, "placement": "PACK"}, 1.0, [A_NODE, A_NODE], None),
        ({"tensor_parallel_size": 4, "pipeline_parallel_size": 2, "placement": "SPREAD"}, 1.0, [A_NODE, A_NODE], None),
        ({"tensor_parallel_size": 16, "placement": "PACK"}, 1.0, [A_NODE, A_NODE], "needs 16 GPUs and there are 8"),
        ({"pipeline_parallel_size": 2, "placement": "STRICT_SPREAD"}, 1.0, [A_NODE], "find no room together"),
        ({"pipeline_parallel_size": 2, "placement": "STRICT_SPREAD"}, 1.0, [A_NODE, A_NODE], None),
        ({"accelerator_type": "H100"}, 1.0, [A_NODE], None),
        (
            {"accelerator_type": "L4"},
            1.0,
            [A_NODE],
            "of type L4 and there is none; with accelerator_type: H100 it",
        ),
        ({"replicas": 5}, 1.0, [A_NODE], "needs 5 GPUs and there are 4; with replicas: 4 it would fit"),
        ({"cpus": 0.5, "replicas": 5}, 0.0, [Node(2.0)], "reserves 2.5 processors and 2 are left; with replicas: 4 it"),
        ({"cpus": 32}, 0.0, [A_NODE], "reserves 32 processors and 16 are left; with engine.cpus: 0.1 it would"),
        ({"labels": {M: "spot"}}, 1.0, [HEAD, SAFE, SPOT], None),
        (
            {"labels": {M: "spot"}},
            1.0,
            [SAFE],
            "no node has the labels ray.io/market-type: spot (ray.io/mark",
        ),
        (
            {"labels": {M: "spot"}, "replicas": 2},
            1.0,
            [SAFE, SPOT],
            "needs 2 GPUs and there are 1; with replicas: 1",
        ),
        (
            {"labels": {M: "spot"}, "fallback_labels": [{M: "on-demand"}], "replicas": 2},
            1.0,
            [SAFE, SPOT],
            None,
        ),
        ({"labels": {"ray.io/accelerator-type": "in(H100, L4)"}}, 1.0, [SPOT], None),
        ({"max_replicas_per_node": 1, "replicas": 2}, 1.0, [A_NODE], "with replicas: 1 it would fit"),
        ({"max_replicas_per_node": 1, "replicas": 2}, 1.0, [A_NODE, A_NODE], None),
    ],
)
def test_a_place_is_there_or_not(engine, gpus, nodes, said):
    told = unplaced(EngineConfig(**engine), gpus, nodes)
    assert told is None if said is None else said in told


def test_shares_of_a_gpu_are_not_added_over_gpus():
    two = [Node.of({"CPU": 8.0, "GPU": 2.0})]
    assert unplaced(EngineConfig(replicas=2), 0.6, two) is None
    told = unplaced(EngineConfig(replicas=3), 0.6, two)
    assert "3 replicas of 1 x 0.6 GPUs and 0.1 processors find no room together" in told
    assert "what is free is in pieces (1 x 8 processors and 2 GPUs); with replicas: 2 it would fit" in told
    assert placed(EngineConfig(replicas=4), 0.5, two, 4)[0].free == 0
    assert most(EngineConfig(), 0.3, two, 100) == 6
    half = remaining(EngineConfig(), 0.5, two)
    assert unplaced(EngineConfig(tensor_parallel_size=2), 1.0, half) is not None
    assert unplaced(EngineConfig(), 1.0, half) is None


def test_workers_over_nodes_take_processors_on_each():
    engine = EngineConfig(pipeline_parallel_size=2, placement="SPREAD", cpus=2)
    one, two = placed(engine, 1.0, [ONE_GPU, ONE_GPU], 1)
    assert (one.cpus, two.cpus, one.free, two.free) == (6.0, 7.0, 0.0, 0.0)
    together = placed(EngineConfig(pipeline_parallel_size=2, placement="PACK"), 1.0, [ONE_GPU, A_NODE], 1)
    assert [node.free for node in together] == [1.0, 2.0]
    assert placed(engine, 1.0, [ONE_GPU, Node.of({"CPU": 0.5, "GPU": 1.0})], 1) is None


@pytest.mark.parametrize(
    ("selector", "label", "fits"),
    [
        ("spot", "spot", True),
        ("spot", None, False),
        ("!spot", "spot", False),
        ("!spot", None, True),
        ("in(a,b)", "b", True),
        ("in(a, b)", "c", False),
        ("!in(a,b)", "a", False),
    ],
)
def test_selectors_of_labels_are_rays(selector, label, fits):
    assert selects(selector, label) is fits
