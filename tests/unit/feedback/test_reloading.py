"""A calibration that is written while a server runs: routers and desk use it, and a damaged one changes nothing."""

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mixture.config import FeedbackConfig, RouterConfig
from mixture.feedback import Desk
from mixture.routing import make_router
from mixture.routing.reloading import CalibrationFile, fitted, follow, learned
from mixture.routing.sessions import StickyRouter
from mixture.routing.storage import save
from mixture.types import ExpertCard, Message, Price, Query

CARDS = (ExpertCard("cheap", "x", price=Price(0.1, 0.4)), ExpertCard("dear", "x", price=Price(3, 12)))
ASKED = Query((Message("user", "Prove that the sum of nine odd integers is even"),))


@asynccontextmanager
async def following(router, file):
    task = asyncio.create_task(follow(router, file, every=0.01))
    yield task
    task.cancel()
    await asyncio.wait([task])


async def version(router):
    return (await router.route(ASKED, CARDS)).signals.get("calibration")


async def until(reached):
    for _ in range(2_000):
        if await reached():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came")


async def until_version(router, wanted):
    async def reached():
        return await version(router) == wanted

    await until(reached)


async def test_a_new_file_is_followed_and_a_damaged_one_is_not(calibration, router_file, caplog, tmp_path):
    router = StickyRouter(make_router(RouterConfig(file=router_file)), 10)

    async def warned():
        return bool(caplog.records)

    async with following(router, router_file):
        assert await version(router) == "fit-1"
        save(replace(calibration, version="fit-2"), router_file)
        await until_version(router, "fit-2")
        with caplog.at_level(logging.WARNING):
            (tmp_path / "router.npz").write_bytes(b"not a calibration")
            await until(warned)
            await asyncio.sleep(0.1)  # further looks at the same file
        assert len(caplog.records) == 1
        assert "routing stays as it was" in caplog.text
        assert await version(router) == "fit-2"
        (tmp_path / "router.npz").unlink()
        save(replace(calibration, version="fit-3"), router_file)
        await until_version(router, "fit-3")


async def test_a_server_that_began_without_a_file_finds_it(calibration, tmp_path):
    file = str(tmp_path / "later.npz")
    router = make_router(RouterConfig(file=file))
    async with following(router, file):
        assert await version(router) is None
        save(calibration, file)
        await until_version(router, "fit-1")
        assert "fallback" not in (await router.route(ASKED, CARDS)).signals


async def test_what_is_in_use_already_is_not_read_as_new(calibration, router_file):
    file = CalibrationFile(router_file, fitted(replace(calibration, version="fit-1+7")))
    assert await file.fresh() is None
    save(calibration, router_file)  # the same fit, written again
    assert await file.fresh() is None
    save(replace(calibration, version="fit-2"), router_file)
    assert (await file.fresh()).version == "fit-2"
    assert await file.fresh() is None


async def test_without_a_learned_router_there_is_nothing_to_follow(router_file):
    router = make_router(RouterConfig(kind="keyword"))
    assert learned(router) is None
    await follow(router, router_file)


@pytest.mark.parametrize("learn", [True, False])
async def test_the_desk_begins_anew_on_a_new_file(calibration, router_file, tmp_path, learn):
    config = FeedbackConfig(folder=str(tmp_path / "feedback"), learn=learn)
    desk = Desk(config, RouterConfig(file=router_file), seed=1)
    save(replace(calibration, version="fit-2"), router_file)
    newer = await desk.newer("fit-1")
    assert (newer and newer.version) == ("fit-2" if learn else None)
    assert (await desk.facts())["routing"] == ("fit-2" if learn else None)
