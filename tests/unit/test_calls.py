"""What a call to another process raises, however Ray hands it on."""

import pytest
from ray.exceptions import RayTaskError

from deployments.calls import called
from mixture.errors import Overloaded
from mixture.retrieval.host import IndexUnavailable, UnknownCollection

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
