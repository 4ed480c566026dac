from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mixture import discovery
from mixture.assembly import discovered
from mixture.config import parse
from mixture.simulation import StandIn

NOWHERE = "http://127.0.0.1:9/v1"
QUIET = {
    "OLLAMA_BASE_URL": NOWHERE,
    "VLLM_BASE_URL": NOWHERE,
    "LLAMA_CPP_BASE_URL": NOWHERE,
    "LM_STUDIO_BASE_URL": NOWHERE,
}


@contextmanager
def answering(body: bytes, status: int = 200, hold: threading.Event | None = None):
    """A server that gives `body` to every GET, once `hold` is set."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            if hold is not None:
                hold.wait(10)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def listing(*entries):
    return json.dumps({"object": "list", "data": list(entries)}).encode()


def names(environ):
    return [found.config.name for found in discovery.find({**QUIET, **environ})]


def test_nothing_but_the_embedded_experts():
    assert names({}) == ["symbolic", "extractive"]


def test_a_key_brings_its_models_and_personas():
    found = {f.config.name: f for f in discovery.find({**QUIET, "OPENAI_API_KEY": "k"})}
    models = [f for f in found.values() if f.config.provider == "openai"]
    assert models
    assert all(f.why == "OPENAI_API_KEY is set" for f in models)
    assert all(f.config.api_key is None for f in found.values()), "keys stay in the environment"
    assert {"finance", "technical", "general"} <= found.keys()
    assert found["technical"].config.expert == models[0].config.name


def test_personas_are_dealt_out_over_the_sources():
    found = {
        f.config.name: f.config for f in discovery.find({**QUIET, "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})
    }
    bases = {found[found[name].expert].provider for name in ("finance", "technical", "general")}
    assert bases == {"openai", "anthropic"}


def test_an_empty_key_is_no_key():
    assert names({"OPENAI_API_KEY": " "}) == ["symbolic", "extractive"]


def test_a_local_server_is_asked_for_its_models():
    with StandIn(models=("llama3.2:3b", "nomic-embed-text")) as ollama:
        found = {f.config.name: f for f in discovery.find({**QUIET, "OLLAMA_BASE_URL": ollama.base_url})}
    assert list(found) == ["llama3.2:3b", "finance", "technical", "general", "symbolic", "extractive"]
    assert ollama.base_url in found["llama3.2:3b"].why
    assert found["general"].config.expert == "llama3.2:3b"


def test_two_servers_with_the_same_model_both_count():
    with StandIn(models=("qwen3",)) as one, StandIn(models=("qwen3",)) as two:
        found = names({"OLLAMA_BASE_URL": one.base_url, "LM_STUDIO_BASE_URL": two.base_url})
    assert {"qwen3", "lmstudio/qwen3"} <= set(found)


def test_a_path_and_a_window_are_read_from_vllm():
    entry = {"id": "/models/Qwen 2.5", "owned_by": "vllm", "max_model_len": 4096}
    with answering(listing(entry)) as url:
        found = next(f.config for f in discovery.find({**QUIET, "VLLM_BASE_URL": url}))
    assert (found.name, found.model, found.context_window) == ("Qwen-2.5", "/models/Qwen 2.5", 4096)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'"x"', b'{"data": 3}', b'{"data": [{"id": 4}, {}, "x"]}', b'{"data": null}', b"\xff"]
)
def test_whatever_else_answers_is_left_alone(body):
    with answering(body) as url:
        assert names({"VLLM_BASE_URL": url}) == ["symbolic", "extractive"]


def test_refusals_and_mixtures_are_left_alone():
    with answering(b"{}", status=401) as url:
        assert names({"VLLM_BASE_URL": url}) == ["symbolic", "extractive"]
    with answering(listing({"id": "auto", "owned_by": "mixture"})) as url:
        assert names({"VLLM_BASE_URL": url}) == ["symbolic", "extractive"]


def test_a_server_that_does_not_answer_holds_nobody_up():
    hold = threading.Event()
    with answering(listing({"id": "late"}), hold=hold) as url:
        try:
            assert names({"VLLM_BASE_URL": url}) == ["symbolic", "extractive"]
        finally:
            hold.set()


def test_what_is_found_makes_a_valid_configuration():
    environ = {**QUIET, "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "MISTRAL_API_KEY": "k"}
    config = discovered(parse({}), environ)
    assert len(config.experts) == len(discovery.find(environ))
    assert not config.discovers


def test_configured_experts_go_before_found_ones():
    own = {"name": "symbolic", "provider": "scripted"}
    config = discovered(parse({"discover": True, "experts": [own]}), QUIET)
    assert [(e.name, e.provider) for e in config.experts] == [("symbolic", "scripted"), ("extractive", "extractive")]
