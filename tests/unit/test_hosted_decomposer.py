"""The decomposer as a deployment hosts it: one that hangs does not hold a request up."""

import asyncio

import pytest

from deployments import remote
from deployments.decomposer import HostedDecomposer
from deployments.remote import RemoteDecomposer
from mixture.errors import Overloaded
from mixture.types import Message, Query

COMPOUND = Query((Message("user", "Explain what inflation is and write a Python function that reverses a list"),))


class Handle:
    """A handle to a decomposer; `late` calls never come back."""

    def __init__(self, late):
        self.late = late
        self.decompose = HostedDecomposer().decompose

    def options(self, method_name):
        assert method_name == "decompose"
        return self

    def remote(self, query):
        return asyncio.ensure_future(asyncio.Event().wait() if self.late else self.decompose(query))


async def test_its_plan_crosses():
    assert len((await RemoteDecomposer(Handle(late=False)).decompose(COMPOUND)).subtasks) == 2


async def test_one_that_hangs_is_passed_over(monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 0.02)
    with pytest.raises(Overloaded, match="does not answer"):
        await RemoteDecomposer(Handle(late=True)).decompose(COMPOUND)
