"""Starting and stopping: what users see, and that nothing is left behind."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
import yaml

from commands.processes import descendants
from tests.serve.real import KEY, MIXTURE, births, end, environment, free_port, launch, outlived, start

SECRET = "sk-written-into-the-file"  # not a key of anything
EXPERTS = [
    {"name": "parrot", "provider": "scripted", "options": {"text": "pieces of eight"}},
    {"name": "far", "provider": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": SECRET},
]


def ask(running, model="parrot"):
    body = {"model": model, "messages": [{"role": "user", "content": "say it"}]}
    answer = httpx2.post(running.url + "/v1/chat/completions", json=body, headers=running.headers, timeout=30)
    return answer.json()["choices"][0]["message"]["content"]


def folder_of(running) -> Path:
    """Where a running server keeps Ray's files."""
    server = next(pid for pid in descendants(running.process.pid) if b"commands.server" in cmdline(pid))
    variables = Path(f"/proc/{server}/environ").read_text().split("\0")
    (config,) = [v.partition("=")[2] for v in variables if v.startswith("RAY_SERVE_HAPROXY_CONFIG_FILE_LOC=")]
    return Path(config).parent.parent


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_second_server_beside_another_and_ctrl_c(real_server, tmp_path):
    running = start(tmp_path, {"experts": EXPERTS})
    try:
        running.wait_until("Ready in")
        assert ask(running) == "pieces of eight"
        folder = folder_of(running)
        logs = b"".join(path.read_bytes() for path in folder.rglob("*.log"))
        assert b"Importing application" in logs
        assert SECRET.encode() not in logs
    finally:
        left = running.stop(signal.SIGINT)
    assert left == []
    assert running.process.returncode == 0
    assert "Stopped in" in running.output()
    assert not folder.exists()
    assert ask(real_server, "plain")


def test_ctrl_c_during_the_start(tmp_path):
    running = start(tmp_path, {"experts": EXPERTS})
    running.wait_until("Starting")
    deadline = time.monotonic() + 30
    while not any(b"gcs_server" in cmdline(pid) for pid in descendants(running.process.pid)):
        assert time.monotonic() < deadline, "Ray was not started"
        time.sleep(0.02)
    assert running.stop(signal.SIGINT) == []
    assert running.process.returncode == 0


def test_kill_9_of_the_launcher_takes_everything_along(tmp_path):
    running = start(tmp_path, {"experts": EXPERTS})
    try:
        running.wait_until("Ready in")
        tree = births(descendants(running.process.pid))
        running.process.kill()
        running.process.wait()
        assert outlived(tree, seconds=30) == []
    finally:
        end(tree)


def test_a_busy_port_is_said_at_once(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"experts": EXPERTS}))
        command = [MIXTURE, "serve", "config.yaml", "--port", str(port)]
        ended = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True)
    assert ended.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in ended.stderr
    other = re.search(r"mixture serve --port (\d+)", ended.stderr)
    assert other
    assert int(other[1]) > port


def test_a_busy_port_of_another_mixture(real_server, tmp_path):
    command = [MIXTURE, "serve", "--port", real_server.url.rpartition(":")[2]]
    ended = subprocess.run(command, cwd=tmp_path, env=environment(real_server.home), capture_output=True, text=True)
    assert ended.returncode == 1
    assert "A Mixture server answers there" in ended.stderr


def test_a_wrong_configuration_is_said_before_anything_starts(tmp_path):
    (tmp_path / "config.yaml").write_text("strategy: vote\nexperts: []\n")
    command = [MIXTURE, "serve", "config.yaml", "--port", str(free_port())]
    ended = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True)
    assert ended.returncode == 1
    assert "strategy: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.timeout(300)
def test_serve_run_by_itself(tmp_path):
    port = free_port()
    application = {"name": "mixture", "import_path": "deployments.app:build", "route_prefix": "/"}
    config = {
        "http_options": {"host": "127.0.0.1", "port": port},
        "applications": [{**application, "args": {"experts": EXPERTS}}],
    }
    (tmp_path / "serve.yaml").write_text(yaml.safe_dump(config))
    command = [str(Path(sys.executable).parent / "serve"), "run", "serve.yaml"]
    running = launch(tmp_path, command, port, tmp_path / "printed.txt")
    try:
        deadline = time.monotonic() + 120
        while not _up(running.url):
            assert running.process.poll() is None, running.output()
            assert time.monotonic() < deadline, running.output()
            time.sleep(0.1)
        assert running.key == KEY
        assert ask(running) == "pieces of eight"
        assert httpx2.get(running.url + "/v1/models").status_code == 401
    finally:
        tree = births(descendants(running.process.pid))
        running.stop(signal.SIGINT)
        left = outlived(tree, seconds=30)  # Ray's own helpers of `serve run` take a moment more than itself
        end(tree)
    assert left == []


def _up(url: str) -> bool:
    try:
        return httpx2.get(url + "/livez", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False
