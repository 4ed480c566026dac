"""A real server that is told new prices, routes and limits while two gateways answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import httpx2
import pytest
import yaml

from commands.processes import descendants
from tests.serve.real import MIXTURE

BODY = {"model": "plain", "messages": [{"role": "user", "content": "say hello"}]}
LOAD = 4
"""Clients that ask one request after the other, with a pause that leaves the machine to others, too."""


def reload(server, file):
    """What the command printed, and its exit code."""
    words = [MIXTURE, "reload", str(file)]
    done = subprocess.run(words, env=server.environ, cwd=file.parent, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout + done.stderr


def gateways(server):
    """The process ids of the gateways' replicas."""
    return {pid for pid in descendants(server.process.pid) if "ServeReplica:mixture:gateway" in _title(pid)}


def _title(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


async def load(http, answers, stop):
    while not stop.is_set():
        answers.append(await http.post("/v1/chat/completions", json=BODY))
        await asyncio.sleep(0.05)


async def everywhere(http, model, status):
    """Until eight answers in a row are so: each gateway has been asked then, but for a chance in a hundred."""
    async with asyncio.timeout(60):
        row = 0
        while row < 8:
            answer = await http.post("/v1/chat/completions", json=BODY | {"model": model})
            row = row + 1 if answer.status_code == status else 0


@pytest.mark.timeout(600)
async def test_a_reload_under_load_loses_nothing_and_starts_no_replica(real_server, tmp_path):
    config = yaml.safe_load((real_server.home.parent / "config.yaml").read_text())
    args = config["applications"][0]["args"]
    before = gateways(real_server)
    unchanged, new = tmp_path / "unchanged.yaml", tmp_path / "new.yaml"
    unchanged.write_text(yaml.safe_dump(config))
    args["aliases"]["cheap"] = {"expert": "plain"}
    args["experts"][0]["price"] = {"input": 1000, "output": 2000}
    new.write_text(yaml.safe_dump(config))
    stop, answers = asyncio.Event(), []
    async with httpx2.AsyncClient(base_url=real_server.url, headers=real_server.headers, timeout=60) as http:
        working = [asyncio.create_task(load(http, answers, stop)) for _ in range(LOAD)]
        told = await asyncio.to_thread(reload, real_server, new)
        assert told[0] == 0, told[1]
        assert "Reloaded: aliases, experts" in told[1]
        await everywhere(http, "cheap", 200)
        back = await asyncio.to_thread(reload, real_server, unchanged)
        assert back[0] == 0, back[1]
        await everywhere(http, "cheap", 404)
        stop.set()
        await asyncio.gather(*working)
    assert {answer.status_code for answer in answers} == {200}
    costs = {round(float(answer.headers["x-mixture-cost-usd"]), 12) for answer in answers}
    assert len(costs) == 2
    assert max(costs) / min(costs) == pytest.approx(1000)
    assert gateways(real_server) == before


def test_another_file_is_refused_with_what_it_takes(real_server, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"experts": [{"name": "new", "provider": "scripted"}]}))
    code, printed = reload(real_server, file)
    assert code == 1
    assert "experts.new: is new, which takes a new deployment" in " ".join(printed.split())
    assert os.environ.get("RAY_AUTH_TOKEN") is None
