from __future__ import annotations

import pytest

from mixture.types import Expert
from tests.contract.subjects import REMOTE, SUBJECTS, Place, Subject
from tests.contract.upstream import upstream as running


@pytest.fixture
async def place(tmp_path):
    async with running() as made:
        yield Place(made, tmp_path)


@pytest.fixture
def upstream(place):
    return place.upstream


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request) -> Subject:
    return request.param


@pytest.fixture(params=REMOTE, ids=lambda subject: subject.name)
def remote(request) -> Subject:
    """A provider that calls an upstream."""
    return request.param


async def closed(expert: Expert) -> None:
    for part in (expert, getattr(expert, "base", None)):
        if (close := getattr(part, "close", None)) is not None:
            await close()


@pytest.fixture
async def expert(subject, place):
    made = subject.make(place)
    subject.ready(place.upstream)
    yield made
    await closed(made)


@pytest.fixture
async def client(remote, place):
    """The expert of a provider that calls an upstream."""
    made = remote.make(place)
    remote.ready(place.upstream)
    yield made
    await closed(made)
