"""Fixtures of the real server, over stand-ins for model servers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mixture.simulation import StandIn
from tests.serve.real import start

SLOW = "w " * 2_000


def expert(name, upstream, **more):
    return {
        "name": name,
        "provider": "openai",
        "model": "stand-in",
        "base_url": upstream.base_url,
        "api_key": "none",
        **more,
    }


@pytest.fixture(scope="session")
def upstreams():
    """Stand-ins for model servers: one answers, one does so later, one goes on for minutes, one breaks off."""
    quick = StandIn(text="hello there from upstream")
    late = StandIn(text="hello there from upstream", delay=0.5)
    slow = StandIn(text=SLOW, rate=20)
    breaking = StandIn(text="one two three four", failure={"error": "StreamBroken", "after": 2})
    tools = StandIn(text="", tool_calls=[{"name": "weather", "arguments": '{"city": "Bonn"}'}])
    with quick, late, slow, breaking, tools:
        yield SimpleNamespace(quick=quick, late=late, slow=slow, breaking=breaking, tools=tools)


@pytest.fixture(scope="session")
def real_server(upstreams, tmp_path_factory):
    """`mixture serve` with HAProxy and two gateways, over plain and hosted experts and hosted deciding parts."""
    tools = {"abilities": ["tools", "json", "stop", "seed", "n", "logprobs"]}
    config = {
        "proxy_location": "HeadOnly",
        "applications": [
            {
                "name": "mixture",
                "import_path": "deployments.app:build",
                "args": {
                    "experts": [
                        expert("plain", upstreams.quick, price={"input": 1, "output": 2}, skills=["general"]),
                        expert("plain-slow", upstreams.slow),
                        expert("hosted", upstreams.quick, hosted=True),
                        expert("hosted-slow", upstreams.slow, hosted=True),
                        expert("hosted-breaking", upstreams.breaking, hosted=True, num_retries=0),
                        expert("late", upstreams.late),
                        expert("later", upstreams.late),
                        expert("tools", upstreams.tools, **tools),
                        {"name": "polite", "provider": "persona", "expert": "hosted", "system_prompt": "Be polite."},
                        {
                            "name": "limited",
                            "provider": "scripted",
                            "hosted": True,
                            "num_retries": 0,
                            "options": {"failure": {"error": "RateLimited", "retry_after": 7}},
                        },
                    ],
                    "aliases": {
                        "early": {
                            "strategy": "voting",
                            "experts": ["late", "later", "plain-slow", "hosted-slow"],
                            "early_stop": 0.9,
                        },
                        "both": {"strategy": "voting", "experts": ["plain", "hosted"]},
                        "fallback": {
                            "strategy": "cascade",
                            "experts": ["limited", "hosted"],
                            "fallback_order": ["limited", "hosted"],
                        },
                    },
                    "hosted": ["router", "decomposer", "aggregator"],
                    "cache": {"shared": "actor", "shared_timeout_ms": 5_000},
                    "router": {"timeout_ms": 5_000},  # a busy machine is no reason to fall back
                },
                "deployments": [{"name": "gateway", "num_replicas": 2, "ray_actor_options": {"num_cpus": 0.1}}],
            }
        ],
    }
    running = start(tmp_path_factory.mktemp("server"), config)
    try:
        running.wait_until("Ready in", seconds=150)
        yield running
    finally:
        running.stop()
