"""What a call to another process raises, however Ray hands it on."""

import asyncio

import pytest
from ray.exceptions import RayTaskError

from deployments import documents as remote
from deployments.calls import called
from mixture.dispatch import grounding
from mixture.errors import Overloaded
from mixture.retrieval.host import IndexUnavailable, UnknownCollection
from mixture.types import LOCAL, NOBODY

OURS = UnknownCollection("there is none", param="collection")


async def failing(error):
    raise error


@pytest.mark.parametrize("error", [OURS, RayTaskError("search", "traceback", OURS).as_instanceof_cause()])
async def test_an_error_of_ours_arrives_as_it_was_raised(error):
    with pytest.raises(UnknownCollection, match="there is none") as raised:
        await called("index", failing(error), IndexUnavailable)
    assert type(raised.value) is UnknownCollection
    assert raised.value.param == "collection"


async def test_anything_else_says_that_the_process_is_not_there():
    with pytest.raises(Overloaded, match="the router is not available"):
        await called("router", failing(ConnectionError("gone")))


class Silence:
    """A call that never comes back."""

    def __init__(self):
        self.cancelled = False

    def __await__(self):
        return asyncio.Event().wait().__await__()

    def cancel(self):
        self.cancelled = True


async def test_a_process_that_says_nothing_is_not_waited_for_longer_than_it_ever_takes():
    call = Silence()
    with pytest.raises(IndexUnavailable, match="the index does not answer"):
        await called("index", call, IndexUnavailable, within=0.01)
    assert call.cancelled


class Index:
    """A handle to a documents' index whose machine has vanished."""

    def __init__(self):
        self.calls = []
        self.search = self.holds = self

    def remote(self, *arguments):
        self.calls.append(Silence())
        return self.calls[-1]


async def test_an_index_that_does_not_answer_is_left_alone_for_a_moment(monkeypatch):
    monkeypatch.setattr(remote, "SOON", 0.01)
    handle = Index()
    documents = remote.RemoteDocuments(handle)
    for _ in range(3):
        with pytest.raises(IndexUnavailable, match="does not answer"):
            await documents.holds(NOBODY)
    assert [call.cancelled for call in handle.calls] == [True]
    monkeypatch.setattr(remote, "LEFT_ALONE", 0.0)
    documents = remote.RemoteDocuments(handle)
    for _ in range(2):
        with pytest.raises(IndexUnavailable):
            await documents.holds(NOBODY)
    assert len(handle.calls) == 3


class Holding:
    """An index that says whether somebody has documents, while it is there."""

    def __init__(self, holds):
        self.there, self.found = True, holds

    async def holds(self, caller):
        if not self.there:
            raise OURS
        return self.found


@pytest.mark.parametrize("holds", [True, False])
async def test_whether_somebody_has_documents_is_as_it_was_while_the_index_is_gone(monkeypatch, holds):
    monkeypatch.setattr(grounding, "REMEMBERED", -1.0)
    index = Holding(holds)
    known = grounding.Grounding(index, 0.0)
    assert await known._holds(LOCAL) is holds
    index.there = False
    assert await known._holds(LOCAL) is holds
    with pytest.raises(UnknownCollection):
        await known._holds(NOBODY)
