"""Schemathesis over the OpenAPI document: whatever is sent, the answer is one that the document knows."""

import asyncio
import os
import threading

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from mixture.providers.scripted import scripted
from tests.serve.gateway.inprocess import KEY, app_of, serving

EXPERTS = [scripted("plain", "the answer is 42"), scripted("other", "the answer is 41")]


@pytest.fixture(scope="module")
def base_url():
    """A server in a thread of its own: Schemathesis is not asynchronous."""
    up, down = threading.Event(), asyncio.Event()
    found: dict[str, object] = {}

    async def serve():
        async with serving(EXPERTS) as server:
            found["url"], found["loop"] = server.url, asyncio.get_running_loop()
            up.set()
            await down.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert up.wait(20)
    yield found["url"]
    found["loop"].call_soon_threadsafe(down.set)
    thread.join(20)


EXAMPLES = int(os.environ.get("MIXTURE_EXAMPLES", "12"))
"""Requests to each operation: few in every run, as each is other ones; more when one looks for faults."""
HEADERS = {"authorization": f"Bearer {KEY}"}
api = schemathesis.openapi.from_dict(
    app_of(EXPERTS).openapi(), config=SchemathesisConfig.from_dict({"headers": HEADERS})
)


@api.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent(case, base_url):
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("model"), str) and len(body["model"]) in (1, 3, 5):
        body["model"] = "plain"  # names made up at random never get as far as an expert
    # That a schema allows a request does not mean that it makes sense: names that must exist, fields that need others.
    # And the key is sent in one of two ways, which the check of keys takes for none (test_gateway_http.py has it).
    case.call_and_validate(base_url=base_url, headers=HEADERS, excluded_checks=[positive_data_acceptance, ignored_auth])
