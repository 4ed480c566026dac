"""The real server from the command line, and when a process of its dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import grpc
import openai
import pytest

from commands.processes import descendants
from tests.serve.real import MIXTURE

ASK = [{"role": "user", "content": "say hello"}]


def command(server, *arguments):
    done = subprocess.run(
        [MIXTURE, *arguments], env={**server.environ, "COLUMNS": "160"}, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done


def test_ask_finds_the_server_and_its_key(real_server):
    done = command(real_server, "ask", "--model", "hosted", "--explain", "say", "hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hello there from upstream\n")
    assert re.search(r"hosted +answer +ok +2 +4 +unknown", done.stdout)
    assert "No server runs" not in done.stderr


def test_ask_shows_what_the_server_refuses(real_server):
    done = command(real_server, "ask", "--model", "nobody", "hello")
    assert done.returncode == 1
    assert "404" in done.stderr


def test_models_lists_the_server(real_server):
    done = command(real_server, "models")
    assert done.returncode == 0
    for shown in ("plain", "$1 / $2 per M", "voting", "fallback", real_server.url):
        assert shown in done.stdout


def test_the_start_tells_all_that_is_needed(real_server):
    shown = real_server.output()
    assert real_server.url + "/v1" in shown
    assert "curl " + real_server.url in shown
    assert real_server.key not in shown, "a key that was chosen is not printed"


def test_the_notes_that_hold_keys_are_private(real_server):
    (note,) = (real_server.home / "servers").glob("*.json")
    assert note.stat().st_mode & 0o777 == 0o600


def test_a_host_that_dies_breaks_its_streams_and_comes_back(real_server):
    with openai.OpenAI(base_url=real_server.url + "/v1", api_key=real_server.key, max_retries=0, timeout=60) as client:
        stream = client.chat.completions.create(model="hosted-slow", messages=ASK, stream=True)
        while not next(stream).choices[0].delta.content:
            continue
        os.kill(replica(real_server, "expert-hosted-slow"), signal.SIGKILL)
        with pytest.raises(openai.APIError) as broken:
            for _ in stream:
                continue
        assert broken.value.code == "stream_broken"
        assert "expert 'hosted-slow'" in broken.value.message
        stream = client.chat.completions.create(model="hosted-slow", messages=ASK, stream=True)
        assert any(chunk.choices[0].delta.content for chunk in stream if chunk.choices)
        stream.close()
    real_server.wait_until('"process": "gateway", "message": "the host of expert hosted-slow failed')


def replica(server, deployment: str) -> int:
    """The process of the only replica of `deployment`."""
    titles = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(server.process.pid)}
    wanted = re.compile(rf"ray::ServeReplica:mixture:{deployment}(?![\w-])")
    (pid,) = [pid for pid, title in titles.items() if wanted.match(title)]
    return pid


def test_rays_own_ports_are_shut_to_strangers(real_server):
    """A gateway's gRPC port, which unpickles what it gets, is open to the network: it has to ask for Ray's token."""
    answers = [answer for port in ports(replica(real_server, "expert-hosted")) if (answer := called(port))]
    assert grpc.StatusCode.UNAUTHENTICATED in answers
    assert set(answers) <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED}


def called(port: int) -> grpc.StatusCode | None:
    """How a call without a token ends; None where nobody speaks gRPC."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
        try:
            call(b"", timeout=5)
        except grpc.RpcError as error:
            code = error.code()
            return None if code is grpc.StatusCode.UNAVAILABLE else code
        return grpc.StatusCode.OK


def ports(pid: int) -> list[int]:
    """The TCP ports on which a process listens."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(str(descriptor.readlink()))
    lines = [
        line.split() for family in ("tcp", "tcp6") for line in Path(f"/proc/net/{family}").read_text().splitlines()
    ]
    listening = [line for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in inodes]
    return [int(line[1].rpartition(":")[2], 16) for line in listening]
